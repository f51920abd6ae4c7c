/**
 * The types that both SDK adapters share.
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type { RequiredScope, RequiredScopesOf } from "../../authorization/Policy.ts"
import type { RequestState } from "../../authorization/RequestState.ts"
import type { Principal } from "../../verification/Principal.ts"

/** Whether requests without credentials may use what needs no scopes. */
export type Anonymous = "deny" | "allow-unscoped"

/** Who calls, with claims as the user's Schema decodes them. */
export interface Caller<Claims> extends Omit<Principal, "claims"> {
  readonly claims: Claims
}

/** Who calls a handler: nobody, possibly, where it needs no scopes and anonymous requests are let in. */
export type CallerOf<Claims, N extends Anonymous, Need extends string> = [Need] extends [never]
  ? N extends "allow-unscoped" ? Caller<Claims> | undefined : Caller<Claims>
  : Caller<Claims>

/** The services that an effect of a handler may use. */
export type Services<Offered extends string, R, N extends Anonymous, Need extends string> =
  | R
  | (undefined extends CallerOf<unknown, N, Need> ? never : Principal | RequestState | RequiredScopesOf<Offered>)

/**
 * State that a handler hands out and gets back with a later request: encrypted, and good for the same caller and the same
 * tool, prompt or resource, for ten minutes unless a lifetime is given.
 */
export interface State {
  /** Rejects with a `RangeError` if the sealed state is longer than 65,536 characters. */
  readonly seal: (state: string, options?: { readonly lifetime?: Duration.Input | undefined }) => Promise<string>
  /** Rejects what was not sealed here for this caller, or is out of time. */
  readonly open: (sealed: string) => Promise<string>
}

/** What is added to the context that the SDK gives a handler. */
export interface Addition<P> {
  readonly principal: P
  readonly state: undefined extends P ? State | undefined : State
}

/** What a handler may return. */
export type Outcome<A, Env> = A | Promise<A> | Effect.Effect<A, unknown, Env>

/** What a tool, a prompt or a resource demands of its callers. */
export type Demands<Need extends string, Args> =
  | {
    /** Every one of them is needed. Without any, whoever has a valid token may come in. */
    readonly scopes?: ReadonlyArray<Need> | undefined
    /**
     * What a caller without them meets: a 403 that asks for them (`"challenge"`, the default), or nothing, as if there
     * were no such thing (`"hide"`): in no list, and without updates for subscriptions.
     */
    readonly unauthorized?: "challenge" | "hide" | undefined
  }
  | {
    /** The scopes for these arguments, asked before the handler runs. */
    readonly scopes: (args: Args) => ReadonlyArray<Need>
    readonly unauthorized?: "challenge" | undefined
  }

/** A registration, and the scopes that stand behind it. */
export interface Scoped<out Need extends string> {
  readonly "~effect-mcp-auth/Scoped"?: Need
}

/** The scopes that a layer offers. */
export type OfferedBy<P> = P extends RequiredScope<infer S> ? S : never

/** What a layer does not tell. */
export interface HostOptions<Claims, N extends Anonymous> {
  /** The same as in the layer, if it says anything else than `"deny"`. */
  readonly anonymous?: N | undefined
  /** The service of the layer's `claims`: handlers find it as the claims of their caller. */
  readonly claims?: Context.Key<any, Claims> | undefined
  /** Bodies beyond this many bytes are rejected with 413. Default: 4 MiB. */
  readonly maximumBody?: number | undefined
  /**
   * Bodies that ask for more operations are rejected with 400: each message of a batch and each URI of a
   * `subscriptions/listen` counts. Default: 100.
   */
  readonly maximumOperations?: number | undefined
  /** Bodies that take longer, from the time when the gate begins to read them, are rejected with 408. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
}
