/**
 * How an authorization server is asked about a token (RFC 7662, and RFC 9701 for signed answers).
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as ClientAuthentication from "../../outbound/ClientAuthentication.ts"
import { AuthConfigError, type AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import * as optionNames from "../../protocol/OptionNames.ts"
import { checkMachineMarks, checkSubjectClaims } from "../claims/SubjectClaims.ts"

/**
 * What every way of asking has in common.
 *
 * @category models
 * @since 0.1.0
 */
export interface Common {
  /**
   * Which tokens are asked about: `"opaque"` (default), those that are no JWT; `"all"`, JWTs of this issuer as well,
   * which shows revocation within the time that answers are remembered, at the price of a request. What a JWT says beyond
   * the answer counts only if a key of its issuer proves its signature.
   */
  readonly tokens?: "opaque" | "all" | undefined
  /**
   * How the opaque tokens of this server begin, where several servers issue opaque tokens: a token is shown to one of
   * them only.
   */
  readonly prefix?: string | undefined
  /**
   * How long a token lives whose answer has no `exp`, from its `iat` or else from the moment of asking. Without it such
   * a token is rejected.
   */
  readonly maxLifetime?: Duration.Input | undefined
  /**
   * How many unknown tokens the server may call inactive before further ones wait (503 with `Retry-After`): `burst` at
   * once, then `perSecond`. Tokens that verified before, and new tokens that are active, do not count. Default: 100 at once
   * and 10 per second.
   */
  readonly inactiveLimit?: InactiveLimit | undefined
  /**
   * The claims of an answer that identify the person or program behind a token, in this order, such as
   * `["sub", "username"]`: `sub` is optional in RFC 7662 §2.2. Default: those of the profile, or `sub` alone. Name only
   * claims whose values the server never gives to a second person.
   */
  readonly subjectClaims?: readonly [string, ...ReadonlyArray<string>] | undefined
  /**
   * How an answer without any of `subjectClaims` shows that the token was issued to a program for itself. Default: those of
   * the profile (see `Profile.MachineMark`). Without a mark such a token is rejected.
   */
  readonly machineMarks?:
    | ReadonlyArray<{ readonly claim: string; readonly values: readonly [string, ...ReadonlyArray<string>] }>
    | undefined
}

/**
 * A limit on answers about tokens that are not active, so that invented tokens cannot cause any number of requests.
 *
 * **Gotchas**
 *
 * While invented tokens use the limit up, the tokens of new callers wait with them. A server with many callers whose tokens
 * expire at the same time may need more than the default.
 *
 * @category models
 * @since 0.1.0
 */
export interface InactiveLimit {
  /** A whole number from 1. In a Worker, also how many requests about unknown tokens run at a time. Default: 100. */
  readonly burst?: number | undefined
  /** Above 0. Default: 10. */
  readonly perSecond?: number | undefined
}

/**
 * Ask the introspection endpoint.
 *
 * @category models
 * @since 0.1.0
 */
export interface Endpoint extends Common {
  /** Default: `introspection_endpoint` of the server's metadata. */
  readonly endpoint?: string | undefined
  /** Accept only answers that the issuer signed (RFC 9701). A signed answer is verified either way. */
  readonly signedAnswers?: true | undefined
}

/**
 * What a token is, in the words of RFC 7662 §2.2. A token is good only if `active` is `true`. `null` for `exp`, `sub` and
 * `token_type` counts as absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly active: boolean
  readonly [claim: string]: unknown
}

/**
 * Ask in another way, for a server without the endpoint.
 *
 * **When to use**
 *
 * The server tells what a token is, in a way of its own.
 *
 * **Details**
 *
 * The answer is judged by the same rules as every token: `aud`, `exp`, `sub` and the others have to be in it.
 *
 * **Example** (A server without the endpoint)
 *
 * ```ts
 * import type { Introspection } from "effect-mcp-auth/introspection"
 * import type { AuthorizationServer } from "effect-mcp-auth/verification"
 * import { Clock, Effect, Redacted } from "effect"
 * import assert from "node:assert/strict"
 *
 * const introspection: Introspection.LookUp = {
 *   lookUp: (token) =>
 *     Effect.map(Clock.currentTimeMillis, (now) =>
 *       // From a table of your own, for instance.
 *       Redacted.value(token) === "opaque"
 *         ? { active: true, sub: "alice", aud: "https://todos.example.com/mcp", exp: Math.floor(now / 1000) + 300 }
 *         : { active: false })
 * }
 * const server: AuthorizationServer.Input = { issuer: "https://auth.example.com", introspection }
 *
 * const answer = introspection.lookUp(Redacted.make("something else"))
 * assert.ok(Effect.isEffect(answer))
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export interface LookUp extends Common {
  readonly lookUp: (
    token: Redacted.Redacted
  ) => Effect.Effect<Answer, AuthorizationServerUnavailable, HttpClient.HttpClient>
}

/**
 * How a server is asked.
 *
 * **Example** (The endpoint that the metadata names, with a client id and a secret)
 *
 * ```ts
 * import { AuthorizationServer } from "effect-mcp-auth/verification"
 * import { Redacted } from "effect"
 *
 * const server: AuthorizationServer.Input = {
 *   issuer: "https://auth.example.com",
 *   introspection: { clientId: "todos", clientSecret: Redacted.make(process.env["CLIENT_SECRET"] ?? "") }
 * }
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Options = (ClientAuthentication.ClientAuthentication & Endpoint) | LookUp

/**
 * The options, checked. Client authentication is checked when the verifier is made: keys have to be imported for it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Introspection {
  readonly options: Options
  readonly option: string
  readonly tokens: "opaque" | "all"
  readonly prefix: string | undefined
  /** In seconds. */
  readonly maxLifetime: number | undefined
  readonly inactiveLimit: { readonly burst: number; readonly perSecond: number }
}

/**
 * Checks the options. `option` is the name that an error gives to them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options, option: string): Result.Result<Introspection, AuthConfigError> =>
  Result.gen(function*() {
    const fail = (member: string, fix: string) =>
      Result.fail(new AuthConfigError({ reason: "malformed", option: `${option}.${member}`, fix }))
    if (typeof options !== "object" || options === null) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "malformed",
          option,
          fix: "give { clientId, clientSecret }, { clientId, privateKey }, { bearerToken } or { lookUp }"
        })
      )
    }
    yield* optionNames.check(options, option, names)
    if ("lookUp" in options && typeof options.lookUp !== "function") {
      return yield* fail("lookUp", "give a function from a token to an Effect of { active, … }")
    }
    const tokens = options.tokens ?? "opaque"
    if (tokens !== "opaque" && tokens !== "all") {
      return yield* fail("tokens", `write "opaque" or "all", or leave it out to ask about opaque tokens alone`)
    }
    if (
      options.prefix !== undefined && (typeof options.prefix !== "string" || !/^[\x21-\x7e]+$/.test(options.prefix))
    ) {
      return yield* fail("prefix", "write the visible characters that every token of this server begins with")
    }
    const subjects = options.subjectClaims === undefined ? undefined : checkSubjectClaims(options.subjectClaims)
    if (subjects !== undefined) {
      return yield* Result.fail(new AuthConfigError({ ...subjects, option: `${option}.subjectClaims` }))
    }
    const marks = options.machineMarks === undefined ? undefined : checkMachineMarks(options.machineMarks)
    if (marks !== undefined) return yield* fail("machineMarks", marks)
    const maxLifetime = options.maxLifetime === undefined ? undefined : Duration.fromInput(options.maxLifetime)
    const seconds = maxLifetime === undefined
      ? undefined
      : maxLifetime._tag === "Some"
      ? Duration.toSeconds(maxLifetime.value)
      : Number.NaN
    if (seconds !== undefined && !(seconds > 0 && seconds <= 366 * 24 * 60 * 60)) {
      return yield* fail("maxLifetime", "give a duration above 0 and up to a year, such as \"1 hour\"")
    }
    const inactiveLimit = readLimit(options.inactiveLimit)
    if (inactiveLimit === undefined) {
      return yield* fail(
        "inactiveLimit",
        "give { burst, perSecond }: a whole number from 1 and a number above 0, or leave it out for 100 and 10"
      )
    }
    return { options, option, tokens, prefix: options.prefix, maxLifetime: seconds, inactiveLimit }
  })

type NamesOf<O> = O extends unknown ? Extract<keyof O, string> : never

const names: Readonly<Record<NamesOf<Options>, true>> = {
  clientId: true,
  clientSecret: true,
  privateKey: true,
  bearerToken: true,
  method: true,
  assertionAudience: true,
  lookUp: true,
  endpoint: true,
  signedAnswers: true,
  tokens: true,
  prefix: true,
  maxLifetime: true,
  inactiveLimit: true,
  subjectClaims: true,
  machineMarks: true
}

const readLimit = (limit: InactiveLimit | undefined): Introspection["inactiveLimit"] | undefined => {
  if (limit === undefined) return { burst: 100, perSecond: 10 }
  if (typeof limit !== "object" || limit === null) return undefined
  if (Object.keys(limit).some((_) => _ !== "burst" && _ !== "perSecond")) return undefined
  const { burst = 100, perSecond = 10 } = limit
  return Number.isSafeInteger(burst) && burst >= 1 && Number.isFinite(perSecond) && perSecond > 0
    ? { burst, perSecond }
    : undefined
}
