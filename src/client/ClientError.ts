/**
 * Defines the errors of clients. No error contains a token, a code or a secret.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
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
  resource: "The metadata describe another resource",
  issuer: "The MCP server names another authorization server",
  redirect: "The server redirects a request. Redirects are not followed",
  "token-type": "The authorization server issued a token of another type",
  "dpop-algorithm": "The authorization server does not list the algorithm of the option dpop",
  "redirect-uri": "The authorization server did not register this redirect URI",
  "authentication-method": "The authorization server does not support these credentials. Change the " +
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
 * - `step-up`: the MCP server asked for more scopes after two step-ups. An account can step up again after ten minutes.
 * - `nonce`: the MCP server asks for another DPoP nonce, although the request has the one that it named.
 * - `registration`: the authorization server did not register the client. `code` is the `error` of the response (RFC 7591 §3.2.2).
 * - `sign-in`: the sign-in of a person ended with an error, such as `access_denied` (RFC 6749 §4.1.2.1). `description` is text of the
 *   authorization server for a developer.
 *
 * @category errors
 * @since 0.1.0
 */
export class AuthorizationDenied extends Data.TaggedError("AuthorizationDenied")<{
  readonly reason: "token-request" | "fresh-token" | "step-up" | "nonce" | "registration" | "sign-in"
  readonly issuer: string
  readonly code?: string | undefined
  readonly description?: string | undefined
}> {
  override get message(): string {
    const issuer = sanitize(this.issuer)
    switch (this.reason) {
      case "token-request":
        return `${issuer} rejected the request for a token: ${sanitize(this.code ?? "no error code")}`
      case "registration":
        return `${issuer} did not register the client: ${sanitize(this.code ?? "no error code")}`
      case "sign-in": {
        const description = this.description === undefined ? "" : `: ${sanitize(this.description, longestDetail)}`
        return `Sign-in at ${issuer} ended with ${sanitize(this.code ?? "no error code")}${description}`
      }
      case "fresh-token":
        return `The MCP server rejected a token that ${issuer} had just issued. Compare its issuer and audience with the server's`
      case "nonce":
        return "The MCP server named a DPoP nonce, and asks for another one"
      case "step-up":
        return `The MCP server asked for more scopes after two step-ups at ${issuer}. Compare its challenges with the granted scopes. ` +
          "After ten minutes, an account can step up again"
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
      : `${this.option} failed, so no token was requested. See its error in cause`
  }
}

/**
 * Reports that a person must sign in. `url` is the page of the authorization server where the person does so.
 *
 * **Details**
 *
 * - `no-token`: the account has no token for the MCP server.
 * - `token-ended`: the token has expired or was rejected, and the client cannot replace it.
 * - `scopes`: the operation needs scopes that the account has not granted.
 *
 * The URL is valid for ten minutes and for one sign-in. It is neither in the message nor among the enumerable properties, so logs do
 * not contain it.
 *
 * @category errors
 * @since 0.1.0
 */
export class SignInRequired extends Data.TaggedError("SignInRequired")<{
  readonly account: string
  readonly resource: string
  readonly scopes: ReadonlyArray<string>
  readonly reason: "no-token" | "token-ended" | "scopes"
}> {
  readonly #url: string

  constructor(
    { url, ...details }: {
      readonly url: string
      readonly account: string
      readonly resource: string
      readonly scopes: ReadonlyArray<string>
      readonly reason: "no-token" | "token-ended" | "scopes"
    }
  ) {
    super(details)
    this.#url = url
  }

  /** The page of the authorization server where the person signs in. */
  get url(): string {
    return this.#url
  }

  override get message(): string {
    return `The account ${sanitize(this.account)} must sign in to use ${sanitize(this.resource)} (${this.reason})`
  }
}

const callbackFaults = {
  malformed: "The request is not an authorization response",
  "unknown-state": "The sign-in is unknown, has ended or has expired. Begin again",
  "other-account": "Another account began the sign-in",
  issuer: "The response comes from another authorization server"
}

/**
 * Reports that a callback was rejected before the client requested a token. Answer it with status 400.
 *
 * @category errors
 * @since 0.1.0
 */
export class CallbackRejected extends Data.TaggedError("CallbackRejected")<{
  readonly reason: keyof typeof callbackFaults
}> {
  override get message(): string {
    return callbackFaults[this.reason]
  }
}

/**
 * All errors of requests.
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
  | SignInRequired

/** The tags of all errors of requests. The table does not compile without one of them. */
const tags: Readonly<Record<ClientError["_tag"], true>> = {
  AssertionUnavailable: true,
  AuthorizationDenied: true,
  DiscoveryError: true,
  Mismatch: true,
  ScopeRefused: true,
  SignInRequired: true,
  Unavailable: true
}

/** How deep an error is searched. */
const maximumDepth = 16

/**
 * Returns the `ClientError` in an error or a cause, however deep it is. Returns `undefined` if there is none.
 *
 * **When to use**
 *
 * Use it with MCP clients that wrap the error of `fetch`. The official SDK v2 does so with the option
 * `versionNegotiation: { mode: "auto" }`: `connect` rejects with an `SdkError` whose `cause` is the error of `fetch`.
 *
 * **Example** (A sign-in that the official SDK v2 reports)
 *
 * ```ts
 * import { Client, type Transport } from "@modelcontextprotocol/client"
 * import { ClientError } from "effect-mcp-auth/client"
 *
 * export const connect = async (client: Client, transport: Transport): Promise<string | undefined> => {
 *   try {
 *     await client.connect(transport)
 *   } catch (error) {
 *     const found = ClientError.find(error)
 *     if (found?._tag === "SignInRequired") return found.url
 *     throw found ?? error
 *   }
 * }
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const find = (error: unknown): ClientError | undefined => {
  let current = Cause.isCause(error) ? Cause.squash(error) : error
  for (let depth = 0; depth < maximumDepth && typeof current === "object" && current !== null; depth++) {
    const { _tag, cause, reason } = current as {
      readonly _tag?: unknown
      readonly cause?: unknown
      readonly reason?: unknown
    }
    if (typeof _tag === "string" && Object.hasOwn(tags, _tag)) return current as ClientError
    current = cause ?? reason
  }
  return undefined
}
