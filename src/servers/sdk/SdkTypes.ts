/**
 * The types that both SDK adapters share.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { Gate } from "../../authorization/Gate.ts"
import type { RequiredScopesOf } from "../../authorization/Policy.ts"
import type { AnyPolicy, ArgsOf, ScopesOf } from "../../authorization/policy/Policy.ts"
import type { RequestState } from "../../authorization/RequestState.ts"
import type { LocalOptions } from "../../composition/localCaller.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Evaluable } from "../host/BindPolicy.ts"
import type { NodeRequest, NodeResponse } from "../host/NodeHost.ts"

export type { LocalOptions, NodeRequest, NodeResponse }

/**
 * The public members of an `McpServer` that a gate uses. The type is structural, because the class of the SDK has private
 * members and one declaration each for `import` and `require`, so a program of CommonJS modules could not pass its servers.
 *
 * @category models
 * @since 0.1.0
 */
export interface McpServerLike {
  /** The SDK's server of the protocol. */
  readonly server: object
  /** Registers a tool. */
  readonly registerTool: (name: string, config: any, handler: any) => any
  /** Registers a prompt. */
  readonly registerPrompt: (name: string, config: any, handler: any) => any
  /** Registers a resource or a resource template. */
  readonly registerResource: (name: string, uriOrTemplate: any, config: any, handler: any) => any
}

/**
 * The public members of a `ResourceTemplate` of the SDK. The type is structural, as `McpServerLike` is.
 *
 * @category models
 * @since 0.1.0
 */
export interface ResourceTemplateLike {
  /** The parsed template. */
  readonly uriTemplate: { readonly match: (uri: string) => unknown }
  /** Returns the function that completes a variable of the template. */
  readonly completeCallback: (variable: string) => unknown
}

/**
 * Whether requests without credentials may use operations that require no scopes.
 *
 * @category models
 * @since 0.1.0
 */
export type Anonymous = "deny" | "allow-unscoped"

/**
 * The principal of a request, with the claims as the option `claims` decodes them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Caller<Claims> extends Omit<Principal, "claims"> {
  readonly claims: Claims
}

/**
 * The type of `principal` in a handler. It includes `undefined` if anonymous requests are allowed, and the handler requires no scopes
 * and no policy, or an open policy.
 */
export type CallerOf<Claims, N extends Anonymous, Need extends string, P = never> = [Open<Need, P>] extends [never]
  ? Caller<Claims>
  : N extends "allow-unscoped" ? Caller<Claims> | undefined
  : Caller<Claims>

/** `true` if a registration admits anonymous callers, and otherwise `never`. */
type Open<Need extends string, P> = [P] extends [never] ? ([Need] extends [never] ? true : never)
  : P extends AnyPolicy ? never
  : true

/** The services that an effect of a handler may use. */
export type Services<Offered extends string, R, N extends Anonymous, Need extends string, P = never> =
  | R
  | (undefined extends CallerOf<unknown, N, Need, P> ? never : Principal | RequestState | RequiredScopesOf<Offered>)

/**
 * The policies that a registration can have: the server offers their scopes, and the option `layer` or `claims` provides the services
 * of their checks.
 */
export type Policies<Offered extends string, R> = Evaluable<Offered, R, never>

/** The scopes that a registration requires. */
export type Needed<Need extends string, P> = Need | ScopesOf<P>

/** Rejects `scopes` beside a policy, and policies whose checks read arguments that the registration does not have. */
export type Fits<P, Args> = [P] extends [never] ? unknown
  : [Args] extends [ArgsOf<P>] ? { readonly scopes?: never }
  : { readonly policy: { readonly "the policy reads arguments that this registration does not have": ArgsOf<P> } }

/**
 * Seals state that a handler sends to the client and receives with a later request. The state is encrypted and bound to the
 * caller and to the tool, prompt or resource.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  /**
   * Encrypts a state. Rejects with a `RangeError` if the sealed state is longer than 65,536 characters. Default of `lifetime`:
   * 10 minutes.
   */
  readonly seal: (state: string, options?: { readonly lifetime?: Duration.Input | undefined }) => Promise<string>
  /** Decrypts a state. Rejects if it was sealed for another caller or another operation, was changed, or has expired. */
  readonly open: (sealed: string) => Promise<string>
}

/** The members that handlers receive in addition to the context of the SDK. */
export interface Addition<P> {
  readonly principal: P
  readonly state: undefined extends P ? State | undefined : State
}

/** The return types of a handler. */
export type Outcome<A, Env> = A | Promise<A> | Effect.Effect<A, unknown, Env>

/**
 * The policy of a tool, a prompt or a resource: what it requires of its callers. Either `scopes` or `policy` is set, not both.
 *
 * @category models
 * @since 0.1.0
 */
export type Policy<Need extends string, Args, P = never> =
  & {
    /**
     * A policy of `effect-mcp-auth/policy`: scopes, roles, claims and checks. A check receives the decoded arguments of the call, or
     * the URI of the resource as `target`. It can use the services of the option `layer`. Create the policy once, outside of the
     * function that creates servers. Default: `scopes` decides.
     */
    readonly policy?: P
  }
  & (
    | {
      /** The required scopes: the caller needs all of them. Default: none, so that any valid token is enough. */
      readonly scopes?: ReadonlyArray<Need> | undefined
      /**
       * Decides the answer if the caller is not admitted. `"challenge"`: the server answers 403, and names scopes if they would help.
       * `"deny"`: the server answers 403 without a challenge. `"hide"`: the server answers as if the registration did not exist, lists
       * it nowhere and sends no update about it; with a policy, only if no arguments could be admitted. Default: `"challenge"`.
       */
      readonly unauthorized?: "challenge" | "deny" | "hide" | undefined
    }
    | {
      /** Returns the scopes that these arguments require. Runs before the handler. */
      readonly scopes: (args: Args) => ReadonlyArray<Need>
      readonly unauthorized?: "challenge" | "deny" | undefined
    }
  )

/**
 * The type of a registration, with the scopes that the registration requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Scoped<out Need extends string> {
  readonly "~effect-mcp-auth/Scoped"?: Need
}

/**
 * Creates a function that gives a server a fixed caller, for transports without HTTP.
 *
 * @category models
 * @since 0.1.0
 */
export type Local<Offered extends string> = (
  options: LocalOptions<Offered>
) => <S extends McpServerLike>(server: S) => S

/**
 * The limits on the bodies of requests.
 *
 * @category models
 * @since 0.1.0
 */
export interface BodyLimits {
  /** The maximum length of a body, in bytes. Longer bodies are rejected with 413. Default: 4 MiB. */
  readonly maximumBody?: number | undefined
  /**
   * The maximum number of operations in a body. Bodies with more are rejected with 400. Each message of a batch and each URI of
   * a `subscriptions/listen` counts as one. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** The maximum time for reading a body. Slower bodies are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
}

/**
 * Middleware for `node:http`, Connect, Express 4 and 5.
 *
 * @category models
 * @since 0.1.0
 */
export type Middleware = (req: NodeRequest, res: NodeResponse, next: (error?: unknown) => void) => Promise<void>

/**
 * The second argument of a protected fetch handler.
 *
 * @category models
 * @since 0.1.0
 */
export interface FetchOptions {
  /** The parsed body, if a framework has read it. Default: the gate reads the body of the request. */
  readonly parsedBody?: unknown
  /** The tenant that the router of the application found in the request, for `Tenants.fromRoute`. Default: none. */
  readonly tenant?: string | undefined
}

/**
 * The members of a gate that do not depend on a transport: metadata documents, the service of the gate, and disposal.
 *
 * @category models
 * @since 0.1.0
 */
export interface Endpoints extends AsyncDisposable {
  /**
   * Returns middleware that answers requests for the metadata documents, and calls `next` for every other request.
   *
   * @since 0.1.0
   */
  readonly metadataRouter: () => Middleware
  /**
   * Answers a request for a metadata document. Returns `undefined` for every other request.
   *
   * @since 0.1.0
   */
  readonly metadata: (request: Request) => Promise<Response> | undefined
  /**
   * The service of the gate, such as for `ready` and `invalidate`.
   *
   * @since 0.1.0
   */
  readonly gate: Gate
  /**
   * Releases the resources of the layers. Requests that wait for a decision, and all later ones, are answered with 503.
   *
   * @since 0.1.0
   */
  readonly dispose: () => Promise<void>
}
