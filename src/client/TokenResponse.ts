import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as FormPost from "../outbound/FormPost.ts"
import { own } from "../protocol/Json.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import { AuthorizationDenied, Mismatch } from "./ClientError.ts"

/* Reads responses of token endpoints (RFC 6749 §5). */

/** A token that an authorization server has issued. */
export interface Issued {
  readonly accessToken: Redacted.Redacted
  readonly refreshToken: Redacted.Redacted | undefined
  /** In milliseconds. `undefined` if the response does not tell. */
  readonly lifetime: number | undefined
  readonly granted: ReadonlyArray<string>
}

/**
 * Reads a response. A response without `scope` grants the requested scopes (RFC 6749 §5.1). A server that ignores a DPoP proof issues
 * a token of the type Bearer, which anyone could use, so the type must be `expected` (RFC 9449 §5).
 */
export const read = (
  answered: FormPost.Answered,
  issuer: string,
  requested: ReadonlyArray<string>,
  expected: "Bearer" | "DPoP"
): Result.Result<Issued, AuthorizationDenied | Mismatch> => {
  const answer = FormPost.readObject(answered)
  if (answered.status !== 200) {
    const code = errorOf(answer) ?? String(answered.status)
    return Result.fail(new AuthorizationDenied({ reason: "token-request", issuer, code }))
  }
  const type = own(answer, "token_type")
  if (typeof type !== "string" || type.toLowerCase() !== expected.toLowerCase()) {
    return Result.fail(new Mismatch({ what: "token-type", expected, found: String(type).slice(0, 64) }))
  }
  const token = own(answer, "access_token")
  if (!isToken(token)) {
    return Result.fail(new AuthorizationDenied({ reason: "token-request", issuer, code: "no access_token" }))
  }
  const lifetime = own(answer, "expires_in")
  const scope = own(answer, "scope")
  const refreshToken = own(answer, "refresh_token")
  return Result.succeed({
    accessToken: Redacted.make(token, { label: "access-token" }),
    refreshToken: isToken(refreshToken) ? Redacted.make(refreshToken, { label: "refresh-token" }) : undefined,
    lifetime: readLifetime(lifetime),
    granted: typeof scope === "string" ? ScopeToken.parse(scope) : requested
  })
}

/** Tells whether a value is a token that fits into a header or a form. */
export const isToken = (value: unknown): value is string =>
  typeof value === "string" && /^[\x21-\x7e]{1,16384}$/.test(value)

/** Some authorization servers write the number of seconds as text. A token that is issued expired lives for no time. */
export const readLifetime = (value: unknown): number | undefined => {
  const seconds = typeof value === "string" && /^\d{1,10}$/.test(value) ? Number(value) : value
  return typeof seconds === "number" && Number.isFinite(seconds) ? Math.max(0, seconds) * 1000 : undefined
}

/**
 * Returns the `error` of a response (RFC 6749 §5.2). All registered codes are words in lower case. Any other text could repeat a secret
 * of the request.
 */
export const errorOf = (answer: Readonly<Record<string, unknown>> | undefined): string | undefined => {
  const code = own(answer, "error")
  return typeof code === "string" && isErrorCode(code) ? code : undefined
}

/** Tells whether a text can be an error code. */
export const isErrorCode = (code: string): boolean => /^[a-z_]{1,64}$/.test(code)
