import * as McpServer from "effect/ai/McpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FindMyWay from "effect/http/FindMyWay"
import type { Policy } from "../../authorization/Gate.ts"
import { Authenticated, ConditionalScopes, ofCall, Unauthorized } from "../../authorization/RequiredScopes.ts"
import type { Operation } from "../../protocol/Operation.ts"

type Server = McpServer.McpServer["Service"]

interface Template {
  readonly uriTemplate: string
  readonly routerPath: string
}

/** The router patterns of the templates that need scopes: the server keeps them to itself. */
const templates = new WeakMap<Server, Array<Template>>()

/** Runs a registration and notes the patterns of the templates that it adds. */
export const rememberTemplates = <A, E, R>(registration: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateContext(registration, (context: Context.Context<R>) => {
    const server = Context.getUnsafe(context as Context.Context<any>, McpServer.McpServer)
    const noting: Server = Object.create(server, {
      addResourceTemplate: {
        value: (options: Parameters<Server["addResourceTemplate"]>[0]) => {
          const known = templates.get(server) ?? []
          templates.set(server, known)
          known.push({ uriTemplate: options.template.uriTemplate, routerPath: options.routerPath })
          return server.addResourceTemplate(options)
        }
      }
    })
    return Context.add(context as Context.Context<any>, McpServer.McpServer, noting) as Context.Context<R>
  })

/** Everything registered that can carry scopes, as it stands now. */
export function* entries(
  server: Server
): Generator<{ readonly name: string; readonly annotations: Context.Context<never> }> {
  for (const { annotations, tool } of server.tools) yield { name: `tool ${tool.name}`, annotations }
  for (const { annotations, resource } of server.resources) yield { name: `resource ${resource.uri}`, annotations }
  for (const { annotations, template } of server.resourceTemplates) {
    yield { name: `resource ${template.uriTemplate}`, annotations }
  }
  for (const { annotations, prompt } of server.prompts) yield { name: `prompt ${prompt.name}`, annotations }
}

/** Finds the policy of an operation among what is registered at the time of the request. */
export const policyOf = (server: Server): (operation: Operation) => Policy | undefined => {
  const templateOf = makeTemplateFinder(server)
  const annotationsOf = ({ kind, method, target }: Operation): Context.Context<never> | undefined => {
    if (target === undefined) return undefined
    switch (kind) {
      case "tool":
        return server.tools.find(({ tool }) => tool.name === target)?.annotations
      case "prompt":
        return server.prompts.find(({ prompt }) => prompt.name === target)?.annotations
      case "resource": {
        const exact = server.resources.find(({ resource }) => resource.uri === target)
        if (exact !== undefined) return exact.annotations
        // A completion names the template itself, everything else a URI that the template matches.
        const template = method === "completion/complete" ? target : templateOf(target)
        return server.resourceTemplates.find((_) => _.template.uriTemplate === template)?.annotations
      }
      default:
        return undefined
    }
  }
  return (operation) => {
    const annotations = annotationsOf(operation)
    return annotations === undefined ? undefined : policyOfCall(annotations, operation.params)
  }
}

/** Annotations never change, so those that need no arguments are read once. */
const constant = new WeakMap<Context.Context<never>, Policy>()

/** What a call with these `params` of a JSON-RPC message needs. */
export const policyOfCall = (annotations: Context.Context<never>, params: unknown): Policy => {
  const known = constant.get(annotations)
  if (known !== undefined) return known
  const policy: Policy = {
    scopes: ofCall(annotations, params),
    unauthorized: Context.get(annotations, Unauthorized),
    authenticated: Context.get(annotations, Authenticated)
  }
  if (Context.get(annotations, ConditionalScopes).length === 0) constant.set(annotations, policy)
  return policy
}

/** From a URI to the template that the server would pick: the first match in the order of registration. */
const makeTemplateFinder = (server: Server): (uri: string) => string | undefined => {
  const matchers: Array<{ readonly uriTemplate: string; readonly matches: (uri: string) => boolean }> = []
  return (uri) => {
    const known = templates.get(server) ?? []
    for (const { routerPath, uriTemplate } of known.slice(matchers.length)) {
      // The settings of the server's own matcher: a URI must mean the same template here and there.
      const router = FindMyWay.make<true>({
        ignoreTrailingSlash: true,
        ignoreDuplicateSlashes: true,
        caseSensitive: true
      })
      router.on("GET", `/${routerPath}`, true)
      matchers.push({ uriTemplate, matches: (candidate) => router.find("GET", `/${candidate}`) !== undefined })
    }
    return matchers.find(({ matches }) => matches(uri))?.uriTemplate
  }
}
