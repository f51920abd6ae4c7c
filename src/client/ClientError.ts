/**
 * Defines the errors of clients. No error contains a token, a code or a secret.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import { sanitize } from "../protocol/RemoteText.ts"

/** The maximum length of a text from another system in a message, in characters. */
const longestDetail = 1_024

/**
 * Reports that an authorization server, a metadata document or the token endpoint is temporarily unavailable. Tokens stay valid.
 * `retryAfter` is in seconds.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unavailable extends Data.TaggedError("Unavailable")<{
  readonly detail: string
  readonly retryAfter: number
}> {
  override get message(): string {
    return `${sanitize(this.detail, longestDetail)}. Try again in ${this.retryAfter} s`
  }
}

/**
 * Describes one URL at which a client looked for metadata, and the result.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempt {
  readonly url: string
  readonly result: string
}

/**
 * Reports that no usable metadata was found. `trail` lists every URL that was tried.
 *
 * @category errors
 * @since 0.1.0
 */
export class DiscoveryError extends Data.TaggedError("DiscoveryError")<{
  readonly detail: string
  readonly trail: ReadonlyArray<Attempt>
}> {
  override get message(): string {
    const tried = this.trail.map(({ result, url }) => `\n  ${sanitize(url)}: ${sanitize(result, longestDetail)}`)
    return `${sanitize(this.detail, longestDetail)}${tried.join("")}`
  }
}

const mismatches = {
  resource: "The metadata describe another resource than the one that the client uses",
  issuer: "The MCP server names another authorization server than the one that the credentials are for",
  redirect: "The MCP server redirects a request that has a token. Redirects are not followed",
  "token-type": "The authorization server issued a token of a type that the client does not support",
  "authentication-method": "The authorization server does not support the credentials of the client. Change the " +
    "credentials, or set the method"
}

/**
 * Reports that two values differ that must be the same. `what` names the kind of value.
 *
 * @category errors
 * @since 0.1.0
 */
export class Mismatch extends Data.TaggedError("Mismatch")<{
  readonly what: keyof typeof mismatches
  readonly expected: string
  readonly found: string
}> {
  override get message(): string {
    return `${mismatches[this.what]}: expected ${sanitize(this.expected)}, found ${sanitize(this.found)}`
  }
}

/**
 * Reports that an authorization server or an MCP server rejected the client.
 *
 * **Details**
 *
 * - `token-request`: the token endpoint rejected the request. `code` is the `error` of the response (RFC 6749 §5.2), or else its
 *   status.
 * - `fresh-token`: the MCP server rejected a token that was just issued.
 * - `step-up`: the MCP server still asks for scopes after two requests for more of them.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthorizationDenied extends Data.TaggedError("AuthorizationDenied")<{
  readonly reason: "token-request" | "fresh-token" | "step-up"
  readonly issuer: string
  readonly code?: string | undefined
}> {
  override get message(): string {
    const issuer = sanitize(this.issuer)
    switch (this.reason) {
      case "token-request":
        return `${issuer} rejected the request for a token: ${sanitize(this.code ?? "no error code")}`
      case "fresh-token":
        return `The MCP server rejected a token that ${issuer} had just issued. Compare its issuer and audience with the server's`
      case "step-up":
        return `The MCP server still asks for scopes, although ${issuer} issued tokens with the scopes that it had asked for`
    }
  }
}

/**
 * Reports that the authorization server granted fewer scopes than an operation needs. Tokens with the granted scopes stay in use.
 *
 * @category errors
 * @since 0.1.0
 */
export class ScopeRefused extends Data.TaggedError("ScopeRefused")<{
  readonly issuer: string
  readonly requested: ReadonlyArray<string>
  readonly granted: ReadonlyArray<string>
}> {
  override get message(): string {
    const missing = this.requested.filter((scope) => !this.granted.includes(scope))
    return `${sanitize(this.issuer)} did not grant the scopes ${sanitize(missing.join(" "), longestDetail)}`
  }
}

/**
 * Reports that the function that supplies an assertion failed, or that its result is not a `Redacted` text. `cause` is the error of
 * the function. No token was requested.
 *
 * @category errors
 * @since 0.1.0
 */
export class AssertionUnavailable extends Data.TaggedError("AssertionUnavailable")<{
  /** The path of the function, such as `grant.subjectToken`. */
  readonly option: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return this.cause === undefined
      ? `${this.option} did not return a Redacted text. Return one such as Redacted.make(assertion)`
      : `${this.option} failed, so no token was requested. Its error is the cause of this error`
  }
}

/**
 * All errors of a client.
 *
 * @category errors
 * @since 0.1.0
 */
export type ClientError =
  | Unavailable
  | DiscoveryError
  | Mismatch
  | AuthorizationDenied
  | ScopeRefused
  | AssertionUnavailable
