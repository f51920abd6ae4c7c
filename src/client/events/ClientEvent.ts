import { sanitize, sanitizeUrl } from "../../protocol/RemoteText.ts"
import { CallbackRejected, type ClientError, find } from "../ClientError.ts"
import type { Steps, Subject } from "../Observation.ts"
import type { Token } from "../TokenSource.ts"

/* Turns the steps of a client into events. An event contains only what this file selects. */

/**
 * The reason of a failure, from a closed list. A reason that begins with `callback-` is one of `CallbackRejected`. The others are the
 * kinds of `ClientError`, with the member `what` of a `Mismatch` and the member `reason` of an `AuthorizationDenied`. The reason
 * `other` stands for a failure of the network between the client and the MCP server, and for a defect.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason =
  | "unavailable"
  | "discovery"
  | "scopes"
  | "assertion"
  | "sign-in-required"
  | "other"
  | (ClientError & { readonly _tag: "Mismatch" })["what"]
  | (ClientError & { readonly _tag: "AuthorizationDenied" })["reason"]
  | `callback-${CallbackRejected["reason"]}`

/**
 * The members of every event.
 *
 * @category models
 * @since 0.1.0
 */
export interface Common {
  /** The account of `Connections`. `undefined` for a client of one person or of none. */
  readonly account: string | undefined
  /** The URL of the MCP server without its query. `undefined` if it is unknown, as for a callback with an unknown state. */
  readonly resource: string | undefined
}

/**
 * The members of an event about a token.
 *
 * @category models
 * @since 0.1.0
 */
export interface AboutToken extends Common {
  readonly issuer: string
  readonly granted: ReadonlyArray<string>
  /** Whether the token is bound to a key (RFC 9449). */
  readonly isBound: boolean
  /** The number of the token. A later token of the same account and MCP server has a greater one. */
  readonly generation: number
}

/**
 * The members of an event about a failure.
 *
 * @category models
 * @since 0.1.0
 */
export interface AboutFailure extends Common {
  readonly reason: Reason
  readonly issuer: string | undefined
  /** The `error` of the authorization server (RFC 6749 §5.2), or its status. */
  readonly code: string | undefined
  /** The time after which another attempt makes sense, in seconds. */
  readonly retryAfter: number | undefined
}

/**
 * One step of a client.
 *
 * **Details**
 *
 * - `Discovered`: the client has found the authorization server of the MCP server. `by` is `resource-metadata`, unless the client has
 *   the option `legacy`.
 * - `Registered`: the client has registered at an authorization server dynamically (RFC 7591).
 * - `SignInBegun`: the client has written the URL or shown the code with which a person signs in.
 * - `SignInCompleted`: the person has signed in, and the client has stored a token.
 * - `SignInFailed`: the sign-in ended without a token, or a callback was rejected.
 * - `TokenIssued`: a client without a person has obtained a token.
 * - `TokenRefreshed`: the client has replaced a token with its refresh token.
 * - `RefreshShared`: the client uses a token that another request or another process has obtained at the same time.
 * - `RefreshFailed`: the client could not replace a token in the background. The token is still valid.
 * - `TokenEnded`: the authorization server has rejected the refresh token or the registration, so a person must sign in.
 * - `TokenRejected`: the MCP server has answered 401 to a token.
 * - `StepUpRequired`: the MCP server has answered 403, and names scopes that the token lacks.
 * - `Disconnected`: the client has removed the token of an account. `isRevoked` tells whether the authorization server has confirmed
 *   that the token is revoked.
 * - `RequestFailed`: a request of the program ends with an error.
 *
 * An event contains no token, code, secret, key, `state` or URL of a callback. All texts are sanitized (see `RemoteText`) and have at
 * most 256 characters, and a list of scopes has at most 32.
 *
 * @category models
 * @since 0.1.0
 */
export type ClientEvent =
  | Common & {
    readonly _tag: "Discovered"
    readonly issuer: string
    /** The source of the authorization server or of its endpoints. */
    readonly by: "resource-metadata" | "origin-metadata" | "default-endpoints"
  }
  | Common & { readonly _tag: "Registered"; readonly issuer: string; readonly clientId: string }
  | Common & {
    readonly _tag: "SignInBegun"
    readonly issuer: string
    readonly way: "authorization-code" | "device"
    readonly reason: "no-token" | "token-ended" | "scopes"
    readonly scopes: ReadonlyArray<string>
  }
  | Common & { readonly _tag: "SignInCompleted"; readonly issuer: string; readonly granted: ReadonlyArray<string> }
  | AboutFailure & { readonly _tag: "SignInFailed" }
  | AboutToken & { readonly _tag: "TokenIssued" }
  | AboutToken & { readonly _tag: "TokenRefreshed" }
  | AboutToken & { readonly _tag: "RefreshShared"; readonly by: "request" | "process" }
  | AboutFailure & { readonly _tag: "RefreshFailed" }
  | Common & { readonly _tag: "TokenEnded"; readonly issuer: string; readonly code: string | undefined }
  | AboutToken & { readonly _tag: "TokenRejected" }
  | AboutToken & { readonly _tag: "StepUpRequired"; readonly scopes: ReadonlyArray<string> }
  | Common & { readonly _tag: "Disconnected"; readonly issuer: string; readonly isRevoked: boolean }
  | AboutFailure & { readonly _tag: "RequestFailed" }

/** Server texts are long or many only if a server wants to fill the log. */
const maximumScopes = 32

const list = (scopes: ReadonlyArray<string>): ReadonlyArray<string> =>
  scopes.slice(0, maximumScopes).map((scope) => sanitize(scope))

const optional = (text: string | undefined): string | undefined => text === undefined ? undefined : sanitize(text)

/** Returns the members that every event has. */
export const commonOf = ({ account, resource }: Subject): Common => ({
  account: optional(account),
  resource: resource === undefined ? undefined : sanitizeUrl(resource)
})

const aboutToken = ({ generation, granted, issuer, key }: Token, subject: Subject): AboutToken => ({
  ...commonOf(subject),
  issuer: sanitize(issuer),
  granted: list(granted),
  isBound: key !== undefined,
  generation
})

/** Returns the reason of an error, and what else an event tells about it. */
export const describeFailure = (error: unknown): Omit<AboutFailure, keyof Common> => {
  const about = (reason: Reason, more: Partial<Omit<AboutFailure, "reason">> = {}) => ({
    reason,
    issuer: optional(more.issuer),
    code: optional(more.code),
    retryAfter: more.retryAfter
  })
  const failure = error instanceof CallbackRejected ? error : find(error)
  switch (failure?._tag) {
    case undefined:
      return about("other")
    case "Unavailable":
      return about("unavailable", { retryAfter: failure.retryAfter })
    case "DiscoveryError":
      return about("discovery")
    case "Mismatch":
      return about(failure.what)
    case "AuthorizationDenied":
      return about(failure.reason, failure)
    case "ScopeRefused":
      return about("scopes", { issuer: failure.issuer })
    case "AssertionUnavailable":
      return about("assertion")
    case "SignInRequired":
      return about("sign-in-required")
    case "CallbackRejected":
      return about(`callback-${failure.reason}`)
  }
}

type EventFor<Tag> = ClientEvent & { readonly _tag: Tag }

type Writers = {
  readonly [Tag in keyof Steps]: (facts: Steps[Tag], subject: Subject) => Omit<EventFor<Tag>, "_tag">
}

const failed = (error: unknown, subject: Subject): AboutFailure => ({ ...commonOf(subject), ...describeFailure(error) })

/** Select what an event contains. The table does not compile without one of the steps. */
const writers: Writers = {
  Discovered: ({ by, issuer }, subject) => ({
    ...commonOf(subject),
    issuer: sanitize(issuer),
    by: by ?? "resource-metadata"
  }),
  Registered: ({ clientId, issuer }, subject) => ({
    ...commonOf(subject),
    issuer: sanitize(issuer),
    clientId: sanitize(clientId)
  }),
  SignInBegun: ({ acquisition: { addsScopes, current, found, scopes }, way }, subject) => ({
    ...commonOf(subject),
    issuer: sanitize(found.issuer),
    way,
    reason: addsScopes ? "scopes" : current === undefined ? "no-token" : "token-ended",
    scopes: list(scopes)
  }),
  // The callback does not tell the MCP server. The record of the sign-in does.
  SignInCompleted: ({ granted, issuer, resource }, subject) => ({
    ...commonOf({ ...subject, resource }),
    issuer: sanitize(issuer),
    granted: list(granted)
  }),
  SignInFailed: failed,
  TokenIssued: aboutToken,
  TokenRefreshed: aboutToken,
  RefreshShared: ({ by, token }, subject) => ({ ...aboutToken(token, subject), by }),
  RefreshFailed: failed,
  TokenEnded: ({ code, issuer }, subject) => ({ ...commonOf(subject), issuer: sanitize(issuer), code: optional(code) }),
  TokenRejected: aboutToken,
  StepUpRequired: ({ scopes, token }, subject) => ({ ...aboutToken(token, subject), scopes: list(scopes) }),
  Disconnected: ({ isRevoked, issuer }, subject) => ({ ...commonOf(subject), issuer: sanitize(issuer), isRevoked }),
  RequestFailed: failed
}

/** Creates the event of a step. */
export const make = <Tag extends keyof Steps>(tag: Tag, facts: Steps[Tag], subject: Subject): ClientEvent =>
  ({ _tag: tag, ...writers[tag](facts, subject) }) as EventFor<Tag>
