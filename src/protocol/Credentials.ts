/**
 * Parses the `Authorization` request header (RFC 9110 §11.6.2, RFC 6750 §2.1, RFC 9449 §7.1).
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { MalformedRequest, MissingCredentials } from "./AuthError.ts"

/**
 * Names an authentication scheme: `Bearer` (RFC 6750), `DPoP`, which needs a proof of possession of a key (RFC 9449), or
 * `ApiKey`, whose token is an API key. A server can also accept API keys in a separate header.
 *
 * @category models
 * @since 0.1.0
 */
export type Scheme = "Bearer" | "DPoP" | "ApiKey"

/**
 * Describes the credentials of a request: one token with its scheme.
 *
 * @category models
 * @since 0.1.0
 */
export interface Credentials {
  readonly scheme: Scheme
  readonly token: Redacted.Redacted
}

/**
 * Names the set of characters that a token may contain.
 *
 * **Details**
 *
 * `token68` is the grammar of RFC 9110 §11.2 and RFC 6750 §2.1. Some providers issue opaque tokens with other characters
 * (`oauth:…`, `00D…!…`). For those, `visible-ascii` accepts every visible ASCII character except the double quote, the comma
 * and the backslash. These three are excluded so that no character of a token can end the token or begin another one.
 *
 * @category models
 * @since 0.1.0
 */
export type Grammar = "token68" | "visible-ascii"

/**
 * Returns the token as a string.
 *
 * **When to use**
 *
 * Use it to verify a token. It returns the value of `token` without creating a `Redacted` first.
 *
 * @category getters
 * @since 0.1.0
 */
export const textOf = (credentials: Credentials): string => Parsed.textOf(credentials)

/**
 * Returns the value of the `Authorization` header for these credentials: the scheme, one space and the token.
 *
 * @category getters
 * @since 0.1.0
 */
export const lineOf = (credentials: Credentials): string => Parsed.lineOf(credentials)

/** Creates the `Redacted` on first use. Most rejected tokens have an invalid form, and are rejected before this use. */
class Parsed implements Credentials {
  readonly scheme: Scheme
  readonly #text: string
  /**
   * The received header value, if it consists of the scheme, one space and the token. `lineOf` returns it without building a
   * string.
   */
  readonly #line: string | undefined
  #token: Redacted.Redacted | undefined = undefined

  constructor(scheme: Scheme, text: string, line: string | undefined) {
    this.scheme = scheme
    this.#text = text
    this.#line = line
  }

  get token(): Redacted.Redacted {
    return this.#token ??= Redacted.make(this.#text, { label: "token" })
  }

  static textOf(credentials: Credentials): string {
    return #text in credentials ? credentials.#text : Redacted.value(credentials.token)
  }

  static lineOf(credentials: Credentials): string {
    const line = #line in credentials ? credentials.#line : undefined
    return line ?? `${credentials.scheme} ${Parsed.textOf(credentials)}`
  }
}

const grammars: Readonly<Record<Grammar, RegExp>> = {
  "token68": /^[A-Za-z0-9\-._~+/]+=*$/,
  "visible-ascii": /^[!#-+\--[\]-~]+$/
}
const bearerOnly: ReadonlyArray<Scheme> = ["Bearer"]
const scheme = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+/

// Each of these failures is created once, because failures are frequent and contain no data of the request.
const noAuthorization = Result.fail(new MissingCredentials({ reason: "no-authorization" }))
const otherScheme = Result.fail(new MissingCredentials({ reason: "other-scheme" }))
const noToken = Result.fail(new MalformedRequest({ reason: "no-token" }))
const notToken68 = Result.fail(new MalformedRequest({ reason: "not-token68" }))
const severalHeaders = Result.fail(new MalformedRequest({ reason: "several-authorization-headers" }))

/**
 * Parses the values of all `Authorization` headers of one request. Fails with `MissingCredentials` if there are no credentials
 * of an accepted scheme, and with `MalformedRequest` if the values violate the grammar.
 *
 * **Details**
 *
 * The scheme is case-insensitive. One or more spaces (no tab) separate it from exactly one token. Two credentials are rejected
 * even if one of them is valid, because an intermediary may have checked the other one. Some platforms join several headers of
 * one name with a comma, so several values are parsed as if they were joined: `Basic abc, Bearer def` contains two credentials,
 * whether it was sent as one header or as two. `Digest a="b, c", d="e"` contains one. `grammar` is the set of characters that a
 * token may contain (default: `token68`). A scheme that is not in `schemes` (default: `Bearer` only) counts as no credentials.
 *
 * **Gotchas**
 *
 * Node's `req.headers` silently drops a second `Authorization` header. Pass the values of all `Authorization` headers,
 * for example `req.headersDistinct.authorization ?? []`.
 *
 * **Example** (One header, and two)
 *
 * ```ts
 * import { Credentials } from "effect-mcp-auth/protocol"
 * import { Redacted, Result } from "effect"
 * import assert from "node:assert/strict"
 *
 * const one = Result.getOrThrow(Credentials.parse(["Bearer a.b.c"]))
 * assert.strictEqual(Redacted.value(one.token), "a.b.c")
 *
 * const two = Credentials.parse(["Bearer a.b.c", "Bearer d.e.f"])
 * assert.ok(Result.isFailure(two) && two.failure.reason === "several-authorization-headers")
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (
  lines: ReadonlyArray<string>,
  grammar: Grammar = "token68",
  schemes: ReadonlyArray<Scheme> = bearerOnly
): Result.Result<Credentials, MissingCredentials | MalformedRequest> => {
  if (lines.length === 0) return noAuthorization
  const usual = lines.length === 1 ? lines[0]! : lines.join(", ")
  // Nearly every client writes this form. All other forms are parsed below.
  if (usual.startsWith("Bearer ") && schemes.includes("Bearer") && grammars[grammar].test(usual.slice(7))) {
    return Result.succeed(new Parsed("Bearer", usual.slice(7), usual))
  }
  const value = trim(usual)
  if (value === "") return noAuthorization
  if (value.includes(",") && isSeveral(value)) return severalHeaders
  const name = scheme.exec(value)?.[0]
  if (name === undefined) return notToken68
  const rest = value.slice(name.length)
  const lower = name.toLowerCase()
  const presented = schemes.find((_) => _.toLowerCase() === lower)
  if (presented === undefined) return otherScheme
  if (rest === "") return noToken
  if (rest[0] !== " ") return notToken68
  const token = trimStart(rest)
  return grammars[grammar].test(token) ? Result.succeed(new Parsed(presented, token, undefined)) : notToken68
}

/**
 * Tells whether a value contains more than one credential (RFC 9110 §11.4): a comma outside of quotes is followed by
 * something that is not a parameter of the preceding credential.
 */
const isSeveral = (value: string): boolean => {
  let start = 0
  let isQuoted = false
  for (let index = 0; index <= value.length; index++) {
    const character = value[index]
    if (isQuoted && character === "\\") index++
    else if (character === "\"") isQuoted = !isQuoted
    else if (character === undefined || (character === "," && !isQuoted)) {
      const element = value.slice(start, index)
      // The first element begins with a scheme, so it does not have the form of a parameter.
      if (start === 0 ? element === "" : !parameter.test(element)) return true
      start = index + 1
    }
  }
  return false
}

const parameter =
  /^[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[^"\\]|\\.)*")[ \t]*$/

// Removes only the optional whitespace of RFC 9110 §5.6.3: `String.trim` also removes U+FEFF and U+00A0. The end is trimmed
// by a loop, because a pattern takes quadratic time: a header of 16 KB would block the thread for 0.2 seconds.
const trim = (value: string): string => {
  let end = value.length
  while (end > 0 && (value[end - 1] === " " || value[end - 1] === "\t")) end--
  return value.slice(0, end).replace(/^[ \t]+/, "")
}
const trimStart = (value: string): string => value.replace(/^ +/, "")
