/**
 * The `Authorization` request header (RFC 9110 §11.6.2, RFC 6750 §2.1, RFC 9449 §7.1).
 *
 * @since 0.1.0
 */
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { MalformedRequest, MissingCredentials } from "./AuthError.ts"

/**
 * How a token is presented: by itself (RFC 6750), or with the proof of a key (RFC 9449).
 *
 * @category models
 * @since 0.1.0
 */
export type Scheme = "Bearer" | "DPoP"

/**
 * What a client presented: one token under one scheme.
 *
 * @category models
 * @since 0.1.0
 */
export interface Credentials {
  readonly scheme: Scheme
  readonly token: Redacted.Redacted
}

/**
 * Which characters a token may be made of.
 *
 * **Details**
 *
 * `token68` is what RFC 9110 §11.2 and RFC 6750 §2.1 allow. Some providers issue opaque tokens outside of it (`oauth:…`,
 * `00D…!…`): `visible-ascii` admits every visible ASCII character but the double quote, the comma and the backslash, so
 * that still nothing in it can end the token or begin another.
 *
 * @category models
 * @since 0.1.0
 */
export type Grammar = "token68" | "visible-ascii"

/**
 * What was presented, as text.
 *
 * **When to use**
 *
 * Verifying a token. It is the same as unwrapping `token`, without wrapping it first.
 *
 * @category getters
 * @since 0.1.0
 */
export const textOf = (credentials: Credentials): string => Parsed.textOf(credentials)

/**
 * The `Authorization` line that presents the same, as nearly every client writes it: the scheme, one space, the token.
 *
 * @category getters
 * @since 0.1.0
 */
export const lineOf = (credentials: Credentials): string => Parsed.lineOf(credentials)

/** Most of what is rejected is rejected by its form: nobody asks for the wrapped token then, and wrapping is a look-up. */
class Parsed implements Credentials {
  readonly scheme: Scheme
  readonly #text: string
  /** The line that came in, where it is the usual one: the text is a slice of it, and a new one would be another string. */
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

// Rejections are frequent and carry nothing of the request: one value each serves all of them.
const noAuthorization = Result.fail(new MissingCredentials({ reason: "no-authorization" }))
const otherScheme = Result.fail(new MissingCredentials({ reason: "other-scheme" }))
const noToken = Result.fail(new MalformedRequest({ reason: "no-token" }))
const notToken68 = Result.fail(new MalformedRequest({ reason: "not-token68" }))
const severalHeaders = Result.fail(new MalformedRequest({ reason: "several-authorization-headers" }))

/**
 * Reads the `Authorization` header lines of one request.
 *
 * **Details**
 *
 * The scheme ignores case; one or more spaces (no tab) separate it from exactly one token68. Two credentials are rejected
 * even if one of them is good, since an intermediary may have checked the other. Some hosts join header lines by a comma,
 * so lines count as if they were joined: `Basic abc, Bearer def` is two credentials wherever it comes from, and
 * `Digest a="b, c", d="e"` is one. `grammar` widens what a token may be made of. A scheme that is not among `schemes` counts
 * as no credentials.
 *
 * **Gotchas**
 *
 * Node's `req.headers` silently drops a second `Authorization` line. Pass the raw lines.
 *
 * **Example** (One header line, and two)
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
  // As nearly everybody writes it. Whatever else this may be is looked at below.
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
 * Tells whether a value holds more than one credential (RFC 9110 §11.4): whether a comma outside of quotes is followed by
 * something that is not a parameter of the credential before it.
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
      // The first element begins with a scheme.
      if (start === 0 ? element === "" : !parameter.test(element)) return true
      start = index + 1
    }
  }
  return false
}

const parameter =
  /^[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*=[ \t]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:[^"\\]|\\.)*")[ \t]*$/

// Only the optional whitespace of RFC 9110 §5.6.3: `String.trim` would also eat U+FEFF and U+00A0. A pattern that looks
// for it at the end starts anew at every space: a header of 16 KB would hold the thread for a fifth of a second.
const trim = (value: string): string => {
  let end = value.length
  while (end > 0 && (value[end - 1] === " " || value[end - 1] === "\t")) end--
  return value.slice(0, end).replace(/^[ \t]+/, "")
}
const trimStart = (value: string): string => value.replace(/^ +/, "")
