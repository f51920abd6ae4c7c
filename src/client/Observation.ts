import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import type { ClientError } from "./ClientError.ts"
import type { Found } from "./ServerDiscovery.ts"
import type { Acquisition, Token } from "./TokenSource.ts"

/*
 * Reports the steps of a client. `ClientEvents` turns them into events, logs, metrics and spans, so that clients without it do not
 * load its code. A step contains what the client has at hand, such as a token; `ClientEvents` selects what leaves it.
 */

/** The steps of a client, and what each of them reports. */
export interface Steps {
  readonly Discovered: Found
  readonly Registered: { readonly issuer: string; readonly clientId: string }
  readonly SignInBegun: { readonly acquisition: Acquisition; readonly way: "authorization-code" | "device" }
  readonly SignInCompleted: {
    readonly issuer: string
    readonly resource: string
    readonly granted: ReadonlyArray<string>
  }
  readonly SignInFailed: unknown
  readonly TokenIssued: Token
  readonly TokenRefreshed: Token
  /** Another request or another process has obtained the token. */
  readonly RefreshShared: { readonly token: Token; readonly by: "request" | "process" }
  readonly RefreshFailed: ClientError
  /** The authorization server rejected the refresh token, so the client removed the token. */
  readonly TokenEnded: { readonly issuer: string; readonly code: string | undefined }
  /** The MCP server answered 401 to a token. */
  readonly TokenRejected: Token
  readonly StepUpRequired: { readonly token: Token; readonly scopes: ReadonlyArray<string> }
  readonly Disconnected: { readonly issuer: string; readonly isRevoked: boolean }
  /** The error of a request of the caller, which can be another one than a `ClientError`. */
  readonly RequestFailed: unknown
}

/** The operations of a client that have a span. */
export type Operation = "discover" | "register" | "obtain_token" | "complete_sign_in" | "revoke"

/** The account and the MCP server that a step is about. */
export interface Subject {
  readonly account?: string | undefined
  readonly resource?: string | undefined
}

/** Receives the steps of clients. */
export interface Observer {
  readonly record: <Tag extends keyof Steps>(tag: Tag, facts: Steps[Tag], subject: Subject) => Effect.Effect<void>
  readonly trace: <A, E, R>(
    operation: Operation,
    issuer: string | undefined,
    subject: Subject,
    effect: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, R>
}

/** The name of the member of a recorder that holds its observer. */
export const mark = "~effect-mcp-auth/ClientEvents"

/** Receives the steps of clients: the option `events`. */
export interface Recorder {
  readonly [mark]: Observer
}

/** Accepts recorders. */
export const rule: ConfigOption.Rule = ConfigOption.marked(mark, "a recorder of events", "Write ClientEvents.make()")

/** The observer of clients without the option `events`. */
export const DefaultObserver: Context.Reference<Observer | undefined> = Context.Reference<Observer | undefined>(
  "effect-mcp-auth/client/DefaultObserver",
  { defaultValue: () => undefined }
)

const Observed: Context.Reference<readonly [Observer, Subject] | undefined> = Context.Reference<
  readonly [Observer, Subject] | undefined
>("effect-mcp-auth/client/Observed", { defaultValue: () => undefined })

/** Runs effects of a client with its observer. Fibers that they fork report to it as well. */
export type Observe = <A, E, R>(effect: Effect.Effect<A, E, R>, subject: Subject) => Effect.Effect<A, E, R>

/** Returns the function for a client with the option `events`. */
export const observe = (recorder: Recorder | undefined): Effect.Effect<Observe> =>
  Effect.map(DefaultObserver, (known): Observe => {
    const observer = recorder?.[mark] ?? known
    return (effect, subject) =>
      observer === undefined ? effect : Effect.provideService(effect, Observed, [observer, subject])
  })

/** Reports a step. Does nothing without an observer. */
export const record = <Tag extends keyof Steps>(tag: Tag, facts: Steps[Tag]): Effect.Effect<void> =>
  Effect.flatMap(Observed, (observed) => observed?.[0].record(tag, facts, observed[1]) ?? Effect.void)

/** Runs an operation in a span. */
export const trace = <A, E, R>(
  operation: Operation,
  issuer: string | undefined,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.flatMap(Observed, (observed) => observed?.[0].trace(operation, issuer, observed[1], effect) ?? effect)
