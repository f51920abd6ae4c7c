import * as Redacted from "effect/Redacted"
import type { RecordStoreUnavailable } from "../../store/records/RecordStore.ts"
import type { GrantRejected, TokenAnswer, TooManyRefreshes, UpstreamUnavailable } from "../grants/Grants.ts"
import type { ProxyResponse } from "./ProxyRequest.ts"

/* Turns results and failures into the responses of the endpoints that clients call. Pages are in `Pages.ts`. */

/** The headers that let web pages of any origin read a response. No such response depends on a cookie. */
const open = { "access-control-allow-origin": "*" }

/**
 * Headers that a middleware sets for every response, and that the proxy decides for itself. CORS headers would let pages of other
 * origins read a consent page or a callback. With `Cross-Origin-Opener-Policy`, which Helmet sets, a client that signs in with a
 * popup would lose its connection to it.
 */
export const foreignHeaders: ReadonlyArray<string> = [
  "access-control-allow-origin",
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-expose-headers",
  "cross-origin-opener-policy"
]

const noStore = { ...open, "cache-control": "no-store" }

const jsonType = "application/json"

/** A JSON document that any cache may keep for some minutes. */
export const document = (content: unknown): ProxyResponse => ({
  status: 200,
  headers: { ...open, "content-type": jsonType, "cache-control": "public, max-age=300" },
  cookies: [],
  body: JSON.stringify(content)
})

/** A JSON response that no cache keeps (RFC 6749 §5.1). */
export const json = (
  status: number,
  content: unknown,
  headers: Readonly<Record<string, string>> = {}
): ProxyResponse => ({
  status,
  headers: { ...noStore, "content-type": jsonType, "pragma": "no-cache", ...headers },
  cookies: [],
  body: JSON.stringify(content)
})

/** An empty successful response, such as that of a revocation (RFC 7009 §2.2). */
export const done: ProxyResponse = { status: 200, headers: noStore, cookies: [], body: "" }

/** An error of RFC 6749 §5.2. The description contains no value of the request. */
export const error = (
  status: number,
  code: string,
  description?: string,
  headers?: Readonly<Record<string, string>>
): ProxyResponse =>
  json(status, { error: code, ...(description === undefined ? {} : { error_description: description }) }, headers)

/** The response to a client that is unknown or does not authenticate. */
export const invalidClient = (usedBasic: boolean): ProxyResponse =>
  error(
    401,
    "invalid_client",
    "The client is unknown, or its authentication failed",
    usedBasic ? { "www-authenticate": "Basic realm=\"token\"" } : undefined
  )

/** The tokens of a grant (RFC 6749 §5.1). */
export const tokens = ({ accessToken, expiresIn, refreshToken, scopes }: TokenAnswer): ProxyResponse =>
  json(200, {
    access_token: Redacted.value(accessToken),
    token_type: "Bearer",
    expires_in: expiresIn,
    refresh_token: Redacted.value(refreshToken),
    scope: scopes.join(" ")
  })

/** The code and text of an outage. With another code, clients start a new sign-in. */
const outage = (retryAfter: number): ProxyResponse =>
  error(503, "temporarily_unavailable", "Try again later", {
    "retry-after": String(Math.max(1, Math.ceil(retryAfter)))
  })

/**
 * The response to a failed request for tokens. All rejected codes and refresh tokens have the same response, so it does not reveal
 * whether a token exists.
 */
export const failure = (
  error_: GrantRejected | RecordStoreUnavailable | TooManyRefreshes | UpstreamUnavailable
): ProxyResponse => {
  if (error_._tag !== "GrantRejected") return outage(error_.retryAfter)
  switch (error_.reason) {
    case "resource":
      return error(400, "invalid_target", "The resource is not the one of the grant")
    case "scope":
      return error(400, "invalid_scope", "The grant does not contain the scope")
    default:
      return error(400, "invalid_grant", "The code or the refresh token is not valid")
  }
}

/** The response to a preflight of an endpoint that web pages may call. */
export const preflight = (methods: string): ProxyResponse => ({
  status: 204,
  headers: {
    ...open,
    "access-control-allow-methods": methods,
    "access-control-allow-headers": "authorization, content-type, mcp-protocol-version",
    "access-control-max-age": "86400"
  },
  cookies: [],
  body: ""
})

/** The response to a method that an endpoint does not have. */
export const notAllowed = (methods: string): ProxyResponse => ({
  status: 405,
  headers: { allow: methods, "cache-control": "no-store" },
  cookies: [],
  body: ""
})

/** The response to a request that an endpoint could not answer because of a defect. */
export const defect: ProxyResponse = { status: 500, headers: { "cache-control": "no-store" }, cookies: [], body: "" }
