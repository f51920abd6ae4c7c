/**
 * Registers tools, prompts and resources on servers of both SDKs: checks the policy, wraps the handler, and stores the policy
 * in the registration.
 */
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import { type AnyValue, type BindPolicy, isPolicy } from "../host/BindPolicy.ts"
import type { RegistrationPolicy } from "./RegistrationPolicy.ts"
import * as registrationRule from "./RegistrationRule.ts"
import type { ReadArguments } from "./SdkArguments.ts"
import type { RequestTaskStore } from "./SdkPrivates.ts"
import type { Registry } from "./SdkRegistry.ts"
import type { McpServerLike } from "./SdkTypes.ts"
import type { SetupLog } from "./SetupLog.ts"

/** The options of a registration: a policy, and the options of the SDK. */
interface Config {
  readonly scopes?: RegistrationPolicy["scopes"] | undefined
  readonly unauthorized?: RegistrationPolicy["unauthorized"] | undefined
  readonly policy?: AnyValue | undefined
}

/**
 * The registration functions of this library. Each returns the SDK's registration as `any`. The adapter of the SDK declares its
 * type.
 */
export interface Register {
  readonly registerTool: (server: McpServerLike, name: string, config: Config, handler: unknown) => any
  /** Registers a tool of SDK v1 whose calls create tasks. `handler` creates the task. */
  readonly registerToolTask: (server: McpServerLike, name: string, config: Config, handler: unknown) => any
  readonly registerPrompt: (server: McpServerLike, name: string, config: Config, handler: unknown) => any
  readonly registerResource: (
    server: McpServerLike,
    name: string,
    uriOrTemplate: unknown,
    config: Config,
    handler: unknown
  ) => any
}

/** A handler that the author of the server wrote, or the wrapper of that handler. The wrapper is passed to the SDK. */
export type AnyHandler = (...parameters: Array<any>) => unknown

/** A registration whose handler is wrapped. */
export interface Wrapped {
  readonly kind: registrationRule.Kind
  readonly name: string
  readonly policy: RegistrationPolicy
  /** Whether the handler creates a task. */
  readonly createsTask: boolean
}

/** The parts of a program that register. */
export interface Parts {
  readonly registry: Registry
  /** Returns a handler that checks the policy again. */
  readonly wrap: (registration: Wrapped, handler: AnyHandler) => AnyHandler
  readonly bind: BindPolicy
  readonly readArguments: ReadArguments
  readonly sdkOptions: SdkOptions
  /** It is set if anonymous requests are allowed: it receives the names of the public registrations. */
  readonly log?: SetupLog | undefined
}

/** Creates the registration functions for the servers of one program. */
export const make = ({ bind, log, readArguments, registry, sdkOptions, wrap }: Parts): Register => {
  const register = (
    server: unknown,
    kind: registrationRule.Kind,
    name: string,
    given: Config,
    handler: unknown,
    add: (config: object, wrapped: AnyHandler) => object,
    createsTask = false
  ): object => {
    const what = `${kind} ${name}`
    if (!OptionValue.isObject(given as unknown)) {
      throw ConfigOption.invalid(what, given, "an object", "Give one with the options of the SDK and scopes")
    }
    const { policy: value, scopes = [], unauthorized = "challenge", ...config } = given
    if (typeof handler !== "function") {
      throw new AuthConfigError({
        reason: "missing",
        option: what,
        fix: `the handler: ${OptionValue.isNot(handler, "a function")}. Give it as the last argument`
      })
    }
    if ("policy" in given) checkValue(given, what)
    let registration: object | undefined
    const rule = value === undefined
      ? undefined
      : registrationRule.make(bind(value, what), kind, () => registration!, readArguments)
    const policy = registry.checkPolicy(what, { scopes, unauthorized, rule })
    if (typeof server !== "object" || server === null || !registry.instrument(server)) {
      throw new AuthConfigError({
        reason: "malformed",
        option: "server",
        fix: "the value is not an McpServer of the MCP SDK. Pass one, of an SDK version in the peerDependencies of " +
          "effect-mcp-auth"
      })
    }
    const guard = (handler: AnyHandler) => wrap({ kind, name, policy, createsTask }, handler)
    const known = createsTask ? [...sdkOptions[kind], "execution"] : sdkOptions[kind]
    registration = add(checkConfig(config, known, what), guard(handler as AnyHandler))
    registry.setPolicy(registration, policy)
    guardUpdates(registration as Updatable, guard)
    if (rule === undefined ? policy.scopes.length === 0 && typeof policy.scopes !== "function" : rule.isOpen) {
      log?.("Info", `${what} is public: it requires no scopes, and anonymous requests are allowed`)
    }
    return registration
  }
  return {
    registerTool: (server, name, config, handler) =>
      register(
        server,
        "tool",
        name,
        config,
        handler,
        (config, wrapped) => server.registerTool(name, config, wrapped)
      ),
    registerToolTask: (server, name, config, handler) => {
      const what = `tool ${name}`
      if (typeof (config as Config | undefined)?.scopes === "function") throw dynamicTask(what)
      return register(server, "tool", name, config, handler, (config, createTask) => {
        if (!registry.hasTasks(server)) throw noTaskStore(what)
        return (server as TaskServer).experimental.tasks.registerToolTask(name, config, {
          createTask,
          // The task store that handlers receive finds only the tasks that the caller may use.
          getTask: (...parameters) => taskOf(parameters, "getTask"),
          getTaskResult: (...parameters) => taskOf(parameters, "getTaskResult")
        })
      }, true)
    },
    registerPrompt: (server, name, config, handler) =>
      register(
        server,
        "prompt",
        name,
        config,
        handler,
        (config, wrapped) => server.registerPrompt(name, config, wrapped)
      ),
    registerResource: (server, name, uriOrTemplate, config, handler) =>
      register(
        server,
        "resource",
        name,
        config,
        handler,
        (config, wrapped) => server.registerResource(name, uriOrTemplate, config, wrapped)
      )
  }
}

/** A registration of either SDK. */
interface Updatable {
  update: (updates: { readonly callback?: unknown }) => unknown
}

/** Guards the handlers that replace the first one. The handler of a task of SDK v1 is an object. */
const guardUpdates = (registration: Updatable, guard: (handler: AnyHandler) => AnyHandler): void => {
  const { update } = registration
  registration.update = (updates) => {
    const callback = updates?.callback
    if (typeof callback === "function") {
      return update({ ...updates, callback: guard(callback as AnyHandler) })
    }
    if (!hasCreateTask(callback)) return update(updates)
    return update({ ...updates, callback: { ...callback, createTask: guard(callback.createTask) } })
  }
}

const hasCreateTask = (callback: unknown): callback is { readonly createTask: AnyHandler } =>
  typeof (callback as { readonly createTask?: unknown } | null | undefined)?.createTask === "function"

/** The experimental members of an `McpServer` of SDK v1. */
interface TaskServer extends McpServerLike {
  readonly experimental: {
    readonly tasks: {
      readonly registerToolTask: (name: string, config: object, handler: Readonly<Record<string, AnyHandler>>) => object
    }
  }
}

/** The context of a handler that reads a task. */
interface TaskExtra {
  readonly taskId: string
  readonly taskStore: Pick<RequestTaskStore, "getTask" | "getTaskResult">
}

/** Reads a task from the store of the request. The SDK passes the context as the last parameter. */
const taskOf = (parameters: ReadonlyArray<unknown>, method: keyof TaskExtra["taskStore"]): Promise<unknown> => {
  const { taskId, taskStore } = parameters.at(-1) as TaskExtra
  return taskStore[method](taskId)
}

const dynamicTask = (what: string): AuthConfigError =>
  ConfigOption.error(
    `${what}.scopes`,
    "scopes of a task cannot depend on the arguments, because later requests for the task have none. Give a list of scopes",
    "conflict"
  )

const noTaskStore = (what: string): AuthConfigError =>
  ConfigOption.error(
    what,
    "the server has no task store. Give one to the McpServer: new McpServer(info, { taskStore, capabilities: { tasks: { … } } })",
    "missing"
  )

/** Checks the option `policy`. Throws `AuthConfigError`, also for `undefined`: the registration would require nothing. */
const checkValue = ({ policy, scopes }: Config, what: string): void => {
  if (!isPolicy(policy)) {
    throw ConfigOption.invalid(`${what}.policy`, policy, "a policy", "Give one such as Policy.role(\"admin\")")
  }
  if (scopes === undefined) return
  throw ConfigOption.error(
    `${what}.policy`,
    "set either policy or scopes, not both. Add Policy.scopes(…) to the policy",
    "conflict"
  )
}

/** The options of each kind of registration that an SDK knows. */
export type SdkOptions = Readonly<Record<registrationRule.Kind, ReadonlyArray<string>>>

/** The options of registrations in SDK v1. */
export const optionsV1: SdkOptions = {
  tool: ["title", "description", "inputSchema", "outputSchema", "annotations", "_meta"],
  prompt: ["title", "description", "argsSchema"],
  resource: ["title", "description", "mimeType", "size", "annotations", "icons", "_meta"]
}

/** The options of registrations in SDK v2. */
export const optionsV2: SdkOptions = {
  tool: [...optionsV1.tool, "icons", "scopeChallenge"],
  prompt: [...optionsV1.prompt, "icons", "scopeChallenge", "_meta"],
  resource: [...optionsV1.resource, "cacheHint", "scopeChallenge"]
}

/**
 * Rejects unknown options of a tool, prompt or resource. The SDKs ignore them, so a misspelled `scopes` would make a registration
 * that requires no scope.
 */
const checkConfig = <C extends object>(config: C, sdkOptions: ReadonlyArray<string>, what: string): C => {
  // Most programs register their tools for each request, so the list for the error is created only for an error.
  const unknown = Object.keys(config).find((name) => !sdkOptions.includes(name))
  if (unknown === undefined) return config
  const names = ["scopes", "policy", "unauthorized", ...sdkOptions]
  throw ConfigOption.error(`${what}.${unknown}`, OptionValue.noSuchOption(unknown, names))
}
