/**
 * Describes the decisions of the gate, for logs, metrics and audits.
 *
 * The gate counts each decision in the metrics `mcp_auth_decisions_total` and `mcp_auth_decision_duration_seconds`, by outcome
 * and reason. It writes the decision to the log with fixed annotations and passes it to the `DecisionListener`. A decision contains no token,
 * and no claims except issuer, subject and client, and those that its explanation names.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as base64url from "../crypto/Base64Url.ts"
import * as Hmac from "../crypto/Hmac.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import type { Principal } from "../verification/Principal.ts"
import type { Explanation } from "./Explanation.ts"

/**
 * One decision. It contains no token, and no claims except issuer, subject and client, and those in `explanation`.
 *
 * **Details**
 *
 * Issuer, subject, client and operations are sanitized (see `RemoteText`): control characters are escaped, and each text is cut
 * after 256 characters.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decision {
  readonly outcome: "admitted" | "rejected"
  /** The status of the response. For an admitted request it is 200, even if the handler responds with another status. */
  readonly status: number
  /** The reason of a rejection, from a closed list. */
  readonly reason: string | undefined
  readonly issuer: string | undefined
  /** The name of the subject, in the form that `decisions.subject` selects. */
  readonly subject: string | undefined
  readonly clientId: string | undefined
  /** The operations, such as `tools/call add_todo`, 32 at most. Empty if the gate decided before it read the body. */
  readonly operations: ReadonlyArray<string>
  readonly required: ReadonlyArray<string>
  readonly missing: ReadonlyArray<string>
  /** The conditions of policies because of which the operation was denied, such as `role admin`. */
  readonly failedConditions: ReadonlyArray<string>
  /**
   * The time from the arrival of the request at the gate to the decision. It includes verification, and reading the body if the
   * gate decided after that.
   */
  readonly duration: Duration.Duration
  /** Explains a rejection to the operator. `undefined` for admissions. */
  readonly explanation: Explanation | undefined
}

/**
 * Receives every decision. Default: no listener.
 *
 * **Details**
 *
 * Provide the listener to `AuthLayer`, or to the whole server.
 *
 * **Gotchas**
 *
 * The request waits for the listener, so hand slow work over to a queue. If the listener fails or takes more than 5 seconds,
 * the gate answers with 500 instead of admitting the request. A rejection stays as it is.
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

// A constant function, because `RecordDecision.ts` recognizes the default by identity and then creates no decision.
const ignoreDecision = (_: Decision): Effect.Effect<void> => Effect.void

const TypeId = "~effect-mcp-auth/SubjectForm"

/**
 * Determines how decisions name the subject: `plainSubject`, `omittedSubject` or `hashedSubject`.
 *
 * @category models
 * @since 0.1.0
 */
export interface SubjectForm {
  readonly [TypeId]: typeof TypeId
  /** Returns the name of the subject of a principal. */
  readonly nameSubject: (principal: Principal) => Effect.Effect<string | undefined>
  /**
   * Describes what is wrong with the arguments of the form. `undefined` if they are valid. Otherwise the server does not start.
   */
  readonly problem: string | undefined
}

const makeForm = (nameSubject: SubjectForm["nameSubject"], problem?: string): SubjectForm => ({
  [TypeId]: TypeId,
  nameSubject,
  problem
})

/**
 * Names the subject as the token does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const plainSubject: SubjectForm = /*#__PURE__*/ makeForm(({ subject }) => Effect.succeed(subject))

/**
 * Leaves the subject out of decisions, for logs that must not identify the caller.
 *
 * @category constructors
 * @since 0.1.0
 */
export const omittedSubject: SubjectForm = /*#__PURE__*/ makeForm(() => Effect.undefined)

/**
 * Names a subject by the first 128 bits of HMAC-SHA-256 over issuer and subject, in base64url. The same caller always has
 * the same name, and without the key the name does not reveal the caller.
 *
 * **Gotchas**
 *
 * Every instance needs the same key, or one caller has several names. The key has 16 bytes or more. Without a key, a hash could
 * be reversed, because subjects such as email addresses can be guessed.
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
export const hashedSubject = (key: Redacted.Redacted): SubjectForm => {
  const hmac = Hmac.make(key)
  const hash = (owner: string): Effect.Effect<string> =>
    Effect.map(hmac.sign(new TextEncoder().encode(owner)), (tag) => base64url.encode(tag.subarray(0, 16)))
  return makeForm(
    ({ owner, subject }) => subject === undefined ? Effect.undefined : hash(owner),
    isKey(key)
      ? undefined
      : `the key of Decision.hashedSubject is not a Redacted text of ${shortestKey} bytes or more. Give one such as the output ` +
        "of: openssl rand -base64 32, the same on every instance"
  )
}

/** The minimum length of the key, in bytes. An attacker could find a shorter key by trying all of them. */
const shortestKey = 16

const isKey = (key: unknown): boolean =>
  Redacted.isRedacted(key) && typeof Redacted.value(key) === "string" &&
  new TextEncoder().encode(Redacted.value(key) as string).length >= shortestKey

/**
 * The arrival of a request, and whether a decision about it was reported. All steps of the gate share this object, so that the
 * duration covers all steps and each request is reported once.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestTiming {
  readonly clock: Clock.Clock
  /** The time of arrival, in monotonic nanoseconds of `clock`. Changes of the wall clock do not affect it. */
  readonly since: bigint
  reported: boolean
  /** The number of invalidations before the gate authenticated the request. The gate sets it. */
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

// A class instead of an object literal. If many of the first requests wait, for example for keys, the objects that the literal
// creates survive. For all later requests, V8 then allocates these objects, and everything that they reference, in the old
// generation. Only a full garbage collection frees the old generation.
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
 * Returns the current time, in monotonic nanoseconds of the clock of a request.
 *
 * @category getters
 * @since 0.1.0
 */
export const now = ({ clock }: RequestTiming): bigint => clock.monotonicTimeNanosUnsafe()

/**
 * Checks the value of the option `decisions.subject`. Throws `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkSubject = (form: unknown, option: string): void => {
  // A program without type checking can pass any value. An invalid one must not select the default, which logs subjects.
  if (!Predicate.hasProperty(form, TypeId)) {
    throw ConfigOption.invalid(
      option,
      form,
      "a form of subjects",
      "Write Decision.plainSubject, Decision.omittedSubject or Decision.hashedSubject(key)"
    )
  }
  const { problem } = form as unknown as SubjectForm
  if (problem !== undefined) throw ConfigOption.error(option, problem, "insecure")
}
