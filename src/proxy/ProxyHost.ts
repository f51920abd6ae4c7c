import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type { Scopes } from "../composition/AuthOptions.ts"
import * as Fetcher from "../outbound/Fetcher.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import * as McpAuthFetch from "../servers/fetch/McpAuthFetch.ts"
import * as McpAuthNode from "../servers/node/McpAuthNode.ts"
import * as nodeRouter from "./front/NodeRouter.ts"
import * as webHandler from "./front/WebHandler.ts"
import * as GrantAdministration from "./grants/GrantAdministration.ts"
import { type GateOptions, makeProxy, named, type Proxy } from "./makeProxy.ts"
import type { Adapted, Adapter, HostOptions, OAuthProxy } from "./OAuthProxy.ts"
import * as proxyOptions from "./ProxyOptions.ts"

/* Runs a proxy for servers outside Effect. */

/** The proxy of a runtime, whose scope ends with `dispose`. */
class MadeProxy extends Context.Service<MadeProxy, Proxy<Scopes>>()("effect-mcp-auth/proxy/MadeProxy") {}

type Runtime = ManagedRuntime.ManagedRuntime<MadeProxy, unknown>

/** Creates a proxy for hosts outside Effect. */
export const make = async <const S extends Scopes>(options: HostOptions<S>): Promise<OAuthProxy<S>> => {
  const owner = "OAuthProxy.make"
  let runtime: Runtime | undefined
  try {
    const { host, others, store } = proxyOptions.separate(options, "environment")
    const config = host.environment === undefined ? Layer.empty : variablesOf(host.environment)
    runtime = ManagedRuntime.make(
      Layer.effect(MadeProxy, makeProxy(others, owner)).pipe(
        Layer.provide(Layer.merge(store ?? Layer.empty, Fetcher.layer)),
        Layer.provide(config)
      ) as Layer.Layer<MadeProxy, unknown>
    )
    return await fromProxy<S>(await runtime.runPromise(MadeProxy) as unknown as Proxy<S>, runtime)
  } catch (error) {
    await runtime?.dispose()
    throw named(owner)(error)
  }
}

/** Creates a proxy with the gate of an adapter. */
export const makeWith = async <const S extends Scopes, A extends Adapter>(
  adapter: (gate: GateOptions<S>) => Promise<A>,
  options: HostOptions<S>
): Promise<Adapted<S, A>> => {
  const { node: _node, web: _web, ...proxy } = await make(options)
  let gate: A
  try {
    gate = await adapter(proxy.gateOptions)
  } catch (error) {
    await proxy.dispose()
    throw error
  }
  const dispose = async () => {
    await gate.dispose()
    await proxy.dispose()
  }
  return { ...proxy, ...gate, dispose, [Symbol.asyncDispose]: dispose } as unknown as Adapted<S, A>
}

/** Lets each `Config` read its value from an object, as from environment variables. */
const variablesOf = (environment: unknown) => {
  if (!OptionValue.isObject(environment)) {
    throw ConfigOption.invalid(
      "environment",
      environment,
      "an object",
      "Give one with the variables, or leave it out for those of the process"
    )
  }
  const texts = Object.entries(environment).filter((entry): entry is [string, string] => typeof entry[1] === "string")
  return ConfigProvider.layer(ConfigProvider.fromEnvRecord(Object.fromEntries(texts)))
}

const fromProxy = async <S extends Scopes>(
  { accessFor, apiUrl, callbackUrls, gate, grants, issuer, routes, subjectOf }: Proxy<S>,
  runtime: Runtime
): Promise<OAuthProxy<S>> => {
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => runtime.runPromise(effect)
  const [node, web] = await Promise.all([
    McpAuthNode.make(gate as never),
    McpAuthFetch.make(gate as never)
  ]) as unknown as [OAuthProxy<S>["node"], OAuthProxy<S>["web"]]
  const onNode = nodeRouter.make(routes, run)
  const onWeb = webHandler.make(routes, run)
  const metadata = node.metadataRouter()
  const administration = GrantAdministration.make(grants, subjectOf)
  const dispose = async () => {
    await Promise.all([node.dispose(), web.dispose()])
    await runtime.dispose()
  }
  return {
    issuer,
    callbackUrls,
    upstreamApiUrl: apiUrl,
    router: () => async (req, res, next) => {
      const answered = onNode(req, res)
      if (answered === undefined) return metadata(req, res, next)
      await answered
      return true
    },
    fetch: (request) => onWeb(request) ?? web.metadata(request),
    protect: node.protect,
    node,
    web,
    gateOptions: gate,
    upstreamToken: ({ claims }) => run(accessFor(claims).token),
    grants: {
      subjectOf,
      list: (subject) => run(administration.list(subject)),
      revoke: (grantId) => run(administration.revoke(grantId)),
      revokeAll: (subject) => run(administration.revokeAll(subject))
    },
    dispose,
    [Symbol.asyncDispose]: dispose
  }
}
