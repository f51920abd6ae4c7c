/**
 * Defines and checks the options of introspection.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { BackingPersistenceStore } from "effect/persistence/Persistence"
import type * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type * as ClientAuthentication from "../../outbound/ClientAuthentication.ts"
import type { AuthConfigError, AuthorizationServerUnavailable } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import { checkMachineMarks, checkSubjectClaims } from "../claims/SubjectClaims.ts"
import { checkUrl } from "../issuers/AuthorizationServer.ts"

/**
 * The members of a store of `effect/persistence` that shared answers need.
 *
 * @category models
 * @since 0.1.0
 */
export type SharedStore = Pick<BackingPersistenceStore, "get" | "set">

/**
 * Contains the options that `make` and `lookUp` have in common.
 *
 * @category models
 * @since 0.1.0
 */
export interface CommonOptions<out R = never> {
  /**
   * Which tokens are introspected: only tokens that are not JWTs (`"opaque"`), or also the JWTs of this issuer (`"all"`). With
   * `"all"`, your server notices the revocation of a JWT within `cacheFor`, but sends a request for each new JWT. If the answer
   * lacks a claim, the claim of the JWT is used only if a key of the issuer verifies the signature of the JWT. Default:
   * `"opaque"`.
   */
  readonly tokens?: "opaque" | "all" | undefined
  /**
   * The prefix of the opaque tokens of this authorization server. Required if several authorization servers issue opaque
   * tokens, because each token is sent to only one of them. Default: none.
   */
  readonly prefix?: string | undefined
  /**
   * The lifetime of a token whose answer has no `exp`. It begins at `iat`, or at the time of the request if there is no `iat`.
   * Above 0, at most 366 days. Default: none, so that such a token is rejected.
   */
  readonly maxLifetime?: Duration.Input | undefined
  /**
   * Limits how many unknown tokens the authorization server may report as inactive: `burst` at once, then `perSecond`. Further
   * requests with unknown tokens get 503 with `Retry-After`. Active tokens and tokens that were verified before do not count.
   * Default: 100 at once and 10 per second.
   */
  readonly inactiveLimit?: InactiveLimit | undefined
  /**
   * How long an answer is reused. Your server notices a revocation within this time. `0` caches nothing. At most 1 hour.
   * Default: 1 minute.
   */
  readonly cacheFor?: Duration.Input | undefined
  /**
   * How long an inactive token is rejected without a new request to the authorization server. `0` caches nothing. At most 1
   * minute. Default: 5 seconds.
   */
  readonly inactiveFor?: Duration.Input | undefined
  /**
   * A store of `effect/persistence`, or an Effect of one, in which the instances of a server share answers. Default: none.
   *
   * Answers are stored under a hash of their token, until the token expires and at most for `cacheFor`. They are written in the
   * background. If the store fails or takes more than 250 milliseconds, a request is sent to the authorization server instead. After two
   * failures in a row, the store is not used for 5 seconds, and after further failures for up to a minute.
   *
   * Anyone with write access to the store can impersonate any user. Anyone with read access learns the claims of tokens in use.
   */
  readonly shared?: SharedStore | Effect.Effect<SharedStore, never, R | Scope.Scope> | undefined
  /**
   * The claims that can identify the person or the program that a token was issued for, such as `["sub", "username"]`. The
   * first one that the answer contains is used. `sub` alone may not be sufficient, because it is optional in RFC 7662 §2.2.
   * List only claims whose values the authorization server never assigns to a second person. Default: those of the profile, or
   * `sub` alone.
   */
  readonly subjectClaims?: readonly [string, ...ReadonlyArray<string>] | undefined
  /**
   * The claims that mark a token as issued to a program for itself. A token without any of the `subjectClaims` is rejected
   * unless it has one of these marks. Default: those of the profile (see `Profile.MachineMark`).
   */
  readonly machineMarks?:
    | ReadonlyArray<{ readonly claim: string; readonly values: readonly [string, ...ReadonlyArray<string>] }>
    | undefined
}

/**
 * Limits the answers about inactive tokens, so that invented tokens cannot cause unlimited requests.
 *
 * **Gotchas**
 *
 * While invented tokens exhaust the limit, new tokens of callers are rejected with 503 as well. A server with many callers whose
 * tokens expire at the same time may need a higher limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface InactiveLimit {
  /**
   * How many unknown tokens may be found inactive at once. A whole number of at least 1. In a Worker, it is also the maximum
   * number of concurrent requests about unknown tokens. Default: 100.
   */
  readonly burst?: number | undefined
  /** How many more may be found inactive in each second after that. A number above 0. Default: 10. */
  readonly perSecond?: number | undefined
}

/**
 * Contains the options of `make`: the endpoint, and how this server authenticates there.
 *
 * @category models
 * @since 0.1.0
 */
export type Options<R = never> = ClientAuthentication.ClientAuthentication & EndpointOptions<R>

/**
 * Contains the options of `make` without the authentication.
 *
 * @category models
 * @since 0.1.0
 */
export interface EndpointOptions<out R = never> extends CommonOptions<R> {
  /** The URL of the endpoint. Default: `introspection_endpoint` of the server's metadata. */
  readonly endpoint?: string | undefined
  /**
   * Accepts only signed answers (RFC 9701). Default: unsigned answers are accepted too. The signature of a signed answer is
   * always verified.
   */
  readonly signedAnswers?: true | undefined
}

/**
 * An introspection response (RFC 7662 §2.2). The token is accepted only if `active` is `true`. `exp`, `sub` and `token_type`
 * count as absent if they are `null`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly active: boolean
  readonly [claim: string]: unknown
}

/**
 * Returns the introspection response for a token. The layer provides its `Fetcher` to the function.
 *
 * @category models
 * @since 0.1.0
 */
export type LookUp<R = never> = (
  token: Redacted.Redacted
) => Effect.Effect<Answer, AuthorizationServerUnavailable, R>

/**
 * Contains the checked options, with defaults applied. Client authentication is checked when the verifier is created, because
 * its key must be imported.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings<out R = never> {
  readonly source: Options<R> | { readonly lookUp: LookUp<R> }
  readonly option: string
  readonly tokens: "opaque" | "all"
  readonly prefix: string | undefined
  /** In seconds. */
  readonly maxLifetime: number | undefined
  readonly inactiveLimit: { readonly burst: number; readonly perSecond: number }
  readonly cacheFor: Duration.Duration
  readonly inactiveFor: Duration.Duration
  readonly shared: Effect.Effect<SharedStore | undefined, never, R | Scope.Scope>
  readonly subjectClaims: CommonOptions["subjectClaims"]
  readonly machineMarks: CommonOptions["machineMarks"]
}

/**
 * Checks the options. `option` is their path in errors. `insecure` allows plain http.
 *
 * @category constructors
 * @since 0.1.0
 */
export const check = <R>(
  source: Settings<R>["source"],
  given: CommonOptions<R>,
  option: string,
  insecure: boolean
): Result.Result<Settings<R>, AuthConfigError> =>
  ConfigOption.attempt(() => {
    const isLookUp = "lookUp" in source
    if (isLookUp && typeof source.lookUp !== "function") {
      throw ConfigOption.invalid(
        option,
        source.lookUp,
        "a function for Introspection.lookUp",
        "Give one that takes a token and returns an Effect of the introspection answer, such as { active: true, sub: \"alice\" }"
      )
    }
    ConfigOption.check<string>(given, option, isLookUp ? commonTable : endpointTable)
    if (!isLookUp && source.endpoint !== undefined) checkUrl(source.endpoint, `${option}.endpoint`, insecure)
    const { burst = defaultLimit.burst, perSecond = defaultLimit.perSecond }: InactiveLimit = given.inactiveLimit ??
      defaultLimit
    return {
      source,
      option,
      tokens: given.tokens ?? commonTable.tokens.default,
      prefix: given.prefix,
      maxLifetime: given.maxLifetime === undefined ? undefined : Duration.toSeconds(given.maxLifetime),
      inactiveLimit: { burst, perSecond },
      cacheFor: Duration.fromInputUnsafe(given.cacheFor ?? commonTable.cacheFor.default),
      inactiveFor: Duration.fromInputUnsafe(given.inactiveFor ?? commonTable.inactiveFor.default),
      shared: toShared(given.shared),
      subjectClaims: given.subjectClaims,
      machineMarks: given.machineMarks
    }
  })

const defaultLimit = { burst: 100, perSecond: 10 }

const isLimit = (limit: InactiveLimit | null): boolean => {
  if (!OptionValue.isObject(limit) || Object.keys(limit).some((_) => !Object.hasOwn(defaultLimit, _))) return false
  const { burst = defaultLimit.burst, perSecond = defaultLimit.perSecond }: InactiveLimit = limit
  return Number.isSafeInteger(burst) && burst >= 1 && Number.isFinite(perSecond) && perSecond > 0
}

const isStore = (shared: CommonOptions<unknown>["shared"] | null): boolean =>
  Effect.isEffect(shared) || (typeof shared?.get === "function" && typeof shared.set === "function")

const commonTable = {
  tokens: ConfigOption.oneOf("opaque", "all"),
  prefix: ConfigOption.rule(
    (prefix) => typeof prefix === "string" && /^[\x21-\x7e]+$/.test(prefix),
    "text of visible ASCII characters",
    "Write the characters with which every token of this server begins, such as \"gho_\""
  ),
  maxLifetime: ConfigOption.durationSuchAs("1 millis", "366 days", "1 hour"),
  inactiveLimit: ConfigOption.withDefault(
    defaultLimit,
    isLimit,
    "{ burst, perSecond }, with a whole number from 1 as burst and a number above 0 as perSecond",
    `${defaultLimit.burst} at once and ${defaultLimit.perSecond} per second`
  ),
  cacheFor: ConfigOption.duration("0 seconds", "1 hour", "1 minute"),
  inactiveFor: ConfigOption.duration("0 seconds", "1 minute", "5 seconds"),
  shared: ConfigOption.rule(isStore, "a store", "Give one of effect/persistence, or an Effect of one"),
  subjectClaims: checkSubjectClaims,
  machineMarks: checkMachineMarks
} satisfies ConfigOption.Table<keyof CommonOptions>

const endpointTable: ConfigOption.Table<ConfigOption.NamesOf<Options>> = {
  ...commonTable,
  clientId: true,
  clientSecret: true,
  privateKey: true,
  bearerToken: true,
  method: true,
  assertionAudience: true,
  endpoint: true,
  signedAnswers: ConfigOption.rule((_) => _ === true, "true", "Write true, or remove it to accept unsigned answers")
}

const toShared = <R>(shared: CommonOptions<R>["shared"]): Settings<R>["shared"] =>
  shared === undefined ? Effect.undefined : Effect.isEffect(shared) ? shared : Effect.succeed(shared)
