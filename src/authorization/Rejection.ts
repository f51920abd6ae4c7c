/**
 * Turns failures into responses. All statuses and challenges of rejections are defined in this file.
 *
 * @since 0.1.0
 */
import {
  type AuthError,
  type InsufficientScope,
  type MalformedRequest,
  MissingCredentials
} from "../protocol/AuthError.ts"
import * as Challenge from "../protocol/Challenge.ts"
import type { Scheme } from "../protocol/Credentials.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import { apiKeyIssuer, type Principal } from "../verification/Principal.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"

/**
 * A response of the gate: status, headers (lower-case names) and body. A server adapter translates it into the response type of
 * its platform.
 *
 * **Details**
 *
 * The gate fails with it instead of admitting a request. The response to a preflight is a `Rejection` with status 204. With the
 * options `authChallenge` and `structuredDenials`, a tool result is a `Rejection` with status 200.
 *
 * `reason` and `error` are for the operator. `headers` and `body` contain neither of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejection {
  readonly _tag: "Rejection"
  readonly status: 200 | 204 | 400 | 401 | 403 | 404 | 408 | 413 | 415 | 429 | 500 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly reason: RejectionReason
  readonly error: AuthError | undefined
}

/**
 * Lists the reasons of rejections: those of all errors, and those that belong to no error.
 *
 * **Details**
 *
 * The page [Rejection reasons](../../docs/rejection-reasons.md) explains each of them.
 *
 * @category models
 * @since 0.1.0
 */
export type RejectionReason =
  | AuthError["reason"]
  | "foreign-host"
  | "origin"
  | "session"
  | "closing"
  | "broken"
  | "preflight"

/**
 * Which scopes a 403 challenge names: `"required"` names those that the operation requires, `"required-and-granted"` also those
 * that the token has.
 *
 * **Details**
 *
 * Clients of MCP revisions before 2026-07-28 replace their scopes with those of the challenge. Newer clients add the scopes of
 * the challenge to their own. `"auto"` repeats granted scopes if the request has an older revision or none.
 *
 * @category models
 * @since 0.1.0
 */
export type ChallengeScopes = "auto" | "required" | "required-and-granted"

/**
 * Describes the request that is rejected.
 *
 * @category models
 * @since 0.1.0
 */
export interface Circumstances {
  readonly principal: Principal | undefined
  /** The `MCP-Protocol-Version` header. */
  readonly protocolVersion: string | undefined
  /**
   * The authentication scheme of the request. The challenge of this scheme contains the error. Default: `DPoP` if DPoP is
   * enabled and the token of `principal` is bound to a key, `ApiKey` for the principal of an API key, otherwise `Bearer`.
   */
  readonly scheme?: Scheme | undefined
}

/**
 * Turns failures into responses, for one resource.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejections {
  readonly forError: (error: AuthError, circumstances: Circumstances) => Rejection
  /** Makes the 401 for an anonymous caller of an operation. The challenge names `scopes` and the baseline. */
  readonly signIn: (scopes: ReadonlyArray<string>) => Rejection
}

/** Joins scopes as a challenge does. Returns `undefined` for an empty list. */
const scopeText = (scopes: ReadonlyArray<string> = []): string | undefined =>
  ScopeToken.unique(scopes).filter(ScopeToken.isScopeToken).join(" ") || undefined

const unavailable = {
  code: "temporarily_unavailable",
  description: "Access tokens cannot be checked at the moment; try again later"
}

const keysUnavailable = {
  code: "temporarily_unavailable",
  description: "API keys cannot be checked at the moment; try again later"
}

const tooManyRequests = {
  code: "too_many_requests",
  description: "Too many requests; try again after the time in Retry-After"
}

const serverError = {
  code: "server_error",
  description: "The server cannot check access tokens because of an internal error"
}

/** The members of a JSON body. */
interface Content {
  readonly code: string
  readonly description: string
  /** The scopes of the challenge, for clients that show only the body. */
  readonly scope?: string | undefined
}

const rejection = (
  status: Rejection["status"],
  reason: RejectionReason,
  error: AuthError | undefined,
  content: Content | undefined,
  headers: Readonly<Record<string, string>> = {}
): Rejection => ({
  _tag: "Rejection",
  status,
  reason,
  error,
  headers: {
    "cache-control": "no-store",
    ...headers,
    ...(content === undefined ? {} : { "content-type": "application/json" })
  },
  body: content === undefined
    ? ""
    : JSON.stringify({ error: content.code, error_description: content.description, scope: content.scope })
})

/**
 * Rejects a request whose `Host` is not a name of this server (MCP Streamable HTTP, DNS rebinding). Status 403.
 *
 * @category constants
 * @since 0.1.0
 */
export const foreignHost: Rejection = /*#__PURE__*/ rejection(403, "foreign-host", undefined, {
  code: "invalid_request",
  description: "Requests with this Host header are not allowed"
})

/**
 * Rejects a request from an `Origin` that is not allowed (MCP Streamable HTTP, DNS rebinding). Status 403.
 *
 * @category constants
 * @since 0.1.0
 */
export const foreignOrigin: Rejection = /*#__PURE__*/ rejection(403, "origin", undefined, {
  code: "invalid_request",
  description: "Requests from this origin are not allowed"
})

/**
 * Rejects a request whose session does not exist, or belongs to another caller. Status 404.
 *
 * @category constants
 * @since 0.1.0
 */
export const unknownSession: Rejection = /*#__PURE__*/ rejection(404, "session", undefined, undefined)

/**
 * Rejects a request that arrives while the gate shuts down or afterwards. Status 503, without a challenge, as for any outage.
 *
 * @category constants
 * @since 0.1.0
 */
export const closing: Rejection = /*#__PURE__*/ rejection(503, "closing", undefined, unavailable, {
  "retry-after": "1"
})

/**
 * Rejects a request that failed with a defect or with an error other than an `AuthError`. Status 500. The response contains no
 * details.
 *
 * @category constants
 * @since 0.1.0
 */
export const broken: Rejection = /*#__PURE__*/ rejection(500, "broken", undefined, serverError)

/**
 * Makes the rejections of one resource. Rejections that depend only on the scheme and the reason of an error are made once.
 * If `hasKeyScheme` is `true`, challenges name the scheme `ApiKey` after all others.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  resource: ProtectedResource,
  challengeScopes: ChallengeScopes,
  hasKeyScheme = false
): Rejections => {
  const { algorithms: algs, mode } = resource.dpop
  // If DPoP is required, there is only a DPoP challenge. Otherwise the Bearer challenge comes first, with the parameters that
  // every client reads, and the error is in the challenge of the scheme that the request uses.
  const challengesFor = ({ error, errorDescription, ...rest }: Challenge.DpopParameters, scheme: Scheme) => {
    const parameters = { ...rest, resourceMetadata: resource.metadataUrl }
    // An API key is not a token, so no challenge contains its error. The body does.
    if (scheme === "ApiKey" && error !== undefined) return challengesFor(rest, "Bearer")
    if (mode === "required") return [Challenge.dpop({ ...parameters, error, errorDescription })]
    if (scheme === "DPoP") {
      return [Challenge.bearer(parameters), Challenge.dpop({ error, scope: rest.scope, errorDescription, algs })]
    }
    const bearer = Challenge.bearer({
      ...parameters,
      error: error as Challenge.BearerParameters["error"],
      errorDescription
    })
    return mode === "off" ? [bearer] : [bearer, Challenge.dpop({ algs })]
  }
  // Official clients read parameters anywhere in the header, so this challenge comes last and has none.
  const keyChallenge = hasKeyScheme ? [{ scheme: "ApiKey", parameters: new Map<string, string>() }] : []
  const challenge = (options: Omit<Challenge.DpopParameters, "algs">, scheme: Scheme = "Bearer") => ({
    "www-authenticate": Challenge.encode([...challengesFor({ ...options, algs }, scheme), ...keyChallenge]),
    // Without this header, a browser does not let a page read the challenge.
    "access-control-expose-headers": mode === "off" ? "WWW-Authenticate" : "WWW-Authenticate, DPoP-Nonce"
  })
  /**
   * Makes a rejection with a challenge. The challenge and the body contain the same error code and description. If a scope is
   * missing, they also contain the same scopes.
   */
  const challenged = (
    status: Rejection["status"],
    error: AuthError,
    code: NonNullable<Challenge.DpopParameters["error"]>,
    description: string,
    scheme: Scheme,
    scope?: ReadonlyArray<string>,
    headers: Readonly<Record<string, string>> = {}
  ): Rejection =>
    rejection(
      status,
      error.reason,
      error,
      { code, description, scope: status === 403 ? scopeText(scope) : undefined },
      {
        ...challenge({ error: code, scope, errorDescription: description }, scheme),
        ...headers
      }
    )

  const baseline = resource.requestedScopes(resource.baseline, undefined)
  const schemeFor = ({ principal, scheme }: Circumstances): Scheme =>
    scheme ?? (principal?.issuer === apiKeyIssuer
      ? "ApiKey"
      : mode !== "off" && principal !== undefined && Object.hasOwn(principal.claims, "cnf")
      ? "DPoP"
      : "Bearer")

  const prepared = new Map<string, Rejection>()
  /** Returns the rejection of an error that has no data except its reason. Makes it on the first call and then reuses it. */
  const once = (error: AuthError, scheme: Scheme, makeRejection: () => Rejection): Rejection => {
    const key = `${scheme} ${error._tag} ${error.reason}`
    const known = prepared.get(key)
    if (known !== undefined) return known
    const made = makeRejection()
    prepared.set(key, made)
    return made
  }

  const scopesToRequest = (
    error: InsufficientScope,
    { principal, protocolVersion }: Circumstances
  ): ReadonlyArray<string> => {
    const repeatsGranted = challengeScopes === "required-and-granted" ||
      (challengeScopes === "auto" && (protocolVersion === undefined || protocolVersion < "2026-07-28"))
    return repeatsGranted && principal !== undefined
      ? [...error.required, ...[...principal.granted].filter((scope) => resource.offered.has(scope))]
      : error.required
  }

  return {
    signIn: (scopes) =>
      rejection(
        401,
        noCredentials.reason,
        noCredentials,
        undefined,
        challenge({ scope: resource.requestedScopes([...resource.baseline, ...scopes], undefined) })
      ),
    forError: (error, circumstances) => {
      const { reason } = error
      const scheme = schemeFor(circumstances)
      switch (error._tag) {
        case "MissingCredentials":
          return once(error, "Bearer", () => rejection(401, reason, error, undefined, challenge({ scope: baseline })))
        case "MalformedRequest":
          return once(error, scheme, () => {
            const { message: description } = error
            const status = bodyStatuses[error.reason]
            return status === undefined
              ? challenged(400, error, "invalid_request", description, scheme)
              : rejection(status, reason, error, { code: "invalid_request", description }, status === 408 ? close : {})
          })
        case "InvalidToken":
        case "InvalidApiKey":
          return once(error, scheme, () => {
            const description = scheme === "ApiKey" ? invalidKey : invalidToken
            return challenged(401, error, "invalid_token", description, scheme, baseline)
          })
        case "InvalidDpopProof": {
          const { nonce } = error
          return nonce === undefined
            ? once(error, "DPoP", () => challenged(401, error, "invalid_dpop_proof", invalidProof, "DPoP", baseline))
            : challenged(401, error, "use_dpop_nonce", missingNonce, "DPoP", baseline, { "dpop-nonce": nonce })
        }
        case "InsufficientScope":
          // No challenge: no scope admits an unlisted operation, so clients would sign in again and again.
          return error.reason === "unlisted"
            ? rejection(403, reason, error, { code: "access_denied", description: error.message })
            // No challenge: a sign-in cannot change the scopes of an API key.
            : scheme === "ApiKey"
            ? rejection(403, reason, error, {
              code: "insufficient_scope",
              description: "The API key lacks a scope that this operation needs",
              scope: scopeText(error.required)
            })
            : challenged(
              403,
              error,
              "insufficient_scope",
              "The access token lacks a scope that this operation needs",
              scheme,
              resource.requestedScopes(scopesToRequest(error, circumstances), circumstances.principal?.issuer)
            )
        // No challenge: no scope admits the caller, or the operation must not name its scopes.
        case "AccessDenied":
          return rejection(403, reason, error, { code: "access_denied", description: accessDenied })
        // No challenge: the token may be valid, and a challenge would make the client sign in again because of an outage.
        case "AuthorizationServerUnavailable":
        case "ReplayStoreUnavailable":
        case "RevocationStoreUnavailable":
        case "SessionStoreUnavailable":
        case "QuotaStoreUnavailable":
          return rejection(503, reason, error, unavailable, { "retry-after": toRetryAfter(error.retryAfter) })
        case "ApiKeyStoreUnavailable":
          return rejection(503, reason, error, keysUnavailable, { "retry-after": toRetryAfter(error.retryAfter) })
        // No challenge: another token of the same caller would not help (RFC 6585 §4).
        case "QuotaExceeded":
          return rejection(429, reason, error, tooManyRequests, { "retry-after": toRetryAfter(error.retryAfter) })
        case "InvalidMetadata":
          return rejection(503, reason, error, unavailable, { "retry-after": "30" })
        case "AuthConfigError":
          return rejection(500, reason, error, serverError)
      }
    }
  }
}

const invalidToken = "The access token is expired, revoked, malformed or not issued for this server"
const invalidKey = "The API key is malformed, unknown, expired or revoked"
const invalidProof =
  "The DPoP proof is missing, malformed, already used, too old, or not made for this request, this token and its key"
const accessDenied = "The caller is not allowed to run this operation"
const missingNonce = "The DPoP proof must contain the nonce of the DPoP-Nonce header"

/**
 * The statuses of rejections that the request body causes. These rejections have no challenge, because the credentials are not
 * the problem.
 */
const bodyStatuses: Partial<Record<MalformedRequest["reason"], 400 | 408 | 413 | 415>> = {
  "not-json": 400,
  "not-json-rpc": 400,
  "too-deep": 400,
  "prototype": 400,
  "too-many-operations": 400,
  "name-too-long": 400,
  "name-not-text": 400,
  "state": 400,
  "content-type": 415,
  "too-large": 413,
  "too-slow": 408
}

/** Closes the connection after a body that takes too long, because the rest of the body may never arrive (RFC 9110 §15.5.9). */
const close = { connection: "close" }

/**
 * Returns whether a rejection is the response to a preflight.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPreflight = (rejection: Rejection): boolean => rejection.reason === "preflight"

/**
 * Adds the CORS headers that let a page read a rejection, if the origin of the page is allowed.
 *
 * @category combinators
 * @since 0.1.0
 */
export const allowOrigin = (
  rejection: Rejection,
  origin: string | undefined,
  allowsOrigin: (origin: string) => boolean
): Rejection => {
  const { headers } = rejection
  if (origin === undefined || "access-control-allow-origin" in headers || !allowsOrigin(origin)) return rejection
  const exposed = ["access-control-expose-headers" in headers ? headers["access-control-expose-headers"] : undefined]
  if ("retry-after" in headers) exposed.push("Retry-After")
  const exposes = exposed.filter((_) => _ !== undefined).join(", ")
  return {
    ...rejection,
    headers: {
      ...headers,
      "access-control-allow-origin": origin,
      ...(exposes === "" ? {} : { "access-control-expose-headers": exposes }),
      vary: "Origin"
    }
  }
}

/**
 * The response headers that a page must be able to read: `WWW-Authenticate`, `DPoP-Nonce`, `Retry-After` and `Mcp-Session-Id`.
 *
 * **When to use**
 *
 * Give it to the CORS middleware that sets the headers of your responses, such as `cors({ exposeHeaders: [...exposedHeaders] })` of
 * Hono. The gate adds the headers of its rejections to those of the middleware, on Hono if the handler received the context. The
 * responses of your handlers have only the headers of the middleware.
 *
 * @category constants
 * @since 0.1.0
 */
export const exposedHeaders: ReadonlyArray<string> = ["WWW-Authenticate", "DPoP-Nonce", "Retry-After", "Mcp-Session-Id"]

/** The headers that MCP clients send, except the `Mcp-Param-*` headers, whose names each server chooses with `x-mcp-header`. */
const clientHeaders = [
  "authorization",
  "content-type",
  "accept",
  "last-event-id",
  "mcp-session-id",
  "mcp-protocol-version",
  "mcp-method",
  "mcp-name",
  "dpop"
]

/**
 * Answers a preflight from an allowed origin (Fetch §4.8). Status 204.
 *
 * **Details**
 *
 * The response also allows the header names that the preflight requests. A fixed list would exclude `Mcp-Param-*` and tracing
 * headers, and `*` does not include `Authorization`. It is safe to allow the requested names: the author of the server allowed
 * the origin, a request still needs its token, and browsers send no cookies, because `Access-Control-Allow-Credentials` is
 * absent. Requested values that are not header names are ignored, and so is a list of more than 1024 characters. `keyHeader` is
 * the header of API keys, if there is one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const preflight = (
  origin: string,
  requestedHeaders: string | undefined,
  keyHeader?: string | undefined
): Rejection => {
  const requested = requestedHeaders === undefined || requestedHeaders.length > longestRequest
    ? []
    : requestedHeaders.split(",").map((_) => _.trim().toLowerCase()).filter((_) => headerName.test(_))
  return {
    _tag: "Rejection",
    status: 204,
    headers: {
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
      "access-control-allow-headers": [
        ...new Set([...clientHeaders, ...(keyHeader === undefined ? [] : [keyHeader]), ...requested])
      ].join(", "),
      "access-control-max-age": "7200",
      vary: "Origin, Access-Control-Request-Headers"
    },
    body: "",
    reason: "preflight",
    error: undefined
  }
}

/**
 * The maximum length of `Access-Control-Request-Headers`, in characters. It is limited, because the scripts of a page determine
 * the value of the header.
 */
const longestRequest = 1024

/**
 * Returns whole seconds from 1 to 3,600. Code of the server's author can create the error, so `retryAfter` can be any number.
 */
const toRetryAfter = (retryAfter: number): string =>
  String(Number.isNaN(retryAfter) ? 1 : Math.min(Math.max(Math.ceil(retryAfter), 1), 3_600))

// A header name as in RFC 9110 §5.6.2, except that `*` is not allowed: in the response it would stand for every header.
const headerName = /^[!#$%&'+\-.^_`|~0-9a-z]+$/

const noCredentials = new MissingCredentials({ reason: "no-authorization" })
