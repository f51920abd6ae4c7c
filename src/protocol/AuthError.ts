/**
 * Everything that can go wrong between a token and a handler, as one closed set of values.
 *
 * Each error carries a `reason` from a closed list, fit for a log line, a metric label and a test. None of them knows
 * HTTP: `Rejection` is the one place that turns them into statuses and challenges. None of them holds a token or a claim.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import { sanitize } from "./RemoteText.ts"

/** For text that this library wrote and that quotes others, in characters. */
const longestDetail = 1_024

const missingCredentialsReasons = [
  "no-authorization",
  "other-scheme"
] as const

/**
 * The request carries no credentials of a scheme that this resource accepts (RFC 6750 §3.1: answered without an error
 * code).
 *
 * @category errors
 * @since 0.1.0
 */
export class MissingCredentials extends Data.TaggedError("MissingCredentials")<{
  readonly reason: (typeof missingCredentialsReasons)[number]
}> {
  /** Every reason. */
  static readonly reasons = missingCredentialsReasons

  override get message(): string {
    return this.reason === "no-authorization"
      ? "The request has no Authorization header"
      : "The Authorization header has a scheme that this server does not accept"
  }
}

const malformedRequestReasons = [
  "no-token",
  "not-token68",
  "several-authorization-headers",
  "host",
  "not-json",
  "not-json-rpc",
  "too-deep",
  "too-many-operations",
  "content-type",
  "too-large",
  "name-too-long",
  "name-not-text",
  "too-slow",
  "state"
] as const

/**
 * The request cannot be read: an `Authorization` header outside its grammar, or a body that is not what it should be.
 *
 * @category errors
 * @since 0.1.0
 */
export class MalformedRequest extends Data.TaggedError("MalformedRequest")<{
  readonly reason: (typeof malformedRequestReasons)[number]
}> {
  /** Every reason. */
  static readonly reasons = malformedRequestReasons

  override get message(): string {
    return malformedRequestMessages[this.reason]
  }
}

const oneToken =
  "The Authorization header must appear once, with a scheme, one space and one token (RFC 6750 section 2.1)"

const malformedRequestMessages: Record<MalformedRequest["reason"], string> = {
  "no-token": "The Authorization header has a scheme but no token",
  // One text for both: some hosts join several header lines into one.
  "not-token68": oneToken,
  "several-authorization-headers": oneToken,
  "host": "The Host header is missing or is not a valid host name",
  "not-json": "The request body is not JSON",
  "not-json-rpc": "The request body must be a JSON-RPC 2.0 message, or a batch of such messages",
  "too-deep": "The request body nests objects and arrays too deeply",
  "too-many-operations": "The request body has more operations than this server accepts in one request",
  "content-type": "The request body must have the content type application/json",
  "too-large": "The request body is larger than this server accepts",
  "name-too-long": "The name or URI of a tool, prompt or resource has more than 8192 characters",
  "name-not-text": "The name or URI of a tool, prompt or resource must be a string",
  "too-slow": "The request body did not arrive in time",
  "state": "The request state is expired, or was not issued to this caller for this operation"
}

const invalidTokenReasons = [
  "too-large",
  "malformed",
  "algorithm",
  "critical-header",
  "token-type",
  "id-token",
  "unknown-issuer",
  "unknown-tenant",
  "tenant",
  "unknown-key",
  "signature",
  "expiry",
  "expired",
  "not-yet-valid",
  "issued-in-the-future",
  "audience",
  "subject",
  "client-id",
  "scope",
  "bound-to-key",
  "not-bound-to-key",
  "bound-to-another-key",
  "claims",
  "inactive",
  "revoked"
] as const

/**
 * Why an access token was rejected. The reason is for the operator: it goes to the log and to the decision event, never
 * to the client.
 *
 * @category models
 * @since 0.1.0
 */
export type InvalidTokenReason = (typeof invalidTokenReasons)[number]

/**
 * The access token is expired, forged, foreign or issued for another server (RFC 6750 §3.1, `invalid_token`).
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidToken extends Data.TaggedError("InvalidToken")<{
  readonly reason: InvalidTokenReason
}> {
  /** Every reason. */
  static readonly reasons = invalidTokenReasons

  override get message(): string {
    return `The access token was rejected: ${this.reason}`
  }
}

const invalidDpopProofReasons = [
  "proof-missing",
  "several-proofs",
  "proof-too-large",
  "proof-malformed",
  "proof-type",
  "proof-algorithm",
  "proof-critical-header",
  "proof-key",
  "proof-signature",
  "proof-method",
  "proof-url",
  "proof-time",
  "proof-id",
  "proof-token",
  "proof-nonce",
  "proof-replayed"
] as const

/**
 * The request holds no proof of the key to which its token is bound, or one that is not for this request, this token,
 * this moment or this server (RFC 9449 §4.3, `invalid_dpop_proof`; `use_dpop_nonce` where the nonce is what it lacks).
 *
 * **Details**
 *
 * `nonce` is a fresh one, to be sent along: a proof that holds it may come in.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidDpopProof extends Data.TaggedError("InvalidDpopProof")<{
  readonly reason: (typeof invalidDpopProofReasons)[number]
  readonly nonce?: string
}> {
  /** Every reason. */
  static readonly reasons = invalidDpopProofReasons

  override get message(): string {
    return `The DPoP proof was rejected: ${this.reason}`
  }
}

const replayStoreUnavailableReasons = [
  "replay-store-down",
  "replay-store-full",
  "replay-store-clock"
] as const

/**
 * The server cannot tell whether a proof was used before: the store of used proofs cannot be asked, is full, or no longer
 * keeps uses as old as this one because a clock stepped back. The proof may be good.
 *
 * @category errors
 * @since 0.1.0
 */
export class ReplayStoreUnavailable extends Data.TaggedError("ReplayStoreUnavailable")<{
  readonly reason: (typeof replayStoreUnavailableReasons)[number]
  readonly retryAfter: number
}> {
  /** Every reason. */
  static readonly reasons = replayStoreUnavailableReasons

  override get message(): string {
    return this.reason === "replay-store-full"
      ? "The store of used DPoP proofs is full"
      : this.reason === "replay-store-clock"
      ? "The store of used DPoP proofs has evicted entries as old as this proof. Compare the clocks of the server and the store"
      : "The store of used DPoP proofs is unavailable"
  }
}

const insufficientScopeReasons = [
  "missing-scope",
  "unlisted"
] as const

/**
 * The token is good, but lacks a scope that the operation needs (RFC 6750 §3.1, `insufficient_scope`).
 *
 * **Details**
 *
 * `required` holds every scope of the operation, not only the missing ones: a client obtains all of them in one round
 * trip.
 *
 * @category errors
 * @since 0.1.0
 */
export class InsufficientScope extends Data.TaggedError("InsufficientScope")<{
  readonly reason: (typeof insufficientScopeReasons)[number]
  readonly required: ReadonlyArray<string>
}> {
  /** Every reason. */
  static readonly reasons = insufficientScopeReasons

  override get message(): string {
    return this.reason === "unlisted"
      ? "This server rejects operations for which no scopes are configured"
      : `The operation requires the scopes ${sanitize(this.required.join(" "), longestDetail)}`
  }
}

const authorizationServerUnavailableReasons = [
  "timeout",
  "server-error",
  "network",
  "cooling-down",
  "keys-cooling-down",
  "overloaded",
  "client-rejected",
  "unusable-answer"
] as const

/**
 * The authorization server could not be asked and nothing good is cached: the token may be fine.
 *
 * **Details**
 *
 * `retryAfter` is in whole seconds. `reason` names what the last attempt met: `client-rejected` means that the server did
 * not accept this server's own credentials (introspection, token exchange), `unusable-answer` that what it said cannot be
 * used. With three reasons no request was sent: `cooling-down` means that earlier requests failed and the cooldown is not
 * over; `overloaded` that the queue of requests is full, or that too many unknown tokens were inactive or too many unknown
 * tenants looked up; `keys-cooling-down` that the key of the token is unknown, that the keys were fetched a moment ago, and
 * that the token may be newer than that.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthorizationServerUnavailable extends Data.TaggedError("AuthorizationServerUnavailable")<{
  readonly reason: (typeof authorizationServerUnavailableReasons)[number]
  readonly issuer: string
  readonly retryAfter: number
}> {
  /** Every reason. */
  static readonly reasons = authorizationServerUnavailableReasons

  override get message(): string {
    return `The authorization server ${sanitize(this.issuer)} ${unavailableMessages[this.reason]} (${this.reason})`
  }
}

const invalidMetadataReasons = [
  "status",
  "redirect",
  "content-type",
  "too-large",
  "not-json",
  "not-metadata",
  "wrong-issuer",
  "missing-member",
  "insecure-url",
  "private-address",
  "not-a-key-set",
  "no-usable-key",
  "too-many-keys"
] as const

const unavailableMessages: Readonly<Record<AuthorizationServerUnavailable["reason"], string>> = {
  "timeout": "did not answer in time",
  "server-error": "answered with status 429 or a server error",
  "network": "cannot be reached",
  "cooling-down": "failed recently, and no request is sent before the cooldown ends",
  "keys-cooling-down": "has no key for the token, and its keys are not fetched again before the cooldown ends",
  "overloaded": "receives no further request, because too many are waiting or too many tokens or tenants were unknown",
  "client-rejected": "rejects the credentials of this server",
  "unusable-answer": "sent an answer that cannot be used"
}

/**
 * A document of the authorization server (metadata, key set) is not usable.
 *
 * **Details**
 *
 * `detail` says what to change, and names the URL that was asked. A redirect is never followed: its target stands in
 * `detail`, to be set as `metadataUrl` or `jwksUri` where it is trusted.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidMetadata extends Data.TaggedError("InvalidMetadata")<{
  readonly reason: (typeof invalidMetadataReasons)[number]
  readonly issuer: string
  readonly detail: string
}> {
  /** Every reason. */
  static readonly reasons = invalidMetadataReasons

  override get message(): string {
    return `The authorization server ${sanitize(this.issuer)} cannot be used (${this.reason}): ${
      sanitize(this.detail, longestDetail)
    }`
  }
}

const authConfigErrorReasons = [
  "missing",
  "malformed",
  "insecure",
  "duplicate",
  "conflict",
  "not-offered"
] as const

/**
 * An option or an argument is wrong. It is raised when the layer is built or the function is called.
 *
 * **Details**
 *
 * `option` is the path at which it was written, such as `authorizationServers[0].issuer` or `requireScopes`. `fix` says what
 * is wrong and what to write instead. It quotes the value unless that may be a secret.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthConfigError extends Data.TaggedError("AuthConfigError")<{
  readonly reason: (typeof authConfigErrorReasons)[number]
  readonly option: string
  readonly fix: string
}> {
  /** Every reason. */
  static readonly reasons = authConfigErrorReasons

  override get message(): string {
    return `Invalid configuration at ${sanitize(this.option)}: ${sanitize(this.fix, longestDetail)}`
  }
}

/**
 * The closed set.
 *
 * @category errors
 * @since 0.1.0
 */
export type AuthError =
  | MissingCredentials
  | MalformedRequest
  | InvalidToken
  | InvalidDpopProof
  | ReplayStoreUnavailable
  | InsufficientScope
  | AuthorizationServerUnavailable
  | InvalidMetadata
  | AuthConfigError
