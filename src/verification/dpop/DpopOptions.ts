/**
 * Defines and checks the options of DPoP.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Algorithm from "../../crypto/Algorithm.ts"
import { checkAlgorithms } from "../../crypto/AlgorithmNames.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
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
  /**
   * The maximum age of a proof. At least 1 second. The sum of `window` and `clockTolerance` is at most 5 minutes. Default: 60
   * seconds.
   */
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
   * The secret that authenticates nonces. At least 32 bytes. All instances of a server need the same secret. Default: a random
   * secret of this process.
   */
  readonly nonceSecret?: Redacted.Redacted | undefined
  /**
   * The store of used proofs: `Dpop.memory(capacity)`, `Dpop.redis(redis)` for several instances, a custom store, or an Effect
   * of a store. Default: `Dpop.memory(100_000)`.
   */
  readonly replay?: Store | Effect.Effect<Store, AuthConfigError, R | Scope.Scope> | undefined
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
}

/** The maximum of the sum of `window` and `clockTolerance`, in seconds. */
const longest = 300

const table = {
  algorithms: checkAlgorithms,
  window: ConfigOption.duration("1 second", "5 minutes", "60 seconds"),
  clockTolerance: ConfigOption.duration("0 seconds", "5 minutes", "30 seconds"),
  nonce: ConfigOption.oneOf("off", "required"),
  nonceLifetime: ConfigOption.duration("1 second", "5 minutes", "5 minutes"),
  nonceSecret: ConfigOption.checkSecret,
  replay: ConfigOption.rule(
    (replay) => Effect.isEffect(replay) || typeof replay?.firstUse === "function",
    "a store of used proofs",
    "Write Dpop.memory(capacity), Dpop.redis(redis) or a custom store"
  )
} satisfies ConfigOption.Table<keyof Options>

/**
 * Checks the options of `Dpop.required` or `Dpop.optional`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const check = <R>(mode: Settings["mode"], given: Options<R>): Result.Result<Settings<R>, AuthConfigError> =>
  ConfigOption.attempt(() => {
    ConfigOption.check(given, "dpop", table)
    const window = Duration.toSeconds(given.window ?? table.window.default)
    const clockTolerance = Duration.toSeconds(given.clockTolerance ?? table.clockTolerance.default)
    if (window + clockTolerance > longest) {
      throw ConfigOption.error(
        "dpop.window",
        `window and clockTolerance add up to ${
          window + clockTolerance
        } seconds, and a stolen proof stays valid for that long. ` +
          `Reduce them to ${longest} seconds or less together`,
        "insecure"
      )
    }
    const { nonceLifetime, nonceSecret: secret, replay } = given
    if (given.nonce !== "required" && (nonceLifetime ?? secret) !== undefined) {
      throw ConfigOption.error(
        nonceLifetime === undefined ? "dpop.nonceSecret" : "dpop.nonceLifetime",
        "it has no effect without nonce: \"required\". Write that, or remove it",
        "conflict"
      )
    }
    return {
      mode,
      algorithms: [...new Set(given.algorithms ?? Algorithm.all)],
      window,
      clockTolerance,
      nonce: given.nonce === "required"
        ? { lifetime: Duration.toSeconds(nonceLifetime ?? table.nonceLifetime.default), secret }
        : undefined,
      replay: replay === undefined || Effect.isEffect(replay) ? replay ?? memory() : Effect.succeed(replay)
    }
  })
