/**
 * Defines the errors of authentication, authorization and configuration, as a closed set of tagged values.
 *
 * Each error carries a `reason` from a closed list. Use it in logs, as a metric label and in tests. The errors do not depend
 * on HTTP: only `Rejection` maps them to statuses and challenges. No error contains a token or a claim.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import { sanitize } from "./RemoteText.ts"

/** The maximum length of a detail in a message, in characters. Details can quote text from other systems. */
const longestDetail = 1_024

const missingCredentialsReasons = [
  "no-authorization",
  "no-token-header",
  "other-scheme"
] as const

/**
 * Reports that the request has no credentials of a scheme that this resource accepts. The challenge has no error code (RFC
 * 6750 §3.1).
 *
 * @category errors
 * @since 0.1.0
 */
export class MissingCredentials extends Data.TaggedError("MissingCredentials")<{
  readonly reason: (typeof missingCredentialsReasons)[number]
}> {
  override get message(): string {
    return this.reason === "no-authorization"
      ? "The request has no Authorization header"
      : this.reason === "no-token-header"
      ? "The request lacks the header that contains the access token"
      : "The Authorization header has a scheme that this server does not accept"
  }
}

const malformedRequestReasons = [
  "no-token",
  "not-token68",
  "several-authorization-headers",
  "several-credentials",
  "api-key-header",
  "token-header",
  "host",
  "not-json",
  "not-json-rpc",
  "too-deep",
  "prototype",
  "too-many-operations",
  "content-type",
  "too-large",
  "name-too-long",
  "name-not-text",
  "too-slow",
  "state"
] as const

/**
 * Reports that the request cannot be parsed: the `Authorization` header violates its grammar, or the body is invalid.
 *
 * @category errors
 * @since 0.1.0
 */
export class MalformedRequest extends Data.TaggedError("MalformedRequest")<{
  readonly reason: (typeof malformedRequestReasons)[number]
}> {
  override get message(): string {
    return malformedRequestMessages[this.reason]
  }
}

const oneToken =
  "The Authorization header must appear once, with a scheme, one space and one token (RFC 6750 section 2.1)"

const malformedRequestMessages: Record<MalformedRequest["reason"], string> = {
  "no-token": "The Authorization header has a scheme but no token",
  // Both reasons share one text, because some platforms join several `Authorization` headers into one value.
  "not-token68": oneToken,
  "several-authorization-headers": oneToken,
  "several-credentials": "The request has an API key and an access token. Send one of them",
  "api-key-header": "The header with the API key must appear once, with one key",
  "token-header": "The header with the access token must appear once, with one token",
  "host": "The Host header is missing or is not a valid host name",
  "not-json": "The request body is not JSON",
  "not-json-rpc": "The request body must be a JSON-RPC 2.0 message, or a batch of such messages",
  "too-deep": "The request body nests objects and arrays too deeply",
  "prototype": "The request body has a member named __proto__",
  "too-many-operations": "The request body has more operations than this server accepts in one request",
  "content-type": "The request body must have the content type application/json",
  "too-large": "The request body is larger than this server accepts",
  "name-too-long": "The name, URI or id of a tool, prompt, resource or task has more than 8192 characters",
  "name-not-text": "The name, URI or id of a tool, prompt, resource or task must be a string",
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
  "api-key-as-token",
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
 * Lists why an access token can be rejected. The reason is for operators: it appears in the log and in the decision event,
 * and is never sent to the client.
 *
 * @category models
 * @since 0.1.0
 */
export type InvalidTokenReason = (typeof invalidTokenReasons)[number]

/**
 * Reports that the access token is expired, forged, revoked, from an unknown issuer or issued for another server (RFC 6750
 * §3.1, `invalid_token`).
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidToken extends Data.TaggedError("InvalidToken")<{
  readonly reason: InvalidTokenReason
}> {
  override get message(): string {
    return `The access token was rejected: ${this.reason}`
  }
}

const invalidApiKeyReasons = [
  "api-key-malformed",
  "api-key-unknown",
  "api-key-expired",
  "unknown-tenant"
] as const

/**
 * Reports that an API key is malformed, unknown or expired, or belongs to another tenant than the request names. A key with a known
 * identifier and a wrong secret is unknown as well.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidApiKey extends Data.TaggedError("InvalidApiKey")<{
  readonly reason: (typeof invalidApiKeyReasons)[number]
}> {
  override get message(): string {
    return `The API key was rejected: ${this.reason}`
  }
}

const apiKeyStoreUnavailableReasons = [
  "api-key-store-down",
  "api-key-store-slow",
  "api-key-store-busy",
  "api-key-record"
] as const

/**
 * Reports that the server cannot determine whether an API key is valid: the store of API keys fails, does not answer in time,
 * receives too many look-ups or returns a value that is not a record of the key. The key may be valid. `retryAfter` is in
 * seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class ApiKeyStoreUnavailable extends Data.TaggedError("ApiKeyStoreUnavailable")<{
  readonly reason: (typeof apiKeyStoreUnavailableReasons)[number]
  readonly retryAfter: number
  /** The problem of the record. It names the member and contains no value. Default: `undefined`. */
  readonly problem?: string | undefined
}> {
  override get message(): string {
    const problem = this.problem === undefined ? "" : ` (${this.problem})`
    return `The store of API keys cannot be used: ${this.reason}${problem}`
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
 * Reports that the request has no DPoP proof of the key to which its token is bound, or that the proof does not match the
 * request, the token, the current time or this server (RFC 9449 §4.3, `invalid_dpop_proof`). If only a valid nonce is
 * missing, the error code is `use_dpop_nonce`.
 *
 * **Details**
 *
 * `nonce` is a new nonce for the response. The client can retry with a proof that contains it.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidDpopProof extends Data.TaggedError("InvalidDpopProof")<{
  readonly reason: (typeof invalidDpopProofReasons)[number]
  readonly nonce?: string
}> {
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
 * Reports that the server cannot determine whether a DPoP proof was used before: the store of used proofs is unavailable or
 * full, or it has already evicted entries as old as this proof, because a clock stepped back. The proof may be valid.
 * `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class ReplayStoreUnavailable extends Data.TaggedError("ReplayStoreUnavailable")<{
  readonly reason: (typeof replayStoreUnavailableReasons)[number]
  readonly retryAfter: number
}> {
  override get message(): string {
    return this.reason === "replay-store-full"
      ? "The store of used DPoP proofs is full"
      : this.reason === "replay-store-clock"
      ? "The store of used DPoP proofs has evicted entries as old as this proof. Compare the clocks of the server and the store"
      : "The store of used DPoP proofs is unavailable"
  }
}

const revocationStoreUnavailableReasons = [
  "revocation-store-down",
  "revocation-store-slow"
] as const

/**
 * Reports that the server cannot determine whether a token is revoked: the store of revocations fails or does not answer in
 * time. The token may be valid. `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class RevocationStoreUnavailable extends Data.TaggedError("RevocationStoreUnavailable")<{
  readonly reason: (typeof revocationStoreUnavailableReasons)[number]
  readonly retryAfter: number
}> {
  override get message(): string {
    return `The store of revocations ${
      this.reason === "revocation-store-down" ? "is unavailable" : "did not answer in time"
    }`
  }
}

const sessionStoreUnavailableReasons = [
  "session-store-down"
] as const

/**
 * Reports that the server cannot determine whether a session belongs to the caller: the store of sessions fails or does not
 * answer in time. `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class SessionStoreUnavailable extends Data.TaggedError("SessionStoreUnavailable")<{
  readonly reason: (typeof sessionStoreUnavailableReasons)[number]
  readonly retryAfter: number
}> {
  override get message(): string {
    return "The store of sessions is unavailable"
  }
}

const quotaExceededReasons = [
  "quota",
  "open-streams"
] as const

/**
 * Reports that a caller has used up one of its quotas, or has too many open event streams. `quota` names the quota as the option
 * `quotas` does. `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class QuotaExceeded extends Data.TaggedError("QuotaExceeded")<{
  readonly reason: (typeof quotaExceededReasons)[number]
  readonly quota: "requests" | "sessions" | "streams" | "proofs"
  readonly retryAfter: number
}> {
  override get message(): string {
    return this.reason === "quota"
      ? `The caller has used up its quota of ${this.quota}`
      : "The caller has too many open event streams"
  }
}

const quotaStoreUnavailableReasons = [
  "quota-store-down"
] as const

/**
 * Reports that the server cannot determine whether a caller is within its quotas: the limiter fails or does not answer in time,
 * and the option `quotas` rejects requests in this case. `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class QuotaStoreUnavailable extends Data.TaggedError("QuotaStoreUnavailable")<{
  readonly reason: (typeof quotaStoreUnavailableReasons)[number]
  readonly retryAfter: number
}> {
  override get message(): string {
    return "The limiter of the quotas is unavailable"
  }
}

const insufficientScopeReasons = [
  "missing-scope",
  "unlisted"
] as const

/**
 * Reports that the token is valid but lacks a scope that the operation requires (RFC 6750 §3.1, `insufficient_scope`).
 *
 * **Details**
 *
 * `required` lists every scope that the operation requires, not only the missing ones, so that a client can request all of
 * them at once.
 *
 * @category errors
 * @since 0.1.0
 */
export class InsufficientScope extends Data.TaggedError("InsufficientScope")<{
  readonly reason: (typeof insufficientScopeReasons)[number]
  readonly required: ReadonlyArray<string>
}> {
  override get message(): string {
    return this.reason === "unlisted"
      ? "This server rejects operations for which no scopes are configured"
      : `The operation requires the scopes ${sanitize(this.required.join(" "), longestDetail)}`
  }
}

const accessDeniedReasons = ["denied"] as const

/**
 * Reports that the policy of the operation does not admit the caller, and that signing in again with other scopes would not help or
 * must not be suggested.
 *
 * **Details**
 *
 * `failed` names the conditions that the caller does not meet, such as `role admin`. They are for the operator, and the response
 * does not contain them.
 *
 * @category errors
 * @since 0.1.0
 */
export class AccessDenied extends Data.TaggedError("AccessDenied")<{
  readonly reason: (typeof accessDeniedReasons)[number]
  readonly failed: ReadonlyArray<string>
}> {
  override get message(): string {
    return `The caller does not meet the policy of the operation: ${sanitize(this.failed.join(", "), longestDetail)}`
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
  "forbidden",
  "unusable-answer"
] as const

/**
 * Reports that the authorization server is unavailable and that no usable response is cached. The token may be valid.
 *
 * **Details**
 *
 * `retryAfter` is in whole seconds. `code` is the code of a failed connection, if the platform names one, such as `ENOTFOUND`
 * or `SELF_SIGNED_CERT_IN_CHAIN`. `component` is the beginning of the message if something else than the authorization server is
 * unavailable, such as `The tenant look-up for`; `issuer` then names its subject. `reason` describes the last attempt:
 *
 * - `client-rejected`: the authorization server rejected the credentials of this server (introspection, token exchange).
 * - `forbidden`: the introspection endpoint answered 403 without an OAuth error. Such a response can concern a single token.
 * - `unusable-answer`: the response of the authorization server cannot be used.
 * - `timeout`: the request timed out.
 * - `server-error`: the response had the status 429 or 5xx.
 * - `network`: the connection failed.
 *
 * For three reasons no request was sent:
 *
 * - `cooling-down`: earlier requests failed, and the cooldown is not over.
 * - `overloaded`: the queue of requests is full, too many unknown tokens were inactive, or too many unknown tenants were looked
 *   up.
 * - `keys-cooling-down`: the key of the token is unknown, the keys were fetched recently, and the token may be newer than
 *   those keys.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthorizationServerUnavailable extends Data.TaggedError("AuthorizationServerUnavailable")<{
  readonly reason: (typeof authorizationServerUnavailableReasons)[number]
  readonly issuer: string
  readonly retryAfter: number
  readonly code?: string | undefined
  readonly component?: string | undefined
}> {
  override get message(): string {
    return `${sanitize(this.component ?? "The authorization server")} ${sanitize(this.issuer)} ${
      unavailableMessages[this.reason]
    } (${this.code === undefined ? this.reason : `${this.reason}, ${sanitize(this.code, 64)}`})`
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
  "forbidden": "answered 403 to a request about the token",
  "unusable-answer": "sent an answer that cannot be used"
}

/**
 * Reports that a document of the authorization server (metadata or key set) cannot be used.
 *
 * **Details**
 *
 * `detail` names the URL of the document and states what is wrong with it. Redirects are not followed. For a redirect, `detail`
 * contains the target: if you trust it, set it as `metadataUrl` or `jwksUri`.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidMetadata extends Data.TaggedError("InvalidMetadata")<{
  readonly reason: (typeof invalidMetadataReasons)[number]
  readonly issuer: string
  readonly detail: string
}> {
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
 * Reports an invalid option or argument, when the layer is built or the function is called.
 *
 * **Details**
 *
 * `option` is the path of the option, such as `authorizationServers[0].issuer` or `requireScopes`. `fix` states what is wrong
 * and what to write instead. It quotes the value, unless the value may be a secret.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthConfigError extends Data.TaggedError("AuthConfigError")<{
  readonly reason: (typeof authConfigErrorReasons)[number]
  readonly option: string
  readonly fix: string
}> {
  override get message(): string {
    return `Invalid configuration at ${sanitize(this.option)}: ${sanitize(this.fix, longestDetail)}`
  }
}

/**
 * Combines all errors of this module.
 *
 * @category errors
 * @since 0.1.0
 */
export type AuthError =
  | MissingCredentials
  | MalformedRequest
  | InvalidToken
  | InvalidApiKey
  | ApiKeyStoreUnavailable
  | InvalidDpopProof
  | ReplayStoreUnavailable
  | RevocationStoreUnavailable
  | SessionStoreUnavailable
  | QuotaExceeded
  | QuotaStoreUnavailable
  | InsufficientScope
  | AccessDenied
  | AuthorizationServerUnavailable
  | InvalidMetadata
  | AuthConfigError

/**
 * Lists every reason of each error, by the tag of the error.
 *
 * @category constants
 * @since 0.1.0
 */
export const reasons: { readonly [E in AuthError as E["_tag"]]: ReadonlyArray<E["reason"]> } = {
  MissingCredentials: missingCredentialsReasons,
  MalformedRequest: malformedRequestReasons,
  InvalidToken: invalidTokenReasons,
  InvalidApiKey: invalidApiKeyReasons,
  ApiKeyStoreUnavailable: apiKeyStoreUnavailableReasons,
  InvalidDpopProof: invalidDpopProofReasons,
  ReplayStoreUnavailable: replayStoreUnavailableReasons,
  RevocationStoreUnavailable: revocationStoreUnavailableReasons,
  SessionStoreUnavailable: sessionStoreUnavailableReasons,
  QuotaExceeded: quotaExceededReasons,
  QuotaStoreUnavailable: quotaStoreUnavailableReasons,
  InsufficientScope: insufficientScopeReasons,
  AccessDenied: accessDeniedReasons,
  AuthorizationServerUnavailable: authorizationServerUnavailableReasons,
  InvalidMetadata: invalidMetadataReasons,
  AuthConfigError: authConfigErrorReasons
}
