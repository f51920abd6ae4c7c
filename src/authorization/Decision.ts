/**
 * What the gate decided, for logs, metrics and audits.
 *
 * Each decision counts in `mcp_auth_decisions` and `mcp_auth_decision_duration`, by outcome and reason; goes to the log
 * with fixed annotations; and is told to the `DecisionListener`. None of it holds a token, or a claim beyond issuer,
 * subject and client.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as base64url from "../crypto/Base64Url.ts"
import * as Hmac from "../crypto/Hmac.ts"
import { AuthConfigError, type AuthError } from "../protocol/AuthError.ts"
import type { Operation } from "../protocol/Operation.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import { sanitize, sanitizeCause } from "../protocol/RemoteText.ts"
import type { Principal } from "../verification/Principal.ts"
import type { Rejection } from "./Rejection.ts"

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
 * Hears every decision. By default nobody does.
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
>("effect-mcp-auth/DecisionListener", { defaultValue: () => nobody })

const nobody = (_: Decision): Effect.Effect<void> => Effect.void

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
 * The first 128 bits of HMAC-SHA-256 over issuer and subject, in base64url: the same caller is the same word, and nobody
 * without the key can tell who it is.
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
 * A request on its way through the gate: when it came, in monotonic nanoseconds of the `Clock` of its fiber (durations do
 * not follow what is done to the time of day), and whether a decision about it was reported. A host hands the same one to
 * both steps of the gate, so that durations cover both and nothing is told twice.
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

/**
 * What a decision is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Facts {
  readonly rejection: Rejection | undefined
  readonly principal: Principal | undefined
  readonly operations: ReadonlyArray<Operation>
  readonly required: ReadonlyArray<string>
  readonly timing: RequestTiming
  /** When it was decided, in the same nanoseconds, if not now. */
  readonly until?: bigint | undefined
  /** What failed, where the rejection has no error that describes it. For the log alone. */
  readonly cause?: Cause.Cause<unknown> | undefined
  /** What the operator may have to do about it. For the log alone. */
  readonly advice?: string | undefined
}

/**
 * What reports decisions.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Where it is the default, the one of the request's fiber is told. */
  readonly listener?: ((decision: Decision) => Effect.Effect<void>) | undefined
  readonly subject?: SubjectForm | undefined
}

/**
 * Reports a decision of the request whose fiber it is given. What it returns is left to do: `Effect.void` itself where
 * that is nothing. It fails if the listener failed to hear of an admission.
 *
 * @category models
 * @since 0.1.0
 */
export type Reporter = (facts: Facts, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<void, Rejection>

/**
 * Makes the function that reports decisions: counts each one, logs it, tells the listener.
 *
 * **Details**
 *
 * An admitted request, and one without credentials (how every sign-in begins), is logged at debug level; other rejections
 * at info, an unreachable authorization server at warning, a misconfiguration at error. Of the answers with 503, two are
 * logged at info, since clients without a valid token can cause them: `keys-cooling-down` and `overloaded`. Where neither the level nor a
 * listener asks for it, the decision is counted and not even made.
 *
 * If the listener throws, dies or takes more than 5 seconds, that is logged and an admission becomes `broken`: no request
 * gets in unheard. A rejection stays as it is.
 *
 * @category logging
 * @since 0.1.0
 */
export const reporter = (options: Options, broken: Rejection): Reporter => {
  const nameOf = naming(options.subject ?? plainSubject)
  const own = options.listener ?? nobody
  return (facts, fiber) => {
    const { timing } = facts
    timing.reported = true
    const milliseconds = Math.max(0, Number((facts.until ?? now(timing)) - timing.since) / 1e6)
    const { counter, durations } = seriesOf(facts.rejection?.reason)
    counter.updateUnsafe(1, fiber.context)
    durations.updateUnsafe(milliseconds, fiber.context)

    const listener = own === nobody ? fiber.getRef(DecisionListener) : own
    const level = levelOf(facts.rejection)
    const logs = LogLevel.isGreaterThanOrEqualTo(level, fiber.cache.minimumLogLevel)
    if (!logs && listener === nobody) return Effect.void
    return Effect.flatMap(nameOf(facts.principal), (subject) => {
      const decision = make(facts, subject, Duration.millis(milliseconds))
      const told = Effect.catchCause(
        Effect.suspend(() => {
          const told = listener(decision)
          if (!Effect.isEffect(told as unknown)) return Effect.die(noEffect)
          return Exit.isExit(told)
            ? told
            : Effect.timeoutOrElse(told, { duration: listenerTimeout, orElse: () => Effect.die(tooSlow) })
        }),
        (cause): Effect.Effect<void, Rejection> => {
          if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
          if (facts.rejection === undefined) seriesOf(broken.reason).counter.updateUnsafe(1, fiber.context)
          return Effect.andThen(
            Effect.logError("The DecisionListener failed", sanitizeCause(cause)),
            facts.rejection === undefined ? Effect.fail(broken) : Effect.void
          )
        }
      )
      return logs ? Effect.andThen(log(decision, level, facts), told) : told
    })
  }
}

const noEffect = new TypeError(
  "The DecisionListener returned a value that is not an Effect. Return one such as Effect.void"
)

/** A listener that hangs would hold every request, also those that are rejected. */
const listenerTimeout = Duration.seconds(5)

const tooSlow = new Error(
  "The DecisionListener took more than 5 seconds, which is the limit. Hand the work to a queue that does not block"
)

const make = (
  { operations, principal, rejection, required }: Facts,
  subject: string | undefined,
  duration: Duration.Duration
): Decision => ({
  outcome: rejection === undefined ? "admitted" : "rejected",
  status: rejection?.status ?? 200,
  reason: rejection?.reason,
  issuer: optional(principal?.issuer),
  subject: optional(subject),
  clientId: optional(principal?.clientId),
  // Names come from the body of the request: a log must not grow as its writer likes.
  operations: operations.slice(0, 32).map(({ method, target }) =>
    sanitize(target === undefined ? method : `${method} ${target}`)
  ),
  required,
  missing: required.filter((scope) => principal?.scopes.has(scope) !== true),
  duration
})

const optional = (text: string | undefined): string | undefined => text === undefined ? undefined : sanitize(text)

/* ---------------------------------------------------------------------------------------------------------------------
 * Subjects
 * ------------------------------------------------------------------------------------------------------------------ */

type Naming = (principal: Principal | undefined) => Effect.Effect<string | undefined>

const nobodyNamed = Effect.succeed(undefined)

const naming = (form: SubjectForm): Naming => {
  if (form._tag === "Omitted") return () => nobodyNamed
  if (form._tag === "Plain") return (principal) => Effect.succeed(principal?.subject)
  const hmac = Hmac.make(form.key)
  const hash = (owner: string): Effect.Effect<string> =>
    Effect.map(hmac.sign(new TextEncoder().encode(owner)), (tag) => base64url.encode(tag.subarray(0, 16)))
  return (principal) => principal?.subject === undefined ? nobodyNamed : hash(principal.owner)
}

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

/* ---------------------------------------------------------------------------------------------------------------------
 * Metrics
 * ------------------------------------------------------------------------------------------------------------------ */

interface Series {
  readonly counter: Metric.Counter<number>
  /** In milliseconds. */
  readonly durations: Metric.Histogram<number>
}

// Reasons are a closed set, so the map is as large as that: attributes are merged once for each.
const series = new Map<string | undefined, Series>()

const seriesOf = (reason: string | undefined): Series => {
  const known = series.get(reason)
  if (known !== undefined) return known
  const attributes = { outcome: reason === undefined ? "admitted" : "rejected", reason: reason ?? "none" }
  const made: Series = {
    counter: Metric.counter("mcp_auth_decisions", {
      description: "Decisions of the gate, by outcome and reason",
      incremental: true,
      attributes
    }),
    // What `Metric.timer` makes, which takes a `Duration` only to make a number of it.
    durations: Metric.histogram("mcp_auth_decision_duration", {
      description: "Time from the arrival of a request at the gate to its decision, by outcome and reason",
      boundaries: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000],
      attributes: { ...attributes, time_unit: "milliseconds" }
    })
  }
  series.set(reason, made)
  return made
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The log
 * ------------------------------------------------------------------------------------------------------------------ */

const levelOf = (rejection: Rejection | undefined): LogLevel.Severity => {
  if (rejection === undefined || rejection.error?._tag === "MissingCredentials") return "Debug"
  // A client can cause these with invented tokens or tenants: they are no sign of an outage.
  if (rejection.reason === "keys-cooling-down" || rejection.reason === "overloaded") return "Info"
  return rejection.status === 500 ? "Error" : rejection.status === 503 ? "Warn" : "Info"
}

const log = (
  decision: Decision,
  level: LogLevel.Severity,
  { advice, cause, rejection }: Facts
): Effect.Effect<void> => {
  const { duration, outcome, reason, status } = decision
  const line = outcome === "admitted" ? "request admitted" : `request rejected with ${status}: ${reason}`
  const annotations = Object.fromEntries(
    Object.entries({ ...decision, duration: Duration.toMillis(duration) })
      .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0))
  )
  const error = rejection?.error
  const detail = cause !== undefined
    ? [sanitizeCause(cause)]
    : advice !== undefined
    ? [advice]
    : status >= 500 && error !== undefined
    ? [error.message]
    : []
  return Effect.annotateLogs(Effect.logWithLevel(level)(line, ...detail), annotations)
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The span
 * ------------------------------------------------------------------------------------------------------------------ */

/**
 * Runs a verification in a span of its own, `mcp_auth.verify`, under the span of the request. Its attributes are
 * `mcp_auth.outcome`, `mcp_auth.reason`, `mcp_auth.issuer` and `mcp_auth.client_id`.
 *
 * **Details**
 *
 * A rejected token is an answer and not a failure of this server, so it leaves the status of the span alone. Effect's own
 * tracer keeps spans in memory and shows them to nobody: the span is opened only where another one is provided.
 *
 * @category tracing
 * @since 0.1.0
 */
export const traced = <E extends AuthError, R>(
  verification: Effect.Effect<Principal, E, R>,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<Principal, E, R> => {
  if (fiber.cache.tracer === undefined) return verification
  // A span knows how its effect ended. This one must end without a value: a principal holds every claim of its token.
  let outcome: Result.Result<Principal, E>
  return Effect.flatMap(
    Effect.useSpan(
      "mcp_auth.verify",
      (span) =>
        Effect.map(Effect.result(Effect.withParentSpan(verification, span)), (result) => {
          outcome = result
          if (Result.isSuccess(result)) {
            const { clientId, issuer } = result.success
            span.attribute("mcp_auth.outcome", "verified")
            span.attribute("mcp_auth.issuer", sanitize(issuer))
            if (clientId !== undefined) {
              span.attribute("mcp_auth.client_id", sanitize(clientId))
            }
          } else {
            span.attribute("mcp_auth.outcome", "rejected")
            span.attribute("mcp_auth.reason", result.failure.reason)
          }
        })
    ),
    () => Effect.fromResult(outcome)
  )
}
