import { own } from "../../protocol/Json.ts"
import type { apiKeyIssuer } from "../../verification/Principal.ts"
import type { Explanation } from "../Explanation.ts"
import {
  advice,
  adviceForApiKey,
  adviceOnConnection,
  adviceWithoutError,
  adviceWithoutRoles
} from "../RejectionAdvice.ts"
import { compareToken } from "./compareToken.ts"
import type { Comparison, RejectedRequest, Setup } from "./explained.ts"
import { listOf, show, showTime, typeOf } from "./showValue.ts"

/* Compares a rejected request with the configuration, for the log. `explanations.ts` loads this file with the first rejection
 * that is logged, and sanitizes and cuts every text. So this file imports nothing else than types and its advice: a bundler that
 * splits code would move every module that it shares with the gate into one more chunk, which costs every server 3 kB. */

/** Explains a rejection. Without `showsValues`, the explanation contains only advice. */
export const explain = (rejected: RejectedRequest, setup: Setup, showsValues: boolean): Explanation => {
  const { error, reason } = rejected.rejection
  const texts: Readonly<Record<string, string>> = error === undefined ? adviceWithoutError : advice[error._tag]
  const isUnavailable = error?._tag === "AuthorizationServerUnavailable"
  return {
    ...(showsValues ? compare(rejected, setup) : undefined),
    advice: isUnavailable && error.component !== undefined
      ? "Check what this function waits for. The authorization server is not involved"
      : (isUnavailable ? adviceOnConnection(error.code) : undefined) ??
        (lacksRoles(rejected) ? adviceWithoutRoles : isOfApiKey(rejected) ? adviceForApiKey : texts[reason]) ??
        "See AuthError in the reference"
  }
}

/** Returns whether a role is required of a caller with a token without roles. Often, the server does not know their claim. */
const lacksRoles = ({ principal, rejection: { error } }: RejectedRequest): boolean =>
  error?._tag === "AccessDenied" && principal?.roles.size === 0 &&
  error.failed.some((label) => label.startsWith("role "))

/** Returns whether the scopes of an API key are too few. The value is that of `apiKeyIssuer`, because this file imports no values. */
const isOfApiKey = ({ principal, rejection: { error } }: RejectedRequest): boolean =>
  error?._tag === "InsufficientScope" && error.reason === "missing-scope" &&
  principal?.issuer === ("urn:effect-mcp-auth:api-keys" satisfies typeof apiKeyIssuer)

const compare = (rejected: RejectedRequest, setup: Setup): Comparison | undefined => {
  const { rejection: { error, reason }, request, resource } = rejected
  switch (error?._tag) {
    case undefined:
      return reason === "origin"
        ? {
          checked: "Origin",
          expected: originsOf(setup, resource),
          receivedUnverified: show(request.header("origin"))
        }
        : reason === "foreign-host"
        ? {
          checked: "Host",
          expected: setup.allowedHosts === undefined ? "a loopback name" : listOf(setup.allowedHosts),
          receivedUnverified: listOf(request.host ?? [])
        }
        : undefined
    case "MissingCredentials":
      return reason === "other-scheme"
        ? {
          checked: "Authorization",
          expected: schemesOf(resource) + (setup.hasKeyScheme === true ? ", or ApiKey" : ""),
          receivedUnverified: schemeOf(request.authorization)
        }
        : reason === "no-token-header" && setup.tokenHeader !== undefined
        ? {
          checked: setup.tokenHeader.name,
          expected: `set by ${setup.tokenHeader.setBy}`
        }
        : undefined
    case "MalformedRequest":
      return reason === "content-type"
        ? {
          checked: "Content-Type",
          expected: "application/json",
          receivedUnverified: show(request.header("content-type"))
        }
        : undefined
    case "InvalidToken":
      return compareToken(error, rejected, setup)
    case "QuotaExceeded":
      return { checked: error.reason === "quota" ? `the quota of ${error.quota}` : "the number of open event streams" }
    case "AccessDenied":
      return { checked: "policy", expected: listOf(error.failed) }
    case "InvalidDpopProof":
      return compareProof(error.reason, rejected)
    default:
      return undefined
  }
}

/** Names the allowed origins. */
const originsOf = (
  { allowedOrigins = [], allowNullOrigin = false }: Setup,
  resource: RejectedRequest["resource"]
): string => {
  const own = resource === undefined ? [] : [resource.origin]
  const listed = typeof allowedOrigins === "function" ? [] : allowedOrigins
  const all = listOf([...new Set([...own, ...listed]), ...(allowNullOrigin ? ["null"] : [])])
  return typeof allowedOrigins === "function" ? `${all}, or an origin for which allowedOrigins returns true` : all
}

/** Compares the part of a DPoP proof because of which it was rejected. */
const compareProof = (reason: string, { now, proof, request, resource }: RejectedRequest): Comparison | undefined => {
  const { claims, header } = proof ?? { claims: {}, header: {} }
  switch (reason) {
    case "proof-type":
      return { checked: "typ of the proof", expected: "dpop+jwt", receivedUnverified: show(own(header, "typ")) }
    case "proof-algorithm":
      return {
        checked: "alg of the proof",
        expected: resource === undefined ? undefined : listOf(resource.dpop.algorithms),
        receivedUnverified: show(own(header, "alg"))
      }
    case "proof-method":
      return {
        checked: "htm",
        expected: `the method of the request: ${show(request.method)}`,
        receivedUnverified: show(own(claims, "htm"))
      }
    case "proof-url":
      return {
        checked: "htu",
        expected: resource === undefined ? undefined : publicUrlOf(resource, request.path ?? ""),
        receivedUnverified: showUrl(own(claims, "htu"))
      }
    case "proof-time":
      return {
        checked: "iat of the proof",
        expected: `near ${new Date(now).toISOString()}`,
        receivedUnverified: showTime(own(claims, "iat"))
      }
    default:
      return undefined
  }
}

const publicUrlOf = ({ origin, toPublicPath }: NonNullable<RejectedRequest["resource"]>, path: string): string => {
  const publicPath = toPublicPath(path)
  return publicPath === undefined
    ? `no URL: the proxy sends no request to ${showUrl(path)}`
    : `the URL of the request: ${showUrl(`${origin}${publicPath}`)}`
}

/** Shows a URL without its query and its user information, which can contain secrets. Of any other value, shows only the type. */
const showUrl = (url: unknown): string =>
  typeof url === "string" ? show(url.split(/[?#]/)[0]!.replace(/^([^/\\]*[/\\]+)?[^/\\]*@/, "$1")) : typeOf(url)

const schemes = ["basic", "digest", "dpop", "bearer", "token", "apikey", "negotiate", "ntlm", "aws4-hmac-sha256"]

/** Names the accepted schemes. */
const schemesOf = (resource: RejectedRequest["resource"]): string =>
  resource?.dpop.mode === "required" ? "DPoP" : resource?.dpop.mode === "optional" ? "Bearer or DPoP" : "Bearer"

/** Names a well-known scheme. Any other text is not shown: a client that omits the scheme sends its token in this place. */
const schemeOf = (authorization: ReadonlyArray<string>): string => {
  const scheme = authorization.join(", ").trim().split(/\s/)[0]!.toLowerCase()
  return schemes.includes(scheme) ? scheme : "another scheme, or a token without a scheme"
}
