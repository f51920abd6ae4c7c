import * as Result from "effect/Result"
import { isErrorCode } from "../TokenResponse.ts"

/* Reads authorization responses: the URL with which a person returns to the client (RFC 6749 §4.1.2, RFC 9207). */

/** An authorization response. */
export interface AuthorizationResponse {
  readonly state: string
  /** `iss` (RFC 9207 §2). */
  readonly issuer: string | undefined
  readonly result:
    | { readonly code: string }
    | { readonly error: string; readonly description: string | undefined }
}

/** The longest URL that is read, in characters. */
const longestUrl = 16_384

const states = /^[A-Za-z0-9_-]{43}$/
const codes = /^[\x20-\x7e]{1,8192}$/

/** Reads the URL of a response. Fails if it is not a response to a request of this client. */
export const parse = (text: string): Result.Result<AuthorizationResponse, "malformed"> => {
  if (text.length > longestUrl || !URL.canParse(text, "http://localhost")) return malformed
  return read(new URL(text, "http://localhost").searchParams)
}

const malformed = Result.fail("malformed" as const)

/** Reads the parameters of a response. */
export const read = (searchParams: URLSearchParams): Result.Result<AuthorizationResponse, "malformed"> => {
  // A repeated parameter is an error (RFC 6749 §3.1): two programs could read different values.
  for (const name of ["state", "code", "error", "iss"]) if (searchParams.getAll(name).length > 1) return malformed
  const state = searchParams.get("state") ?? ""
  const code = searchParams.get("code")
  const error = searchParams.get("error")
  const issuer = searchParams.get("iss") ?? undefined
  if (!states.test(state) || (code === null) === (error === null)) return malformed
  if (code !== null) return codes.test(code) ? Result.succeed({ state, issuer, result: { code } }) : malformed
  if (!isErrorCode(error!)) return malformed
  const description = searchParams.get("error_description")?.slice(0, 1_024)
  return Result.succeed({ state, issuer, result: { error: error!, description } })
}

/**
 * Tells whether the issuer of a response is the one of the request (RFC 9207 §2.4). A response without `iss` is accepted only from a
 * server that does not advertise the parameter.
 */
export const hasIssuer = (issuer: string | undefined, expected: string, isAdvertised: boolean): boolean =>
  issuer === undefined ? !isAdvertised : issuer === expected
