import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type {
  ApiKeyStoreUnavailable,
  AuthorizationServerUnavailable,
  RevocationStoreUnavailable
} from "../../protocol/AuthError.ts"
import { sanitizeCause } from "../../protocol/RemoteText.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import type { Principal } from "../Principal.ts"

/* Checks the tokens of open streams, regularly and with bounded load. */

/** How many streams may be checked at the same time. Other streams wait for `pause` and try again. */
const maximumChecks = 16

/** The time until a waiting stream tries again, in milliseconds. */
const pause = 100

/**
 * The number of waiting streams above which `pause` grows in proportion to that number. Otherwise the attempts of many streams
 * would keep the processor busy during an outage of the check.
 */
const waitingAtOnce = 1_000

/** The time limit of a check. A slower answer counts as an outage. */
const timeLimit = Duration.seconds(5)

/** Waits until the token of an open stream is revoked. The token is checked once per interval, under load less often. */
export type UntilRevoked = (principal: Principal, interval: Duration.Duration) => Effect.Effect<void>

export const make = (
  isRevoked: (
    principal: Principal
  ) => Effect.Effect<boolean, RevocationStoreUnavailable | AuthorizationServerUnavailable | ApiKeyStoreUnavailable>
): UntilRevoked => {
  let checks = 0
  let waiting = 0

  const waitForTurn = Effect.acquireUseRelease(
    Effect.sync(() => ++waiting),
    (waiting) => Effect.sleep(pause * Math.max(1, waiting / waitingAtOnce)),
    () => Effect.sync(() => void waiting--)
  )

  /** Returns `false` for an outage as well: the token was valid before, and an outage must not end all open streams. */
  const check = (principal: Principal): Effect.Effect<boolean> =>
    Effect.suspend(() => isRevoked(principal)).pipe(
      Effect.timeoutOption(timeLimit),
      Effect.map((answer) => answer._tag === "Some" && answer.value !== false),
      Effect.catch(() => Effect.succeed(false)),
      // If the function throws or dies, the token counts as revoked: a defect fails closed.
      Effect.catchDefect((defect) =>
        Effect.as(
          Effect.logError(
            "The revocation option failed for an open stream, which is closed",
            sanitizeCause(Cause.die(defect))
          ),
          true
        )
      ),
      (checked) =>
        Effect.acquireUseRelease(Effect.sync(() => ++checks), () => checked, () => Effect.sync(() => void checks--))
    )

  return (principal, interval) =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const period = Duration.toMillis(interval)
      yield* Effect.sleep(period)
      for (;;) {
        if (checks >= maximumChecks) {
          yield* waitForTurn
          continue
        }
        const started = monotonic.millisOf(clock)
        if (yield* check(principal)) return
        yield* Effect.sleep(Math.max(0, period - (monotonic.millisOf(clock) - started)))
      }
    })
}
