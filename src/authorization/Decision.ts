/**
 * Describes what the gate decided, for logs, metrics and audits.
 *
 * Each decision counts in `mcp_auth_decisions` and `mcp_auth_decision_duration`, by outcome and reason. It is written to the
 * log with fixed annotations and passed to the `DecisionListener`. A decision contains no token, and no claims except issuer,
 * subject and client.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { AuthConfigError } from "../protocol/AuthError.ts"
import * as OptionValue from "../protocol/OptionValue.ts"

/**
 * One decision. It holds no token, and no claim beyond issuer, subject and client.
 *
 * **Details**
 *
 * Issuer, subject, client and operations are sanitized (see `RemoteText`): control characters are escaped, and each text
 * ends after 256 characters.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decision {
  readonly outcome: "admitted" | "rejected"
  /** The status of the answer; 200 for an admitted request, whatever the handler makes of it. */
  readonly status: number
  /** The closed reason of a rejection. */
  readonly reason: string | undefined
  readonly issuer: string | undefined
  /** As `SubjectForm` has it. */
  readonly subject: string | undefined
  readonly clientId: string | undefined
  /** Such as `tools/call add_todo`; empty where the gate did not come to read the body. */
  readonly operations: ReadonlyArray<string>
  readonly required: ReadonlyArray<string>
  readonly missing: ReadonlyArray<string>
  /** From the arrival of the request at the gate: verification, and reading the body where that was needed. */
  readonly duration: Duration.Duration
}

/**
 * Receives every decision. Default: no listener.
 *
 * **Details**
 *
 * Provide it to `AuthLayer`, or around the whole server.
 *
 * **Gotchas**
 *
 * The request waits for the listener. Hand work over to a queue. A listener that takes more than 5 seconds has failed: the
 * request is answered with 500, unless it was rejected anyway.
 *
 * **Example** (An audit trail)
 *
 * ```ts
 * import { Effect, Layer, Queue } from "effect"
 * import { Decision } from "effect-mcp-auth"
 *
 * const Audit = Layer.effect(
 *   Decision.DecisionListener,
 *   Effect.gen(function*() {
 *     const trail = yield* Queue.sliding<Decision.Decision>(1000)
 *     yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(trail), (decision) => Effect.log(decision))))
 *     return (decision) => Effect.asVoid(Queue.offer(trail, decision))
 *   })
 * )
 * ```
 *
 * @category references
 * @since 0.1.0
 */
export const DecisionListener: Context.Reference<(decision: Decision) => Effect.Effect<void>> = Context.Reference<
  (decision: Decision) => Effect.Effect<void>
>("effect-mcp-auth/DecisionListener", { defaultValue: () => ignoreDecision })

// One function, so that the default can be recognized.
const ignoreDecision = (_: Decision): Effect.Effect<void> => Effect.void

/**
 * How decisions name the subject: as the token does, as a keyed hash, or not at all.
 *
 * @category models
 * @since 0.1.0
 */
export type SubjectForm =
  | { readonly _tag: "Plain" }
  | { readonly _tag: "Hashed"; readonly key: Redacted.Redacted }
  | { readonly _tag: "Omitted" }

/**
 * The subject as the token names it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const plainSubject: SubjectForm = { _tag: "Plain" }

/**
 * No subject.
 *
 * **When to use**
 *
 * Logs may not say who it was.
 *
 * @category constructors
 * @since 0.1.0
 */
export const omittedSubject: SubjectForm = { _tag: "Omitted" }

/**
 * Names a subject by the first 128 bits of HMAC-SHA-256 over issuer and subject, in base64url. The same caller always has
 * the same name, and without the key the name does not reveal the caller.
 *
 * **Gotchas**
 *
 * Every instance needs the same key, or one caller has several names. A bare hash would not do: subjects such as e-mail
 * addresses can be guessed.
 *
 * **Example** (A key for all instances)
 *
 * ```ts
 * import { Redacted } from "effect"
 * import { AuthLayer, Decision } from "effect-mcp-auth"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   decisions: { subject: Decision.hashedSubject(Redacted.make("a secret of 16 bytes or more, from its place")) }
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const hashedSubject = (key: Redacted.Redacted): SubjectForm => ({ _tag: "Hashed", key })

/**
 * The timing of a request: when it arrived, in monotonic nanoseconds of the `Clock` of its fiber, which a change of the wall
 * clock does not affect, and whether a decision about it was reported. All steps of the gate share it, so that durations cover
 * all of them and each request is reported once.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestTiming {
  readonly clock: Clock.Clock
  readonly since: bigint
  reported: boolean
  /** How many invalidations the gate had seen when it authenticated the request. Set by the gate. */
  revision: number | undefined
}

/**
 * Starts the timing of a request that has just arrived.
 *
 * @category constructors
 * @since 0.1.0
 */
export const startTiming = (fiber: Fiber.Fiber<unknown, unknown>): RequestTiming =>
  new Arrival(fiber.getRef(Clock.Clock))

// A class: when many of the first requests wait, for keys say, V8 learns of a literal that it lives long, and puts those of
// all later requests, and what hangs on them, where only a full collection finds them.
class Arrival implements RequestTiming {
  readonly clock: Clock.Clock
  readonly since: bigint
  reported = false
  revision: number | undefined = undefined

  constructor(clock: Clock.Clock) {
    this.clock = clock
    this.since = clock.monotonicTimeNanosUnsafe()
  }
}

/**
 * Now, in monotonic nanoseconds of the clock of a request.
 *
 * @category getters
 * @since 0.1.0
 */
export const now = ({ clock }: RequestTiming): bigint => clock.monotonicTimeNanosUnsafe()

/** Shorter keys could be found by trying. */
const shortestKey = 16

/**
 * Checks how subjects are to be named. `option` is the name that an error gives to it.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkSubjectForm = (
  form: SubjectForm | undefined,
  option: string
): Result.Result<SubjectForm, AuthConfigError> => {
  if (form === undefined) return Result.succeed(plainSubject)
  // From JavaScript it may be anything. It must not pass for the default, which logs subjects.
  switch (form?._tag) {
    case "Plain":
    case "Omitted":
      return Result.succeed(form)
    case "Hashed":
      return Redacted.isRedacted(form.key) && typeof Redacted.value(form.key) === "string" &&
          new TextEncoder().encode(Redacted.value(form.key)).length >= shortestKey
        ? Result.succeed(form)
        : Result.fail(
          new AuthConfigError({
            reason: "insecure",
            option,
            fix:
              `the key of Decision.hashedSubject is not a Redacted text of ${shortestKey} bytes or more. Give one such as the ` +
              "output of: openssl rand -base64 32, the same on every instance"
          })
        )
    default:
      return Result.fail(
        new AuthConfigError({
          reason: "malformed",
          option,
          fix:
            `${
              OptionValue.isNot(form, "a form of subjects")
            }. Write Decision.plainSubject, Decision.omittedSubject or ` +
            "Decision.hashedSubject(key)"
        })
      )
  }
}
