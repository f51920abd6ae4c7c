import * as McpSchema from "effect/ai/McpSchema"
import type * as McpServer from "effect/ai/McpServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Gate } from "../../../authorization/Gate.ts"
import { Authenticated, ConditionalScopes, ofAnyCall, ofCall, Unauthorized } from "../../../authorization/Policy.ts"
import type {
  BoundPolicy,
  OperationPolicy,
  Server as OfferedServer
} from "../../../authorization/policy/OperationPolicy.ts"
import { scopes as scopesPolicy } from "../../../authorization/policy/Policy.ts"
import { RequiredPolicy } from "../../../authorization/RequiredPolicy.ts"
import { BoundRule, policyOf, unknownServer } from "../../../authorization/RequirePolicy.ts"
import type { Operation } from "../../../protocol/Operation.ts"
import * as ScopeToken from "../../../protocol/ScopeToken.ts"
import * as TemplateIndex from "../../host/TemplateIndex.ts"

/*
 * Finds the policies of operations among the registrations of Effect's MCP server. It does not matter whether a function of
 * this library or of `McpServer` made a registration.
 */

type Server = McpServer.McpServer["Service"]
type Annotations = Context.Context<never>

/** The annotations of the registrations that a layer of this library guards inside the server. */
export const Guarded: Context.Reference<ReadonlySet<Annotations>> = Context.Reference<ReadonlySet<Annotations>>(
  "effect-mcp-auth/servers/Guarded",
  { defaultValue: () => new Set() }
)

/** The scopes of the server for which registrations are built. `layerHttp` and `layerLocal` provide it. */
export const OfferedScopes: Context.Reference<OfferedServer | undefined> = Context.Reference<OfferedServer | undefined>(
  "effect-mcp-auth/servers/OfferedScopes",
  { defaultValue: () => undefined }
)

/** The services of each call of the caller that `layerLocal` provides. `undefined`: the caller depends on the request. */
export const LocalServices: Context.Reference<Context.Context<never> | undefined> = Context.Reference<
  Context.Context<never> | undefined
>("effect-mcp-auth/servers/LocalServices", { defaultValue: () => undefined })

/** The gate of each server that `McpAuth.layerHttp` serves. */
export const gates = new WeakMap<Server, Gate>()

/** Creates, from the annotations of a registration, the services that guard its calls. */
export type GuardOf = (annotations: Annotations) => Effect.Effect<Context.Context<never>>

/** Data about the registrations of a server. The server itself does not store this data. */
interface Observations {
  /** The router path of each URI template. */
  readonly routerPaths: Map<string, string>
  /**
   * The number of registrations of templates so far, including those that replaced an earlier one. It tells whether the index of
   * templates is up to date.
   */
  templates: number
  /** The tools, resources, templates and prompts whose calls are guarded inside the server. */
  readonly guarded: WeakSet<object>
}

const observations = new WeakMap<Server, Observations>()

interface Registration {
  readonly annotations: Annotations
  readonly services?: Context.Context<never> | undefined
}

/**
 * Observes the registrations that are added to a server later. Adds a guard to each registration that requires scopes and has
 * no guard, because the functions of `McpServer` itself ignore scopes.
 */
export const observe = (server: Server, guardOf: GuardOf): void => {
  if (observations.has(server)) return
  const known: Observations = { routerPaths: new Map(), templates: 0, guarded: new WeakSet() }
  observations.set(server, known)
  const { addPrompt, addResource, addResourceTemplate, addTool } = server

  const withGuard = <O extends Registration>(options: O, descriptor: object): Effect.Effect<O> => {
    if (!isProtected(options.annotations)) return Effect.succeed(options)
    known.guarded.add(descriptor)
    const services = options.services ?? Context.empty()
    return Context.get(services, Guarded).has(options.annotations)
      ? Effect.succeed(options)
      : Effect.map(guardOf(options.annotations), (guard) => ({ ...options, services: Context.merge(services, guard) }))
  }

  const replacements: Pick<Server, "addPrompt" | "addResource" | "addResourceTemplate" | "addTool"> = {
    addTool: (options) => Effect.flatMap(withGuard(options, options.tool), addTool),
    addPrompt: (options) => Effect.flatMap(withGuard(options, options.prompt), addPrompt),
    addResource: (options) => Effect.flatMap(withGuard(options, options.resource), addResource),
    addResourceTemplate: (options) =>
      Effect.flatMap(withGuard(options, options.template), (options) => {
        known.routerPaths.set(options.template.uriTemplate, options.routerPath)
        known.templates++
        return addResourceTemplate(options)
      })
  }
  for (const [name, value] of Object.entries(replacements)) {
    Object.defineProperty(server, name, { value, configurable: true, enumerable: true, writable: true })
  }
}

/** Lists the current registrations that can require scopes. */
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

/** The policy of an operation for which nothing is registered. It requires a principal, as in every server adapter. */
export const unlistedPolicy: OperationPolicy = { scopes: [], unauthorized: "challenge", authenticated: true }

interface Entry {
  readonly annotations: Annotations
  readonly descriptor: object
}

/** Returns the policy of an operation, or `undefined` if the operation runs nothing that is registered. */
export type PolicyFor = (operation: Operation) => OperationPolicy | undefined

/** Creates the function that finds policies among the registrations at the time of a request. */
export const makePolicyFor = (server: Server): PolicyFor => {
  const tools = makeIndex(() => server.tools, ({ tool }) => tool.name, ({ tool }) => tool)
  const prompts = makeIndex(() => server.prompts, ({ prompt }) => prompt.name, ({ prompt }) => prompt)
  const resources = makeIndex(() => server.resources, ({ resource }) => resource.uri, ({ resource }) => resource)
  const templates = makeIndex(
    () => server.resourceTemplates,
    ({ template }) => template.uriTemplate,
    ({ template }) => template
  )
  const findTemplates = makeTemplateFinder(server)

  /**
   * Returns the registrations that an operation can run. There are several if the choice depends on the client, or if a
   * completion has several meanings.
   */
  const candidatesOf = ({ kind, method, params, target }: Operation): ReadonlyArray<Entry> => {
    if (target === undefined) return none
    if (method === "completion/complete") {
      return (kind === "prompt" ? prompts : templates).findReferences(target, argumentOf(params))
    }
    switch (kind) {
      case "tool":
        return tools.find(target)
      case "prompt":
        return prompts.find(target)
      case "resource": {
        const exact = resources.find(target)
        // If the exact registration is not enabled for the client (`EnabledWhen`), the server skips it and tries the templates.
        return exact.length > 0 && !isConditional(exact[0]!) ? exact : [...exact, ...findTemplates(target)]
      }
      default:
        return none
    }
  }

  const policyForEntry = ({ annotations, descriptor }: Entry, params: unknown): OperationPolicy => {
    const policy = policyForCall(annotations, params)
    // Only a guard inside the server can hide a registration. Without one, the gate rejects the call with a challenge.
    return policy.unauthorized === "hide" && observations.get(server)?.guarded.has(descriptor) !== true
      ? { ...policy, unauthorized: "challenge" }
      : policy
  }

  return (operation) => {
    if (operation.kind === undefined) return undefined
    const candidates = candidatesOf(operation)
    if (candidates.length === 0) return unlistedPolicy
    const isCompletion = operation.method === "completion/complete"
    const policyForCandidate = (entry: Entry) => beforeCall(policyForEntry(entry, operation.params), isCompletion)
    if (candidates.length === 1) return policyForCandidate(candidates[0]!)
    const policies = candidates.map(policyForCandidate)
    // If any candidate is visible, only the visible ones count here. Guards inside the server check the hidden ones, because
    // only the server determines which candidate runs.
    const visible = policies.filter(({ unauthorized }) => unauthorized !== "hide")
    const relevant = visible.length === 0 ? policies : visible
    return {
      ...combine(relevant),
      unauthorized: visible.length === 0 ? "hide" : visible.some(denies) ? "deny" : "challenge",
      authenticated: relevant.some(({ authenticated }) => authenticated === true)
    }
  }
}

const none: ReadonlyArray<never> = []

/** Returns the policy of a completion, in which checks of calls count as passed: there are no arguments yet. */
export const beforeCall = (policy: OperationPolicy, isCompletion = true): OperationPolicy =>
  isCompletion && policy.rule !== undefined
    ? { ...policy, rule: policy.rule.evaluator.withoutCallChecks(policy.rule) }
    : policy

const denies = ({ unauthorized }: OperationPolicy): boolean => unauthorized === "deny"

/** Combines the policies of the registrations that an operation can run: the caller must satisfy all of them. */
const combine = (policies: ReadonlyArray<OperationPolicy>): Pick<OperationPolicy, "rule" | "scopes"> => {
  const scopes = ScopeToken.unique(policies.flatMap(({ scopes }) => scopes))
  const [first, ...others] = policies.flatMap(({ rule }) => rule ?? [])
  if (first === undefined) return { scopes }
  const rules = scopes.length === 0 ? others : [...others, scopesPolicy(...(scopes as never)).bind(first.server)]
  return { scopes: [], rule: first.evaluator.allOf([first, ...rules]) }
}

const isConditional = ({ annotations }: Entry): boolean =>
  Context.getOrUndefined(annotations as Context.Context<McpSchema.EnabledWhen>, McpSchema.EnabledWhen) !== undefined

const argumentOf = (params: unknown): string | undefined => {
  const argument = (params as { readonly argument?: unknown } | null | undefined)?.argument
  const name = (argument as { readonly name?: unknown } | null | undefined)?.name
  return typeof name === "string" ? name : undefined
}

interface Index {
  /** Returns at most one entry. */
  readonly find: (name: string) => ReadonlyArray<Entry>
  /**
   * Returns every entry that a completion can mean. The server looks up completions by the text `name/argument`. Names and
   * arguments can contain slashes, so a longer name with a shorter argument can have the same text.
   */
  readonly findReferences: (name: string, argument: string | undefined) => ReadonlyArray<Entry>
}

/**
 * Creates the index of a list. A server only appends entries to the list, or replaces an entry by another one of the same name.
 */
const makeIndex = <A extends { readonly annotations: Annotations }>(
  list: () => ReadonlyArray<A>,
  nameOf: (entry: A) => string,
  descriptorOf: (entry: A) => object
): Index => {
  interface Slot {
    readonly position: number
    /** The entry that the server had at this position when `found` was created. */
    registered: A
    found: ReadonlyArray<Entry>
  }
  const slots = new Map<string, Slot>()
  let seen = 0
  let longest = 0
  const toFound = (registered: A) => [
    { annotations: registered.annotations, descriptor: descriptorOf(registered) }
  ]
  const update = (): ReadonlyArray<A> => {
    const entries = list()
    for (; seen < entries.length; seen++) {
      const registered = entries[seen]!
      const name = nameOf(registered)
      if (!slots.has(name)) slots.set(name, { position: seen, registered, found: toFound(registered) })
      longest = Math.max(longest, name.length)
    }
    return entries
  }
  const find = (name: string): ReadonlyArray<Entry> => {
    const entries = update()
    const slot = slots.get(name)
    if (slot === undefined) return none
    const registered = entries[slot.position]!
    if (registered !== slot.registered) {
      slot.registered = registered
      slot.found = toFound(registered)
    }
    return slot.found
  }
  return {
    find,
    findReferences: (name, argument) => {
      if (argument === undefined) return find(name)
      update()
      const joined = `${name}/${argument}`
      const found: Array<Entry> = []
      for (let end = joined.indexOf("/"); end !== -1 && end <= longest; end = joined.indexOf("/", end + 1)) {
        found.push(...find(joined.slice(0, end)))
      }
      return found
    }
  }
}

// Annotations never change, so policies that do not depend on arguments are cached by annotations.
const constant = new WeakMap<Context.Context<never>, OperationPolicy>()

/**
 * Returns the bound policy of a registration. A registration that no function of this library made has no services, so its checks
 * that use one fail, and the server answers 500.
 */
export const ruleOf = (annotations: Context.Context<never>): BoundPolicy | undefined => {
  const bound = Context.get(annotations, BoundRule)
  if (bound !== undefined) return bound
  const policy = policyOf(annotations)
  return policy?.bind(unknownServer(policy))
}

/** Returns whether a registration requires anything of its callers. */
const isProtected = (annotations: Annotations): boolean =>
  ofAnyCall(annotations).length > 0 || Context.get(annotations, RequiredPolicy) !== undefined

/** Returns every scope that a call of a registration may require. */
export const scopesOf = (annotations: Annotations): ReadonlyArray<string> => [
  ...ofAnyCall(annotations),
  ...(Context.get(annotations, RequiredPolicy)?.scopes ?? [])
]

/** Returns the policy of a call. `params` are those of its JSON-RPC message. */
export const policyForCall = (annotations: Context.Context<never>, params: unknown): OperationPolicy => {
  const known = constant.get(annotations)
  if (known !== undefined) return known
  const rule = ruleOf(annotations)
  const policy: OperationPolicy = {
    scopes: rule === undefined ? ofCall(annotations, params) : [],
    rule,
    unauthorized: Context.get(annotations, Unauthorized),
    authenticated: Context.get(annotations, Authenticated)
  }
  if (Context.get(annotations, ConditionalScopes).length === 0) constant.set(annotations, policy)
  return policy
}

/**
 * Creates the function that lists the templates from which the server can select for a URI. The list ends with the first match
 * that is enabled for every client, because the server never selects a later one.
 */
const makeTemplateFinder = (server: Server): (uri: string) => ReadonlyArray<Entry> => {
  let index = TemplateIndex.make([])
  let version = ""
  return (uri) => {
    const { resourceTemplates } = server
    const known = observations.get(server)
    const current = `${resourceTemplates.length} ${known?.templates}`
    if (current !== version) {
      index = TemplateIndex.make(resourceTemplates.map(({ template: { uriTemplate } }) => ({
        uriTemplate,
        // A template that was registered before `observe` has the router path that `McpServer.resource` derives.
        routerPath: known?.routerPaths.get(uriTemplate) ?? TemplateIndex.routerPathOf(uriTemplate)
      })))
      version = current
    }
    const found: Array<Entry> = []
    index(uri, (position) => {
      const { annotations, template } = resourceTemplates[position]!
      const entry = { annotations, descriptor: template }
      found.push(entry)
      return !isConditional(entry)
    })
    return found
  }
}
