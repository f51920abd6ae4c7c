/**
 * From a failure to what the client sees: the one place that knows statuses and challenges.
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
import type { Principal } from "../verification/Principal.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"

/**
 * An answer, ready to be translated into the host's: status, headers (lower-case names), body.
 *
 * **Details**
 *
 * The gate gives it instead of letting a request in. The answer to a preflight is one, too, with status 204.
 *
 * `reason` and `error` are for the operator. They are never part of `headers` and `body`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejection {
  readonly _tag: "Rejection"
  readonly status: 204 | 400 | 401 | 403 | 404 | 408 | 413 | 415 | 500 | 503
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly reason: string
  readonly error: AuthError | undefined
}

/**
 * Which scopes a 403 asks for.
 *
 * **Details**
 *
 * Clients of MCP revisions before 2026-07-28 replace their scopes by the challenged ones; newer ones add them up. `"auto"`
 * looks at the revision of the request and repeats granted scopes for old clients only.
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
  /** How the token was presented, which decides whose challenge carries the error. Default: as the principal's is bound. */
  readonly scheme?: Scheme | undefined
}

/**
 * Turns failures into answers, for one resource.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rejections {
  readonly forError: (error: AuthError, circumstances: Circumstances) => Rejection
  /** Asks an anonymous caller of an operation with these scopes to sign in, with them and the baseline. */
  readonly signIn: (scopes: ReadonlyArray<string>) => Rejection
}

const unavailable = {
  code: "temporarily_unavailable",
  description: "Access tokens cannot be checked at the moment; try again later"
}

const serverError = {
  code: "server_error",
  description: "The server cannot check access tokens because of an internal error"
}

const rejection = (
  status: Rejection["status"],
  reason: string,
  error: AuthError | undefined,
  content: { readonly code: string; readonly description: string } | undefined,
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
    : JSON.stringify({ error: content.code, error_description: content.description })
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
 * Rejects a request while the gate shuts down, and after that. Status 503, without a challenge, as for any outage.
 *
 * @category constants
 * @since 0.1.0
 */
export const closing: Rejection = /*#__PURE__*/ rejection(503, "closing", undefined, unavailable, {
  "retry-after": "1"
})

/**
 * Rejects a request on which something failed without an error of `AuthError`. Status 500; the client learns no details.
 *
 * @category constants
 * @since 0.1.0
 */
export const broken: Rejection = /*#__PURE__*/ rejection(500, "broken", undefined, serverError)

/**
 * Makes the rejections of one resource. Those that depend on nothing but the reason of an error are made once.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (resource: ProtectedResource, challengeScopes: ChallengeScopes): Rejections => {
  const { algorithms: algs, mode } = resource.dpop
  // Bearer comes first, with the parameters that every client reads. The error is in the challenge of the request's scheme. If
  // only DPoP is accepted, its challenge is the only one.
  const challengesFor = ({ error, errorDescription, ...rest }: Challenge.DpopParameters, scheme: Scheme) => {
    const parameters = { ...rest, resourceMetadata: resource.metadataUrl }
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
  const challenge = (options: Omit<Challenge.DpopParameters, "algs">, scheme: Scheme = "Bearer") => ({
    "www-authenticate": Challenge.encode(challengesFor({ ...options, algs }, scheme)),
    // Without this header a browser hides the challenge from its script.
    "access-control-expose-headers": mode === "off" ? "WWW-Authenticate" : "WWW-Authenticate, DPoP-Nonce"
  })
  /** Rejects with a challenge whose error and description are those of the body. */
  const challenged = (
    status: Rejection["status"],
    error: AuthError,
    code: NonNullable<Challenge.DpopParameters["error"]>,
    description: string,
    scheme: Scheme,
    scope?: ReadonlyArray<string>,
    headers: Readonly<Record<string, string>> = {}
  ): Rejection =>
    rejection(status, error.reason, error, { code, description }, {
      ...challenge({ error: code, scope, errorDescription: description }, scheme),
      ...headers
    })

  const baseline = resource.requestedScopes(resource.baseline, undefined)
  const schemeFor = ({ principal, scheme }: Circumstances): Scheme =>
    scheme ?? (mode !== "off" && principal !== undefined && Object.hasOwn(principal.claims, "cnf") ? "DPoP" : "Bearer")

  const prepared = new Map<string, Rejection>()
  /** Makes the rejection of an error that carries nothing but its reason when it is first needed. */
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
          return once(error, scheme, () => challenged(401, error, "invalid_token", invalidToken, scheme, baseline))
        case "InvalidDpopProof": {
          const { nonce } = error
          return nonce === undefined
            ? once(error, "DPoP", () => challenged(401, error, "invalid_dpop_proof", invalidProof, "DPoP", baseline))
            : challenged(401, error, "use_dpop_nonce", missingNonce, "DPoP", baseline, { "dpop-nonce": nonce })
        }
        case "InsufficientScope":
          // If no scope can help, there is nothing to request: a challenge would make clients sign in again and again.
          return error.reason === "unlisted"
            ? rejection(403, reason, error, { code: "access_denied", description: error.message })
            : challenged(
              403,
              error,
              "insufficient_scope",
              "The access token lacks a scope that this operation needs",
              scheme,
              resource.requestedScopes(scopesToRequest(error, circumstances), circumstances.principal?.issuer)
            )
        // Without a challenge: the token may be valid, and a client must not sign in again because of an outage.
        case "AuthorizationServerUnavailable":
        case "ReplayStoreUnavailable":
          return rejection(503, reason, error, unavailable, { "retry-after": toRetryAfter(error.retryAfter) })
        case "InvalidMetadata":
          return rejection(503, reason, error, unavailable, { "retry-after": "30" })
        case "AuthConfigError":
          return rejection(500, reason, error, serverError)
      }
    }
  }
}

const invalidToken = "The access token is expired, revoked, malformed or not issued for this server"
const invalidProof =
  "The DPoP proof is missing, malformed, already used, too old, or not made for this request, this token and its key"
const missingNonce = "The DPoP proof must contain the nonce of the DPoP-Nonce header"

/** Rejections of the body have no challenge: the credentials are not what is wrong. */
const bodyStatuses: Partial<Record<MalformedRequest["reason"], 400 | 408 | 413 | 415>> = {
  "not-json": 400,
  "not-json-rpc": 400,
  "too-deep": 400,
  "too-many-operations": 400,
  "name-too-long": 400,
  "name-not-text": 400,
  "state": 400,
  "content-type": 415,
  "too-large": 413,
  "too-slow": 408
}

/** The rest of the body may never arrive, so the connection cannot be used again (RFC 9110 §15.5.9). */
const close = { connection: "close" }

/**
 * Tells whether an answer is that to a preflight.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPreflight = (rejection: Rejection): boolean => rejection.reason === "preflight"

/**
 * Adds the headers with which a browser lets a page read a rejection, if the page's origin is an allowed one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const allowOrigin = (
  rejection: Rejection,
  origin: string | undefined,
  allowedOrigins: ReadonlyArray<string>
): Rejection => {
  const { headers } = rejection
  if (origin === undefined || !allowedOrigins.includes(origin) || "access-control-allow-origin" in headers) {
    return rejection
  }
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

/** The headers that MCP clients send, except the parameters of x-mcp-header, whose names each server chooses. */
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
 * Header names that the page asks for are allowed, too: the origin is one that the author allowed, a request still needs its
 * token, and no cookie is sent, since `Access-Control-Allow-Credentials` is absent. A fixed list would exclude `Mcp-Param-*`
 * and tracing headers, and `*` does not include `Authorization`. Only names of headers are echoed, and few of them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const preflight = (origin: string, requestedHeaders: string | undefined): Rejection => {
  const requested = requestedHeaders === undefined || requestedHeaders.length > longestRequest
    ? []
    : requestedHeaders.split(",").map((_) => _.trim().toLowerCase()).filter((_) => headerName.test(_))
  return {
    _tag: "Rejection",
    status: 204,
    headers: {
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
      "access-control-allow-headers": [...new Set([...clientHeaders, ...requested])].join(", "),
      "access-control-max-age": "7200",
      vary: "Origin, Access-Control-Request-Headers"
    },
    body: "",
    reason: "preflight",
    error: undefined
  }
}

/** In characters. A browser sends the names of the headers that a script set. */
const longestRequest = 1024

/** Whole seconds from 1 to an hour: the error may come from a look-up or a store of the user's. */
const toRetryAfter = (retryAfter: number): string =>
  String(Number.isNaN(retryAfter) ? 1 : Math.min(Math.max(Math.ceil(retryAfter), 1), 3_600))

// Without `*`, which would allow every header.
const headerName = /^[!#$%&'+\-.^_`|~0-9a-z]+$/

const noCredentials = new MissingCredentials({ reason: "no-authorization" })
