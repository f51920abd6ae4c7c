/**
 * What is registered on a server of an official SDK, what each registration needs, and who may see it.
 *
 * Both SDKs keep their registrations in the same four records and look them up when a request begins. Requirements hang
 * on the registered objects themselves, so whatever the SDK renames, replaces or removes takes its requirement along.
 */
import type { Policy } from "../../authorization/Policy.ts"
import { check } from "../../authorization/Policy.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import { maximumTarget, type Operation } from "../../protocol/Operation.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as privateResults from "./PrivateResults.ts"
import * as sdkTasks from "./SdkTasks.ts"
import * as uriMatcher from "./UriMatcher.ts"

/** Who asks; `undefined` for an anonymous request. */
export type Caller = Principal | undefined

/** What a registration needs: scopes, or a function from its arguments to scopes. */
export interface Requirement {
  readonly scopes: ReadonlyArray<string> | ((args: any) => ReadonlyArray<string>)
  readonly unauthorized: "challenge" | "hide"
}

/** What an operation would run, and what that needs. */
export interface Found {
  readonly registration: object | undefined
  /** `undefined` for what was registered without this library. */
  readonly requirement: Requirement | undefined
}

/** The requirements of everything that one `McpAuthSdk` registered. */
export interface Registry {
  /** The scopes that may be asked for. */
  readonly offered: ReadonlySet<string>
  /** Checks a requirement that stands in code: throws `AuthConfigError`. */
  readonly check: (
    what: string,
    scopes: Requirement["scopes"],
    unauthorized: Requirement["unauthorized"]
  ) => Requirement
  /** Notes what a registration needs. */
  readonly add: (registration: object, requirement: Requirement) => void
  /** Makes a server show each caller what they may see. Tells whether it is an `McpServer`, which can. */
  readonly adopt: (server: object) => boolean
  /** What an operation of this caller would run; `undefined` where the server answers that there is no such thing. */
  readonly find: (server: object, operation: Operation, caller: Caller) => Found | undefined
  /** Whether a server reads registered resources and no others: nothing but the SDK's own handler answers. */
  readonly readsRegistered: (server: object) => boolean
  /**
   * Whether a resource is one that this caller cannot see: it is hidden, or the server answers that there is no such
   * thing.
   */
  readonly isInvisible: (server: object, uri: string, caller: Caller) => boolean
  /**
   * Takes what a caller may not see off a server that lives for this one request. Throws `AuthConfigError` if something was
   * taken off it before.
   */
  readonly conceal: (server: object, caller: Caller) => void
}

/** Whatever runs without a requirement of its own needs a caller, and nothing else. */
export const needsCaller: Policy = { scopes: [], unauthorized: "challenge", authenticated: true }

/** Whether a caller has every scope of a list. */
export const holds = (caller: Caller, scopes: ReadonlyArray<string>): boolean =>
  scopes.every((scope) => caller?.scopes.has(scope) === true)

type Handler = (request: unknown, extra: unknown) => unknown
type Registrations = Record<string, object>

interface Template {
  readonly resourceTemplate: { readonly uriTemplate: uriMatcher.UriTemplate }
}

/** The parts of an `McpServer` that are read here: private by type, and the same in both SDKs. */
interface Server {
  _registeredTools: Registrations
  _registeredPrompts: Registrations
  _registeredResources: Registrations
  _registeredResourceTemplates: Registrations
  readonly server: sdkTasks.Protocol & {
    readonly _requestHandlers: Map<string, Handler>
    readonly fallbackRequestHandler?: unknown
    setRequestHandler: (...args: ReadonlyArray<unknown>) => unknown
  }
}

const records = [
  "_registeredTools",
  "_registeredPrompts",
  "_registeredResources",
  "_registeredResourceTemplates"
] as const

/**
 * The methods that list what is registered or look something up by name, and the mark that an SDK sets once it has
 * installed its own handler for them.
 */
const marks: Readonly<Record<string, string>> = {
  "tools/list": "_toolHandlersInitialized",
  "tools/call": "_toolHandlersInitialized",
  "prompts/list": "_promptHandlersInitialized",
  "prompts/get": "_promptHandlersInitialized",
  "resources/list": "_resourceHandlersInitialized",
  "resources/templates/list": "_resourceHandlersInitialized",
  "resources/read": "_resourceHandlersInitialized",
  "completion/complete": "_completionHandlerInitialized"
}
const lookups: ReadonlyArray<string> = [
  ...Object.keys(marks),
  "resources/subscribe",
  ...privateResults.others,
  ...sdkTasks.methods
]

/** What a server does by itself, without a handler that somebody registered. */
const basics: ReadonlySet<string> = new Set([
  "initialize",
  "ping",
  "logging/setLevel",
  "server/discover",
  "subscriptions/listen",
  "notifications/initialized",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/roots/list_changed"
])

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const hasRegistrations = (value: object): value is Server => {
  const { server } = value as Partial<Server>
  return isObject(server) && server._requestHandlers instanceof Map &&
    records.every((name) => isObject((value as Partial<Server>)[name]))
}

/** Own members only: a tool may be called `constructor`. */
const own = (record: Registrations, key: string | undefined): object | undefined =>
  key !== undefined && Object.hasOwn(record, key) ? record[key] : undefined

/** The first template, in the order in which the SDKs look through them, that matches and is seen. */
const firstOf = (
  templates: Registrations,
  matches: (template: uriMatcher.UriTemplate) => boolean,
  isSeen: (registration: object) => boolean
): object | undefined => {
  for (const name in templates) {
    const template = own(templates, name)
    if (
      template !== undefined && matches((template as Template).resourceTemplate.uriTemplate) && isSeen(template)
    ) return template
  }
  return undefined
}

/** What the SDKs answer for a resource that does not exist. */
class ResourceNotFound extends Error {
  override readonly name = "ResourceNotFound"
  readonly code = -32602

  constructor(uri: string) {
    super(`Resource ${uri} not found`)
  }
}

const notFresh = new AuthConfigError({
  reason: "conflict",
  option: "createMcpHandler",
  fix:
    "the factory returned a server that has already served a request, so entries hidden from that caller are missing. " +
    "Return a new server for each request"
})

/** As the SDKs read it before they compare. */
const normal = (uri: string | undefined): string | undefined =>
  uri !== undefined && URL.canParse(uri) ? new URL(uri).toString() : undefined

export const make = (
  offered: ReadonlySet<string>,
  callerOf: (extra: unknown) => Caller,
  taskOwnerOf: sdkTasks.OwnerOf
): Registry => {
  // On the objects of the SDK. Most programs make a server for each request, and a `WeakMap` of all of them and of what is
  // registered on them would cost the garbage collector more than the gate costs.
  const requirement = Symbol("effect-mcp-auth/requirement")
  const adoption = Symbol("effect-mcp-auth/adoption")
  type Marked = {
    [requirement]?: Requirement
    [adoption]?: Adoption
  }
  const matcherOf = uriMatcher.make()
  /** Whether anything may have to be hidden. */
  let hides = false
  const requirementOf = (registration: object): Requirement | undefined => (registration as Marked)[requirement]
  const adoptionOf = (server: object): Adoption | undefined => (server as Marked)[adoption]

  /** Looked at once: whose shape was right when it was adopted is a server. */
  const isServer = (value: object): value is Server => adoptionOf(value) !== undefined || hasRegistrations(value)

  const isHidden = (registration: object, caller: Caller): boolean => {
    const requirement = requirementOf(registration)
    return requirement?.unauthorized === "hide" && Array.isArray(requirement.scopes) &&
      !holds(caller, requirement.scopes)
  }

  const visible = (record: Registrations, caller: Caller): Registrations => {
    const hidden = (target: Registrations, key: string | symbol) => {
      const registration = typeof key === "string" ? own(target, key) : undefined
      return registration !== undefined && isHidden(registration, caller)
    }
    // Not a copy: what a handler registers meanwhile has to arrive in the original.
    return new Proxy(record, {
      get: (target, key) => hidden(target, key) ? undefined : Reflect.get(target, key),
      has: (target, key) => !hidden(target, key) && Reflect.has(target, key),
      ownKeys: (target) => Reflect.ownKeys(target).filter((key) => !hidden(target, key)),
      getOwnPropertyDescriptor: (target, key) =>
        hidden(target, key) ? undefined : Reflect.getOwnPropertyDescriptor(target, key)
    })
  }

  /** Answers a request as a server would that never heard of what is hidden: its handlers look up before they wait. */
  const veiled = (server: Server, method: string, handler: Handler): Handler => {
    if (sdkTasks.methods.includes(method)) return sdkTasks.owned(handler, taskOwnerOf)
    const answer = veiledLookUp(server, handler)
    if (method === "resources/subscribe") return visibleOnly(server, handler)
    if (!privateResults.methods.has(method)) return answer
    return (request, extra) => {
      const result = answer(request, extra)
      return callerOf(extra) !== undefined || hides ? privateResults.of(result) : result
    }
  }

  /**
   * Subscribes to nothing that the caller cannot see: what runs is the author's own handler, which looks nothing up. Where
   * resources are looked up in the registrations alone, one that does not exist is answered in the same way.
   */
  const visibleOnly = (server: Server, handler: Handler): Handler => (request, extra) => {
    const uri = (request as { readonly params?: { readonly uri?: unknown } }).params?.uri
    if (typeof uri === "string" && isInvisible(server, uri, callerOf(extra))) throw new ResourceNotFound(uri)
    return handler(request, extra)
  }

  const veiledLookUp = (server: Server, handler: Handler): Handler => (request, extra) => {
    if (!hides) return handler(request, extra)
    const caller = callerOf(extra)
    const hiding = records.filter((name) => {
      for (const key in server[name]) {
        const registration = own(server[name], key)
        if (registration !== undefined && isHidden(registration, caller)) return true
      }
      return false
    })
    if (hiding.length === 0) return handler(request, extra)
    const originals = hiding.map((name) => [name, server[name]] as const)
    for (const [name, record] of originals) server[name] = visible(record, caller)
    try {
      return handler(request, extra)
    } finally {
      for (const [name, record] of originals) server[name] = record
    }
  }

  /** Of one server, what the SDK installed and what stands in its place. By the index of the method in `lookups`. */
  class Adoption {
    readonly #server: Server
    readonly #setRequestHandler: Server["server"]["setRequestHandler"]
    /** The handlers that the SDK installed itself. */
    readonly #standard: Array<Handler | undefined> = []
    readonly #veils: Array<Handler | undefined> = []
    /** The handlers that stood here when the server was adopted. */
    readonly #adopted: Array<Handler | undefined> = []
    /** What was taken off the server for its caller. */
    readonly concealed: Array<readonly [record: (typeof records)[number], name: string, registration: object]> = []

    constructor(server: Server) {
      this.#server = server
      this.#setRequestHandler = server.server.setRequestHandler
      if (server.server._requestHandlers.size === 0) return
      for (let index = 0; index < lookups.length; index++) {
        const found = this.#veil(index)
        this.#adopted[index] = found
        // A list that stands here already tells what may be seen. Whose the handlers behind it are, nobody can tell.
        if (found !== undefined && lookups[index]!.endsWith("/list")) this.#standard[index] = found
      }
    }

    isStandard(method: string, handler: Handler): boolean {
      return this.#standard[lookups.indexOf(method)] === handler
    }

    /** The same, or one that stood here before, which most probably is the SDK's own. */
    isPresumed(method: string, handler: Handler): boolean {
      return this.isStandard(method, handler) || this.#adopted[lookups.indexOf(method)] === handler
    }

    #veil(index: number): Handler | undefined {
      const handlers = this.#server.server._requestHandlers
      const handler = handlers.get(lookups[index]!)
      if (handler === undefined || handler === this.#veils[index]) return undefined
      const wrapped = veiled(this.#server, lookups[index]!, handler)
      this.#veils[index] = wrapped
      handlers.set(lookups[index]!, wrapped)
      return wrapped
    }

    setRequestHandler(args: ReadonlyArray<unknown>): unknown {
      const protocol = this.#server.server
      const handlers = protocol._requestHandlers
      const before = lookups.map((method) => handlers.get(method))
      const result = Reflect.apply(this.#setRequestHandler, protocol, args)
      for (let index = 0; index < lookups.length; index++) {
        if (handlers.get(lookups[index]!) === before[index]) continue
        // The SDK installs its own once, and only where there never was one.
        const isFirst = before[index] === undefined && this.#veils[index] === undefined
        const added = this.#veil(index)
        if (isFirst) this.#standard[index] = added
      }
      return result
    }
  }

  // One function for all servers: with one of its own V8 would keep each of them alive until a full collection.
  const setRequestHandler = function(this: Marked, ...args: ReadonlyArray<unknown>): unknown {
    return this[adoption]!.setRequestHandler(args)
  }

  const adopt = (server: object): boolean => {
    if (adoptionOf(server) !== undefined) return true
    if (!isServer(server)) return false
    const adopted = new Adoption(server)
    ;(server as Marked)[adoption] = adopted
    ;(server.server as Marked)[adoption] = adopted
    server.server.setRequestHandler = setRequestHandler
    sdkTasks.adopt(server.server, taskOwnerOf)
    return true
  }

  /** Whether a method runs nothing but what the SDK brought along. */
  const isStandard = (server: Server, method: string): boolean => {
    if (basics.has(method)) return true
    const handler = server.server._requestHandlers.get(method)
    if (handler === undefined) {
      return server.server.fallbackRequestHandler === undefined && !method.startsWith("notifications/")
    }
    const mark = marks[method]
    return mark !== undefined && (server as unknown as Record<string, unknown>)[mark] === true &&
      adoptionOf(server)?.isStandard(method, handler) === true
  }

  const lookUp = (
    server: Server,
    { kind, method, target }: Pick<Operation, "kind" | "method" | "target">,
    isSeen: (registration: object) => boolean
  ): object | undefined => {
    // The gate rejects it.
    if (target !== undefined && target.length > maximumTarget) return undefined
    const see = (registration: object | undefined) =>
      registration === undefined || !isSeen(registration) ? undefined : registration
    switch (kind) {
      case "tool":
        return see(own(server._registeredTools, target))
      case "prompt":
        return see(own(server._registeredPrompts, target))
      case "resource": {
        const templates = server._registeredResourceTemplates
        // A completion names the template itself, everything else a URI that the template matches.
        if (method === "completion/complete") {
          return firstOf(templates, (_) => _.toString() === target, isSeen) ??
            see(own(server._registeredResources, target))
        }
        const uri = normal(target)
        return uri === undefined
          ? undefined
          : see(own(server._registeredResources, uri)) ?? firstOf(templates, (_) => matcherOf(_)(uri), isSeen)
      }
      default:
        return undefined
    }
  }

  const readsRegistered = (server: object): boolean => {
    if (!isServer(server)) return false
    const handler = server.server._requestHandlers.get("resources/read")
    if (handler === undefined) return isStandard(server, "resources/read")
    return (server as unknown as Record<string, unknown>)[marks["resources/read"]!] === true &&
      adoptionOf(server)?.isPresumed("resources/read", handler) === true
  }

  const isConcealed = (server: Server, target: string): boolean => {
    const uri = normal(target)
    return uri !== undefined &&
      adoptionOf(server)?.concealed.some(([record, name, registration]) =>
          record === "_registeredResources"
            ? name === uri
            : record === "_registeredResourceTemplates" &&
              matcherOf((registration as Template).resourceTemplate.uriTemplate)(uri)
        ) === true
  }

  const isInvisible = (server: object, uri: string, caller: Caller): boolean => {
    if (!isServer(server)) return false
    const resource = { kind: "resource", method: "resources/read", target: uri } as const
    if (lookUp(server, resource, (_) => !isHidden(_, caller)) !== undefined) return false
    return readsRegistered(server) || isConcealed(server, uri) || lookUp(server, resource, () => true) !== undefined
  }

  return {
    offered,
    check: (what, scopes, unauthorized) => {
      if (unauthorized !== "challenge" && unauthorized !== "hide") {
        throw new AuthConfigError({
          reason: "malformed",
          option: `${what}.unauthorized`,
          fix: `${OptionValue.isNot(unauthorized, "\"challenge\" or \"hide\"")}. Leave it out for "challenge"`
        })
      }
      if (typeof scopes === "function") {
        if (unauthorized !== "hide") return { scopes, unauthorized }
        throw new AuthConfigError({
          reason: "conflict",
          option: `${what}.unauthorized`,
          fix:
            "\"hide\" cannot be combined with scopes that depend on the arguments: a list is made without arguments. Give a " +
            "list of scopes, or remove unauthorized"
        })
      }
      if (!Array.isArray(scopes)) {
        throw new AuthConfigError({
          reason: "malformed",
          option: `${what}.scopes`,
          fix: `${OptionValue.isNot(scopes, "a list of scopes")}. Write one such as ["todos:write"]`
        })
      }
      const checked = scopes.length === 0 ? [] : check(scopes, `${what}.scopes`)
      const missing = checked.find((scope) => !offered.has(scope))
      if (missing === undefined) return { scopes: checked, unauthorized }
      throw new AuthConfigError({
        reason: "not-offered",
        option: "scopes",
        fix: `${what} requires ${missing}, which the server does not offer. Add it to scopes (baseline or stepUp)`
      })
    },
    add: (registration, needed) => {
      if (needed.unauthorized === "hide") hides = true
      const template = (registration as Partial<Template>).resourceTemplate
      if (template !== undefined) matcherOf(template.uriTemplate)
      ;(registration as Marked)[requirement] = needed
    },
    adopt,
    find: (server, operation, caller) => {
      if (!isServer(server)) return { registration: undefined, requirement: undefined }
      const registration = lookUp(server, operation, (_) => !isHidden(_, caller))
      if (registration !== undefined) return { registration, requirement: requirementOf(registration) }
      return isStandard(server, operation.method) ? undefined : { registration: undefined, requirement: undefined }
    },
    readsRegistered,
    isInvisible,
    conceal: (server, caller) => {
      if (!isServer(server)) return
      if ((adoptionOf(server)?.concealed.length ?? 0) > 0) throw notFresh
      for (const name of records) {
        for (const [key, registration] of Object.entries(server[name])) {
          if (!isHidden(registration, caller)) continue
          adoptionOf(server)?.concealed.push([name, key, registration])
          ;(registration as { readonly remove: () => void }).remove()
        }
      }
    }
  }
}
