/**
 * Records decisions: counts each one, logs it, and passes it to the `DecisionListener`.
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
import * as Option from "effect/Option"
import * as References from "effect/References"
import * as Tracer from "effect/Tracer"
import type { AuthError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import type { Operation } from "../protocol/Operation.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import { sanitize, sanitizeCause } from "../protocol/RemoteText.ts"
import { definedIn, type LimitedLine, make as makeLineLimit } from "../store/LineLimit.ts"
import type { Principal } from "../verification/Principal.ts"
import type { Request } from "./Caller.ts"
import { type Decision, DecisionListener, now, plainSubject, type RequestTiming, type SubjectForm } from "./Decision.ts"
import type { Explanation } from "./Explanation.ts"
import type { Setup } from "./internal/explained.ts"
import { explain } from "./internal/explanations.ts"
import type { ProtectedResource } from "./ProtectedResource.ts"
import type { Rejection } from "./Rejection.ts"

/**
 * Describes a decided request.
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
  /** The time of the decision, in monotonic nanoseconds of the clock in `timing`. Default: now. */
  readonly until?: bigint | undefined
  /** The failure, if the rejection has no error that describes it. Only the log shows it. */
  readonly cause?: Cause.Cause<unknown> | undefined
  /** The rejected request, and the resource that rejected it. Required for an explanation. */
  readonly request?: Request | undefined
  readonly resource?: ProtectedResource | undefined
}

/**
 * Configures how decisions are recorded.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default: the `DecisionListener` of the request's fiber. */
  readonly listener?: ((decision: Decision) => Effect.Effect<void>) | undefined
  readonly subject?: SubjectForm | undefined
  /** Whether explanations of rejections contain values of the request and of the configuration. Default: `true`. */
  readonly details?: boolean | undefined
  /** The maximum number of log lines per minute about rejections with one reason. Default: 60. */
  readonly linesPerMinute?: number | undefined
  /** The configuration that explanations of rejections name. Default: none. */
  readonly setup?: Setup | undefined
}

/**
 * Records the decision about the request that the fiber serves. Counts it at once, and returns an effect that logs it and calls
 * the listener. Returns `Effect.void` itself if neither is needed. The effect fails if the listener fails for an admission.
 *
 * @category models
 * @since 0.1.0
 */
export type RecordDecision = (facts: Facts, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<void, Rejection>

/**
 * Makes the function that records decisions.
 *
 * **Details**
 *
 * The log level depends on the decision:
 *
 * - debug: admissions, and requests without credentials, because every sign-in begins with one
 * - error: status 500, and the reason `client-rejected`: the authorization server rejects the credentials of this server
 * - warning: status 503, except the reasons `keys-cooling-down` and `overloaded`, which clients without a valid token can cause
 * - info: all other rejections
 *
 * Each line about a rejection has an explanation. For one reason, at most `linesPerMinute` lines are logged in a minute. The last
 * one has the annotation `linesPerMinute`. The first line of a later minute has the annotation `suppressed`: the number of lines
 * that were left out. The metrics count every decision.
 *
 * If the log level excludes a decision and there is no listener, the decision is only counted.
 *
 * If the listener throws, dies or takes more than 5 seconds, the failure is logged within the same limit of lines, and an admission becomes the rejection
 * `broken`, so that no request is admitted without a record. A rejection stays as it is.
 *
 * @category logging
 * @since 0.1.0
 */
export const make = (options: Options, broken: Rejection): RecordDecision => {
  const { nameSubject } = options.subject ?? plainSubject
  const own = options.listener ?? noListener
  const { details = rules.details.default, linesPerMinute = rules.linesPerMinute.default, setup = noSetup } = options
  const limitLines = makeLineLimit(linesPerMinute)
  return (facts, fiber) => {
    const { timing } = facts
    timing.reported = true
    const milliseconds = Math.max(0, Number((facts.until ?? now(timing)) - timing.since) / 1e6)
    const { counter, durations } = seriesOf(facts.rejection?.reason)
    counter.updateUnsafe(1, fiber.context)
    durations.updateUnsafe(milliseconds / 1000, fiber.context)

    const listener = own === noListener ? fiber.getRef(DecisionListener) : own
    const level = levelOf(facts.rejection)
    const isLogged = LogLevel.isGreaterThanOrEqualTo(level, fiber.cache.minimumLogLevel)
    const line = !isLogged || facts.rejection === undefined
      ? everyLine
      : limitLines(facts.rejection.reason, now(timing))
    const logs = isLogged && line !== undefined
    if (!logs && listener === noListener) return Effect.void
    const named = facts.principal === undefined ? Effect.undefined : nameSubject(facts.principal)
    const report = (subject: string | undefined, explanation: Explanation | undefined) => {
      const decision = toDecision(facts, subject, Duration.millis(milliseconds), explanation)
      const notified = Effect.catchCause(
        Effect.suspend(() => {
          const heard = OptionValue.ignoreFailure(listener(decision))
          if (!Effect.isEffect(heard as unknown)) return Effect.die(noEffect)
          return Exit.isExit(heard)
            ? heard
            : Effect.timeoutOrElse(heard, { duration: listenerTimeout, orElse: () => Effect.die(tooSlow) })
        }),
        (cause): Effect.Effect<void, Rejection> => {
          if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
          if (facts.rejection === undefined) seriesOf(broken.reason).counter.updateUnsafe(1, fiber.context)
          const failure = limitLines(listenerFailed, now(timing))
          return Effect.andThen(
            failure === undefined ? Effect.void : Effect.annotateLogs(
              Effect.logError(listenerFailed, sanitizeCause(cause)),
              definedIn(failure)
            ),
            facts.rejection === undefined ? Effect.fail(broken) : Effect.void
          )
        }
      )
      return logs ? Effect.andThen(log(decision, level, facts, line), notified) : notified
    }
    return Effect.flatMap(
      named,
      (subject) =>
        Effect.flatMapEager(explainFacts(facts, setup, details), (explanation) => report(subject, explanation))
    )
  }
}

const noSetup: Setup = {}

const explainFacts = (
  { principal, rejection, request, resource, timing }: Facts,
  setup: Setup,
  details: boolean
): Effect.Effect<Explanation | undefined> =>
  rejection === undefined || request === undefined
    ? Effect.undefined
    : explain({ rejection, request, resource, principal, now: timing.clock.currentTimeMillisUnsafe() }, setup, details)

const listenerFailed = "The DecisionListener failed"

/** The default of `DecisionListener`, which does nothing. */
const noListener = DecisionListener.defaultValue()

const noEffect = new TypeError(
  "The DecisionListener returned a value that is not an Effect. Return one such as Effect.void"
)

/** The time limit of the listener. Without it, a listener that hangs would delay every response, including rejections. */
const listenerTimeout = Duration.seconds(5)

const tooSlow = new Error(
  "The DecisionListener took more than 5 seconds. Hand the work to a queue"
)

const toDecision = (
  { operations, principal, rejection, required }: Facts,
  subject: string | undefined,
  duration: Duration.Duration,
  explanation: Explanation | undefined
): Decision => ({
  outcome: rejection === undefined ? "admitted" : "rejected",
  status: rejection?.status ?? 200,
  reason: rejection?.reason,
  issuer: optional(principal?.issuer),
  subject: optional(subject),
  clientId: optional(principal?.clientId),
  // The client chooses the number and the names of operations, so the size of a log entry is limited.
  operations: operations.slice(0, 32).map(({ method, target }) =>
    sanitize(target === undefined ? method : `${method} ${target}`)
  ),
  required,
  missing: required.filter((scope) => principal?.scopes.has(scope) !== true),
  failedConditions: rejection?.error?._tag === "AccessDenied"
    ? rejection.error.failed.map((label) => sanitize(label))
    : [],
  duration,
  explanation
})

const optional = (text: string | undefined): string | undefined => text === undefined ? undefined : sanitize(text)

/* ---------------------------------------------------------------------------------------------------------------------
 * Metrics
 * ------------------------------------------------------------------------------------------------------------------ */

interface Series {
  readonly counter: Metric.Counter<number>
  /** In seconds. */
  readonly durations: Metric.Histogram<number>
}

// One entry per reason, so that attributes are merged once. The map stays small, because reasons are a closed set.
const series = new Map<string | undefined, Series>()

const seriesOf = (reason: string | undefined): Series => {
  const known = series.get(reason)
  if (known !== undefined) return known
  const attributes = { outcome: reason === undefined ? "admitted" : "rejected", reason: reason ?? "none" }
  const made: Series = {
    counter: Metric.counter("mcp_auth_decisions_total", {
      description: "Decisions of the gate, by outcome and reason",
      incremental: true,
      attributes
    }),
    // The same metric as `Metric.timer`, without a `Duration` that would be created only to be converted to a number.
    durations: Metric.histogram("mcp_auth_decision_duration_seconds", {
      description: "Time from the arrival of a request at the gate to its decision, by outcome and reason",
      boundaries: [5e-5, 1e-4, 2.5e-4, 5e-4, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      attributes: { ...attributes, time_unit: "seconds" }
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
  // A client can cause these with invented tokens or tenants, so they do not indicate an outage.
  if (rejection.reason === "keys-cooling-down" || rejection.reason === "overloaded") return "Info"
  return rejection.status === 500 || rejection.reason === "client-rejected"
    ? "Error"
    : rejection.status === 503
    ? "Warn"
    : "Info"
}

/** The rules of those options that this module uses. */
export const rules: {
  readonly details: ConfigOption.WithDefault<boolean>
  readonly linesPerMinute: ConfigOption.WithDefault<number>
} = {
  details: ConfigOption.oneOf(true, false),
  linesPerMinute: ConfigOption.wholeNumber(1, 60, 1_000_000)
}

const everyLine: LimitedLine = {}

/** Writes one line. The message is always one text, so that a JSON log has one shape. Everything else is an annotation. */
const log = (
  { explanation, ...decision }: Decision,
  level: LogLevel.Severity,
  { cause, rejection }: Facts,
  line: LimitedLine
): Effect.Effect<void> => {
  const { duration, outcome, reason, status } = decision
  const annotations = definedIn({
    ...decision,
    duration: Duration.toMillis(duration),
    error: status >= 500 ? rejection?.error?.message : undefined,
    ...explanation,
    ...line
  })
  return Effect.annotateLogs(
    Effect.logWithLevel(level)(
      outcome === "admitted" ? "request admitted" : `request rejected with ${status}: ${reason}`,
      cause === undefined ? Cause.empty : sanitizeCause(cause)
    ),
    annotations
  )
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The span
 * ------------------------------------------------------------------------------------------------------------------ */

/**
 * Runs a verification in the span `mcp_auth.verify`, under the span of the request. Its attributes are
 * `mcp_auth.outcome`, `mcp_auth.reason`, `mcp_auth.issuer` and `mcp_auth.client_id`.
 *
 * **Details**
 *
 * A rejected token is a regular result and not a failure of this server, so the span then ends with success. The span is
 * started only if the program provides a tracer, because Effect's default tracer exports no spans.
 *
 * @category tracing
 * @since 0.1.0
 */
export const traceVerification = <E extends AuthError, R>(
  verification: Effect.Effect<Principal, E, R>,
  fiber: Fiber.Fiber<unknown, unknown>
): Effect.Effect<Principal, E, R> => {
  const { tracer, tracerEnabled } = fiber.cache
  if (tracer === undefined || !tracerEnabled) return verification
  return Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((running) => {
      const span = startSpan(tracer, running)
      return Effect.onExit(
        restore(Effect.provideService(verification, Tracer.ParentSpan, span)),
        (exit) => Effect.sync(() => endSpan(span, exit, timeOf(running)))
      )
    })
  )
}

/**
 * Starts the span as `Effect.useSpan` does. That function would add Effect's default tracer (1.0 kB) to the bundle of every
 * server.
 */
const startSpan = (tracer: Tracer.Tracer, fiber: Fiber.Fiber<unknown, unknown>): Tracer.Span => {
  const parent = propagatedSpan(fiber.cache.span)
  const isTraced = LogLevel.isGreaterThanOrEqualTo(
    fiber.getRef(Tracer.CurrentTraceLevel),
    fiber.getRef(Tracer.MinimumTraceLevel)
  )
  const span = tracer.span({
    name: "mcp_auth.verify",
    parent: Option.fromUndefinedOr(parent),
    annotations: Context.empty(),
    links: [...fiber.getRef(References.TracerSpanLinks)],
    startTime: timeOf(fiber),
    kind: "internal",
    root: false,
    sampled: parent?.sampled !== false && isTraced
  })
  for (const [name, value] of Object.entries(fiber.getRef(References.TracerSpanAnnotations))) {
    span.attribute(name, value)
  }
  return span
}

/** Returns the innermost span, from `span` outwards, that allows child spans. Spans with `DisablePropagation` do not. */
const propagatedSpan = (span: Tracer.AnySpan | undefined): Tracer.AnySpan | undefined => {
  if (span === undefined || !Context.get(span.annotations, Tracer.DisablePropagation)) return span
  return span._tag === "Span" ? propagatedSpan(Option.getOrUndefined(span.parent)) : undefined
}

const endSpan = (span: Tracer.Span, exit: Exit.Exit<Principal, AuthError>, endTime: bigint): void => {
  const error = Exit.findErrorOption(exit)
  if (Exit.isSuccess(exit)) {
    const { clientId, issuer } = exit.value
    span.attribute("mcp_auth.outcome", "verified")
    span.attribute("mcp_auth.issuer", sanitize(issuer))
    if (clientId !== undefined) span.attribute("mcp_auth.client_id", sanitize(clientId))
  } else if (error._tag === "Some") {
    span.attribute("mcp_auth.outcome", "rejected")
    // A custom verifier can fail with any value.
    const reason: unknown = (error.value as Partial<AuthError> | undefined | null)?.reason
    if (typeof reason === "string") span.attribute("mcp_auth.reason", sanitize(reason))
  }
  // A span stores the exit of its effect, and a tracer may export it. The exit contains the principal with all claims of the
  // token, so it is replaced.
  span.end(
    endTime,
    Exit.isSuccess(exit) || error._tag === "Some"
      ? Exit.void
      : Cause.hasInterruptsOnly(exit.cause)
      ? exit
      : Exit.failCause(sanitizeCause(exit.cause))
  )
}

/** Returns the wall-clock time in nanoseconds since 1970, or 0 if the timing of spans is disabled. */
const timeOf = (fiber: Fiber.Fiber<unknown, unknown>): bigint =>
  fiber.getRef(References.TracerTimingEnabled) ? fiber.getRef(Clock.Clock).currentTimeNanosUnsafe() : 0n
