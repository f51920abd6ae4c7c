/**
 * Defines and checks the options of DPoP.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Algorithm from "../../crypto/Algorithm.ts"
import { problemOf } from "../../crypto/AlgorithmNames.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as uri from "../../protocol/UriNormalization.ts"
import { memory, type Store } from "./ReplayStore.ts"

/**
 * Configures DPoP.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never> {
  /** The accepted signature algorithms of proofs. Default: `Algorithm.all`. */
  readonly algorithms?: ReadonlyArray<Algorithm.Algorithm> | undefined
  /** The maximum age of a proof, from 1 second. Together with `clockTolerance` at most 5 minutes. Default: 60 seconds. */
  readonly window?: Duration.Input | undefined
  /** The accepted difference between the clocks of client and server. Default: 30 seconds. */
  readonly clockTolerance?: Duration.Input | undefined
  /**
   * Whether a proof must contain a nonce of this server (RFC 9449 §9), which shows that the proof was not created in advance.
   * A client without a current nonce needs one more request. Default: `"off"`.
   */
  readonly nonce?: "off" | "required" | undefined
  /** How long a nonce is accepted, from 1 second to 5 minutes. Default: 5 minutes. */
  readonly nonceLifetime?: Duration.Input | undefined
  /**
   * The secret that authenticates nonces, of at least 32 bytes. All instances need the same secret. Default: a random secret of
   * this process.
   */
  readonly nonceSecret?: Redacted.Redacted | undefined
  /**
   * The store of used proofs: `Dpop.memory(capacity)`, `Dpop.redis(redis)` for several instances, a custom store, or an Effect
   * of one. Default: `Dpop.memory(100_000)`.
   */
  readonly replay?: Store | Effect.Effect<Store, AuthConfigError, R | Scope.Scope> | undefined
  /**
   * The prefix that a reverse proxy removes from the path, such as `/todos`. It is needed because clients sign the URL that they
   * call. The origin is always that of the resource. Default: none.
   */
  readonly strippedPrefix?: string | undefined
}

/**
 * Contains the checked options, with defaults applied. Times are in seconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings<out R = never> {
  readonly mode: "optional" | "required"
  readonly algorithms: ReadonlyArray<Algorithm.Algorithm>
  readonly window: number
  readonly clockTolerance: number
  readonly nonce: { readonly lifetime: number; readonly secret: Redacted.Redacted | undefined } | undefined
  readonly replay: Effect.Effect<Store, AuthConfigError, R | Scope.Scope>
  readonly strippedPrefix: string
}

const names = Object.keys(
  {
    algorithms: true,
    window: true,
    clockTolerance: true,
    nonce: true,
    nonceLifetime: true,
    nonceSecret: true,
    replay: true,
    strippedPrefix: true
  } satisfies Record<keyof Options, true>
)

/**
 * Checks the options of `Dpop.required` or `Dpop.optional`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const check = <R>(mode: Settings["mode"], given: Options<R>): Result.Result<Settings<R>, AuthConfigError> =>
  Result.gen(function*() {
    const fail = (reason: AuthConfigError["reason"], option: string, fix: string) =>
      Result.fail(new AuthConfigError({ reason, option: option === "" ? "dpop" : `dpop.${option}`, fix }))
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      return yield* fail(
        "malformed",
        "",
        `${OptionValue.isNot(given, `an object of options for Dpop.${mode}`)}. Write Dpop.${mode}() for the defaults`
      )
    }
    const unknown = Object.keys(given).find((_) => !names.includes(_))
    if (unknown !== undefined) return yield* fail("malformed", unknown, OptionValue.noSuchOption(names))
    const seconds = (name: "window" | "clockTolerance" | "nonceLifetime", fallback: number, least: number) => {
      const input = given[name]
      if (input === undefined) return Result.succeed(fallback)
      const duration = OptionValue.toDuration(input)
      const value = duration === undefined ? Number.NaN : Duration.toSeconds(duration)
      return value >= least && value <= 300
        ? Result.succeed(value)
        : fail(
          "malformed",
          name,
          `${OptionValue.isNot(input, `a duration from ${least === 0 ? "0" : "1 second"} to 5 minutes`)}. ` +
            `Write one such as "${fallback} seconds"`
        )
    }
    const window = yield* seconds("window", 60, 1)
    const clockTolerance = yield* seconds("clockTolerance", 30, 0)
    if (window + clockTolerance > 300) {
      return yield* fail(
        "insecure",
        "window",
        `window and clockTolerance add up to ${
          window + clockTolerance
        } seconds, and a stolen proof stays valid for that long. Reduce ` +
          "them to 300 seconds or less together"
      )
    }
    const algorithms = given.algorithms ?? Algorithm.all
    if (!Array.isArray(algorithms) || algorithms.length === 0 || !algorithms.every(Algorithm.isAlgorithm)) {
      return yield* fail("malformed", "algorithms", problemOf(given.algorithms))
    }
    if (given.nonce !== undefined && given.nonce !== "off" && given.nonce !== "required") {
      return yield* fail(
        "malformed",
        "nonce",
        `${OptionValue.isNot(given.nonce, "\"off\" or \"required\"")}. Leave it out for "off"`
      )
    }
    const lifetime = yield* seconds("nonceLifetime", 300, 1)
    if (given.nonceSecret !== undefined && !Redacted.isRedacted(given.nonceSecret)) {
      return yield* fail("malformed", "nonceSecret", "the value is not Redacted. Write Redacted.make(secret)")
    }
    const secret = given.nonceSecret
    if (secret !== undefined && new TextEncoder().encode(String(Redacted.value(secret))).length < 32) {
      return yield* fail(
        "insecure",
        "nonceSecret",
        "the secret has fewer than 32 bytes. Give the output of: openssl rand -base64 32"
      )
    }
    if (given.nonce !== "required" && (given.nonceLifetime ?? secret) !== undefined) {
      return yield* fail(
        "conflict",
        given.nonceLifetime === undefined ? "nonceSecret" : "nonceLifetime",
        "it has no effect without nonce: \"required\". Write that, or remove it"
      )
    }
    const { replay } = given
    if (replay !== undefined && !Effect.isEffect(replay) && typeof replay?.firstUse !== "function") {
      return yield* fail(
        "malformed",
        "replay",
        `${
          OptionValue.isNot(replay, "a store of used proofs")
        }. Write Dpop.memory(capacity), Dpop.redis(redis) or a custom store`
      )
    }
    const strippedPrefix = given.strippedPrefix ?? ""
    if (
      typeof strippedPrefix !== "string" ||
      (strippedPrefix !== "" && (strippedPrefix.endsWith("/") || uri.ofRequest(strippedPrefix) !== strippedPrefix))
    ) {
      return yield* fail(
        "malformed",
        "strippedPrefix",
        `${OptionValue.isNot(strippedPrefix, "a path without a slash at its end")}. Write one such as "/todos"`
      )
    }
    return {
      mode,
      algorithms: [...new Set(algorithms)],
      window,
      clockTolerance,
      nonce: given.nonce === "required" ? { lifetime, secret } : undefined,
      replay: replay === undefined || Effect.isEffect(replay) ? replay ?? memory() : Effect.succeed(replay),
      strippedPrefix
    }
  })
