/**
 * Writes and parses challenges: the `WWW-Authenticate` response header (RFC 9110 §11.6.1), with the parameters of RFC 6750
 * §3, RFC 9449 §7.1 and RFC 9728 §5.1.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Result from "effect/Result"
import * as ScopeToken from "./ScopeToken.ts"

/**
 * Describes one challenge: a scheme and its parameters in their written order. Parameter names are in lower case.
 *
 * @category models
 * @since 0.1.0
 */
export interface Challenge {
  readonly scheme: string
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * Lists the parameters of a Bearer challenge.
 *
 * @category models
 * @since 0.1.0
 */
export interface BearerParameters {
  /** Absent when the request had no credentials (RFC 6750 §3.1). */
  readonly error?: "invalid_request" | "invalid_token" | "insufficient_scope" | undefined
  /** An empty list is omitted, because clients read `scope=""` as a scope of two quote characters. */
  readonly scope?: Iterable<string> | undefined
  /** The URL of the protected resource metadata (RFC 9728 §5.1). */
  readonly resourceMetadata?: string | undefined
  /** A sentence for a developer. */
  readonly errorDescription?: string | undefined
}

/**
 * Creates a Bearer challenge with its parameters in the order that both official MCP clients parse correctly.
 *
 * **Details**
 *
 * Both clients use the first `name=value` that they find anywhere in the header. Therefore the description comes last, and
 * characters that could make part of it look like a parameter are replaced.
 *
 * **Example** (A missing scope)
 *
 * ```ts
 * import { Challenge } from "effect-mcp-auth/protocol"
 * import assert from "node:assert/strict"
 *
 * const challenge = Challenge.bearer({ error: "insufficient_scope", scope: ["todos:read", "todos:write"] })
 *
 * assert.strictEqual(Challenge.encode(challenge), `Bearer error="insufficient_scope", scope="todos:read todos:write"`)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const bearer = (options: BearerParameters): Challenge => ({
  scheme: "Bearer",
  parameters: parametersOf(options)
})

/**
 * Lists the parameters of a DPoP challenge.
 *
 * @category models
 * @since 0.1.0
 */
export interface DpopParameters extends Omit<BearerParameters, "error"> {
  readonly error?: BearerParameters["error"] | "invalid_dpop_proof" | "use_dpop_nonce" | undefined
  /** The signature algorithms that are accepted for a proof. */
  readonly algs: Iterable<string>
}

/**
 * Creates a DPoP challenge (RFC 9449 §7.1). Its parameters have the order of `bearer`, followed by `algs`.
 *
 * **Example** (A missing proof)
 *
 * ```ts
 * import { Challenge } from "effect-mcp-auth/protocol"
 * import assert from "node:assert/strict"
 *
 * const challenge = Challenge.dpop({ error: "invalid_dpop_proof", algs: ["ES256"] })
 *
 * assert.strictEqual(Challenge.encode(challenge), `DPoP error="invalid_dpop_proof", algs="ES256"`)
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const dpop = (options: DpopParameters): Challenge => ({
  scheme: "DPoP",
  parameters: parametersOf(options).set("algs", [...options.algs].join(" "))
})

const parametersOf = (options: Omit<DpopParameters, "algs">): Map<string, string> => {
  const parameters = new Map<string, string>()
  const scope = ScopeToken.unique(options.scope ?? []).filter(ScopeToken.isScopeToken)
  if (options.error !== undefined) parameters.set("error", options.error)
  if (scope.length > 0) parameters.set("scope", scope.join(" "))
  if (options.resourceMetadata !== undefined) parameters.set("resource_metadata", options.resourceMetadata)
  if (options.errorDescription !== undefined) {
    parameters.set("error_description", describe(options.errorDescription))
  }
  return parameters
}

// RFC 6750 §3 allows %x20-21 / %x23-5B / %x5D-7E. `=` is replaced as well: clients would read `word=` as a parameter.
const describe = (text: string): string =>
  text.replace(/["\\=]/g, "'").replace(/[\r\n\t]+/g, " ").replace(/[^\x20-\x7E]/g, "?").slice(0, 256)

/**
 * Encodes challenges as one header value.
 *
 * **Details**
 *
 * One space follows the scheme, and every value is quoted. Quotes and backslashes inside values are escaped. Characters that
 * are not allowed in a header field are replaced by `?`, so that no value can add a header to the response.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (challenges: Challenge | ReadonlyArray<Challenge>): string =>
  (Array.isArray(challenges) ? challenges as ReadonlyArray<Challenge> : [challenges as Challenge])
    .map(({ parameters, scheme }) =>
      parameters.size === 0
        ? scheme
        : `${scheme} ${[...parameters].map(([name, value]) => `${name}=${quote(value)}`).join(", ")}`
    )
    .join(", ")

const quote = (value: string): string => `"${value.replace(/[^\x20-\x7E]/g, "?").replace(/["\\]/g, "\\$&")}"`

/**
 * Reports that a header value is not a list of challenges. `at` is the offset of the first invalid character.
 *
 * @category errors
 * @since 0.1.0
 */
export class MalformedChallenge extends /*#__PURE__*/ Data.TaggedError("MalformedChallenge")<{ readonly at: number }> {
  override get message(): string {
    return `The WWW-Authenticate header is malformed at offset ${this.at}`
  }
}

/**
 * Parses a `WWW-Authenticate` header value (RFC 9110 §11.6.1). Fails with `MalformedChallenge`, which names the offset.
 *
 * **When to use**
 *
 * Use it in a client or a test, to read the challenges of a 401 or 403 response.
 *
 * **Details**
 *
 * A token68 after a scheme becomes the parameter `token68`. Names are converted to lower case. If a name is repeated, the
 * first value is used, as in the official MCP clients.
 *
 * **Example** (The scopes of a challenge)
 *
 * ```ts
 * import { Challenge } from "effect-mcp-auth/protocol"
 * import { Result } from "effect"
 * import assert from "node:assert/strict"
 *
 * const [challenge] = Result.getOrThrow(Challenge.parse(`Bearer scope="todos:read", resource_metadata="https://x.example"`))
 *
 * assert.deepStrictEqual(Challenge.scopes(challenge!), ["todos:read"])
 * ```
 *
 * @category decoding
 * @since 0.1.0
 */
export const parse = (header: string): Result.Result<ReadonlyArray<Challenge>, MalformedChallenge> => {
  const challenges: Array<{ readonly scheme: string; readonly parameters: Map<string, string> }> = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const found = pattern.exec(header)
    if (found !== null) at += found[0].length
    return found
  }
  const malformed = () => Result.fail(new MalformedChallenge({ at }))
  take(separators)
  let opened = false // true after a scheme and a space: the next parameter belongs to that scheme
  while (at < header.length) {
    const parameter = take(authParameter)
    if (parameter !== null) {
      opened = false
      const current = challenges.at(-1)
      if (current === undefined) return malformed()
      const name = parameter[1]!.toLowerCase()
      const value = parameter[2]!.startsWith("\"")
        ? parameter[2]!.slice(1, -1).replace(/\\(.)/g, "$1")
        : parameter[2]!
      if (!current.parameters.has(name)) current.parameters.set(name, value)
    } else {
      const scheme = opened ? null : take(authScheme)
      if (scheme === null) return malformed()
      const challenge = { scheme: scheme[1]!, parameters: new Map<string, string>() }
      challenges.push(challenge)
      if (scheme[2] !== "") {
        const token = take(token68)
        if (token === null) {
          opened = true
          continue // the parameters of this scheme follow without a comma
        }
        challenge.parameters.set("token68", token[1]!)
      }
    }
    if (take(separators)![0].includes(",") === false && at < header.length) return malformed()
  }
  return Result.succeed(challenges)
}

// All patterns are sticky, so that they match at the current offset only.
const separators = /[ \t,]*/y
const authParameter = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[!#$%&'*+\-.^_`|~0-9A-Za-z]+)/y
const authScheme = /([!#$%&'*+\-.^_`|~0-9A-Za-z]+)((?=[ \t]*(?:,|$))| +)/y
const token68 = /([A-Za-z0-9\-._~+/]+=*)(?=[ \t]*(?:,|$))/y

/**
 * Returns the scopes of a challenge.
 *
 * @category getters
 * @since 0.1.0
 */
export const scopes = (challenge: Challenge): ReadonlyArray<string> =>
  ScopeToken.parse(challenge.parameters.get("scope") ?? "")
