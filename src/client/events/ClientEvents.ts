/**
 * Records the steps of clients of MCP servers: for the program as events, and in logs, metrics and spans.
 *
 * Events are counted in the metric `mcp_auth_client_events_total`, by event and reason. The times of operations are in
 * `mcp_auth_client_operation_duration_seconds`, by operation and outcome.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as LogLevel from "effect/LogLevel"
import * as Metric from "effect/Metric"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import type * as Tracer from "effect/Tracer"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { sanitize, sanitizeCause, sanitizeUrl } from "../../protocol/RemoteText.ts"
import * as lineLimit from "../../store/LineLimit.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import { DefaultObserver, mark, type Observer, type Operation, type Recorder, type Subject } from "../Observation.ts"
import * as clientEvent from "./ClientEvent.ts"

/**
 * The steps of clients as events, and their parts.
 *
 * @category models
 * @since 0.1.0
 */
export type { AboutFailure, AboutToken, ClientEvent, Common, Reason } from "./ClientEvent.ts"

/**
 * Receives the steps of a client: the option `events` of a client. `make` creates it.
 *
 * @category models
 * @since 0.1.0
 */
export type { Recorder } from "../Observation.ts"

/**
 * The options of a recorder.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * Receives each event. The client waits for a promise or an Effect, at most 5 seconds, so hand slow work to a queue. A failure is
   * logged, and changes nothing for the request. Default: none.
   */
  readonly listener?: ((event: clientEvent.ClientEvent) => Effect.Effect<void> | Promise<void> | void) | undefined
  /** Whether events are logged. Default: `true`. */
  readonly logs?: boolean | undefined
  /** The maximum number of log lines per minute about events with one name and one reason. Default: 60. */
  readonly linesPerMinute?: number | undefined
}

/**
 * The options of `layer`.
 *
 * @category models
 * @since 0.1.0
 */
export interface LayerOptions extends Options {
  /** The number of events that a subscriber can be behind. Older events are dropped for it. Default: 1,000. */
  readonly capacity?: number | undefined
}

const table = {
  listener: ConfigOption.functionThat("receives an event"),
  logs: ConfigOption.oneOf(true, false),
  linesPerMinute: ConfigOption.wholeNumber(1, 60, 1_000_000)
} satisfies ConfigOption.Table<keyof Options>

const layerTable = {
  ...table,
  capacity: ConfigOption.wholeNumber(1, 1_000, 1_000_000)
} satisfies ConfigOption.Table<keyof LayerOptions>

/**
 * Creates a recorder. Throws `AuthConfigError` if an option is wrong.
 *
 * **Details**
 *
 * The log level depends on the event:
 *
 * - debug: `Discovered`, `TokenIssued`, `TokenRefreshed`, `RefreshShared`, and `RequestFailed` because a person must sign in
 * - error: the authorization server does not accept the credentials of the client (the code `invalid_client`, or the reason
 *   `authentication-method`)
 * - warning: `RefreshFailed`, and `RequestFailed` with another reason
 * - info: all others
 *
 * For one event with one reason, at most `linesPerMinute` lines are logged in a minute. The metrics count every event.
 *
 * The operations of a client have the spans `mcp_auth.client.discover`, `mcp_auth.client.register`, `mcp_auth.client.obtain_token`,
 * `mcp_auth.client.complete_sign_in` and `mcp_auth.client.revoke`, below the span of the request. Their attributes are
 * `mcp_auth.resource`, `mcp_auth.issuer`, `mcp_auth.outcome` and `mcp_auth.reason`.
 *
 * **Example** (A listener outside Effect)
 *
 * ```ts
 * import { Grant, McpAuthClient } from "effect-mcp-auth/client"
 * import { ClientEvents } from "effect-mcp-auth/client-events"
 * import { Redacted } from "effect"
 *
 * const auth = await McpAuthClient.make({
 *   resource: "https://todos.example.com/mcp",
 *   grant: Grant.clientCredentials({
 *     issuer: "https://auth.example.com",
 *     clientId: "nightly-report",
 *     clientSecret: Redacted.make(process.env["CLIENT_SECRET"] ?? "from the environment")
 *   }),
 *   events: ClientEvents.make({
 *     listener: (event) => {
 *       if (event._tag === "RequestFailed") process.emitWarning(`The report cannot sign in: ${event.reason}`)
 *     }
 *   })
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Recorder => {
  ConfigOption.check(options, "ClientEvents.make", table)
  return { [mark]: makeObserver(options) }
}

/**
 * Passes the events of all clients below a layer on.
 *
 * @category services
 * @since 0.1.0
 */
export class ClientEvents extends Context.Service<ClientEvents, {
  /** Begins to receive events. The scope ends it. */
  readonly subscribe: Effect.Effect<PubSub.Subscription<clientEvent.ClientEvent>, never, Scope.Scope>
}>()("effect-mcp-auth/ClientEvents") {}

/**
 * Records the steps of all clients to whose layers it is provided, and provides their events. A client with the option `events` uses
 * that recorder instead.
 *
 * **Example** (An audit trail)
 *
 * ```ts
 * import { Effect, Layer, PubSub } from "effect"
 * import { ClientEvents } from "effect-mcp-auth/client-events"
 * import { Connections } from "effect-mcp-auth/sign-in"
 * import { MemoryStore } from "effect-mcp-auth/store"
 *
 * const Audit = Layer.effectDiscard(Effect.gen(function*() {
 *   const events = yield* (yield* ClientEvents.ClientEvents).subscribe
 *   yield* Effect.forkScoped(Effect.forever(Effect.flatMap(PubSub.take(events), (event) => Effect.log(event))))
 * }))
 *
 * const ConnectionsLive = Connections.layer({
 *   client: { name: "Calendar assistant" },
 *   redirectUri: "https://assistant.example.com/oauth/callback",
 *   allowIssuers: ["https://auth.example.com"]
 * }).pipe(Layer.provideMerge(Audit), Layer.provide([ClientEvents.layer(), MemoryStore.layer()]))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: LayerOptions = {}): Layer.Layer<ClientEvents, AuthConfigError> =>
  Layer.effectContext(Effect.gen(function*() {
    yield* Effect.fromResult(
      ConfigOption.attempt(() => ConfigOption.check(options, "ClientEvents.layer", layerTable))
    )
    const { capacity = layerTable.capacity.default, ...rest } = options
    const events = yield* Effect.acquireRelease(PubSub.sliding<clientEvent.ClientEvent>(capacity), PubSub.shutdown)
    const observer = makeObserver(rest, (event) => PubSub.publish(events, event))
    return Context.make(ClientEvents, { subscribe: PubSub.subscribe(events) }).pipe(
      Context.add(DefaultObserver, observer)
    )
  }))

/** The time limit of the listener. Without it, a listener that hangs would delay every request. */
const listenerTimeout = Duration.seconds(5)

const listenerFailed = "The listener of ClientEvents failed"

const makeObserver = (
  options: Options,
  publish?: (event: clientEvent.ClientEvent) => Effect.Effect<unknown>
): Observer => {
  const { linesPerMinute = table.linesPerMinute.default, listener, logs = table.logs.default } = options
  const limitLines = lineLimit.make(linesPerMinute)

  /** Writes one line, unless there were too many about the same. */
  const log = (
    key: string,
    write: Effect.Effect<void>,
    annotations: object = {}
  ): Effect.Effect<void> =>
    Effect.flatMap(monotonic.millis, (now) => {
      const line = limitLines(key, BigInt(Math.round(now * 1e6)))
      return line === undefined
        ? Effect.void
        : Effect.annotateLogs(write, lineLimit.definedIn({ ...annotations, ...line }))
    })

  const notify = (event: clientEvent.ClientEvent): Effect.Effect<void> =>
    listener === undefined ? Effect.void : Effect.catchCause(
      Effect.timeoutOrElse(
        Effect.suspend(() => {
          const heard = listener(event)
          return Effect.isEffect(heard) ? heard : heard instanceof Promise ? Effect.promise(() => heard) : Effect.void
        }),
        { duration: listenerTimeout, orElse: () => Effect.die(new Error("It took more than 5 seconds")) }
      ),
      (cause) =>
        Cause.hasInterruptsOnly(cause)
          ? Effect.failCause(cause)
          : log(listenerFailed, Effect.logError(listenerFailed, sanitizeCause(cause)))
    )

  return {
    record: (tag, facts, subject) => {
      const event = clientEvent.make(tag, facts, subject)
      const reason = "reason" in event ? event.reason : "none"
      const { _tag, ...members } = event
      const written = logs
        ? log(`${tag} ${reason}`, Effect.logWithLevel(levelOf(event))(messages[tag]), { event: _tag, ...members })
        : Effect.void
      const published = publish === undefined ? written : Effect.andThen(publish(event), written)
      return Effect.andThen(Effect.andThen(Metric.update(counterFor(tag, reason), 1), published), notify(event))
    },
    trace: (operation, issuer, subject, effect) => inSpan(operation, issuer, subject, effect)
  }
}

const messages: Readonly<Record<clientEvent.ClientEvent["_tag"], string>> = {
  Discovered: "authorization server discovered",
  Registered: "client registered",
  SignInBegun: "sign-in begun",
  SignInCompleted: "sign-in completed",
  SignInFailed: "sign-in failed",
  TokenIssued: "token issued",
  TokenRefreshed: "token refreshed",
  RefreshShared: "token of another request used",
  RefreshFailed: "token not refreshed",
  TokenEnded: "token ended",
  TokenRejected: "token rejected by the MCP server",
  StepUpRequired: "more scopes required by the MCP server",
  Disconnected: "account disconnected",
  RequestFailed: "request failed"
}

const levelOf = (event: clientEvent.ClientEvent): LogLevel.Severity => {
  switch (event._tag) {
    case "Discovered":
    case "TokenIssued":
    case "TokenRefreshed":
    case "RefreshShared":
      return "Debug"
    case "RefreshFailed":
    case "RequestFailed":
      if (event.reason === "sign-in-required") return "Debug"
      return event.code === "invalid_client" || event.reason === "authentication-method" ? "Error" : "Warn"
    default:
      return "Info"
  }
}

/** The metrics by their labels. There are few, because events and reasons are closed sets. */
const counters = new Map<string, Metric.Counter<number>>()

const counterFor = (event: string, reason: string): Metric.Counter<number> => {
  const key = `${event} ${reason}`
  const known = counters.get(key)
  if (known !== undefined) return known
  const made = Metric.counter("mcp_auth_client_events_total", {
    description: "Steps of clients of MCP servers, by event and reason",
    incremental: true,
    attributes: { event, reason }
  })
  counters.set(key, made)
  return made
}

const durations = new Map<string, Metric.Histogram<number>>()

const durationsOf = (operation: Operation, outcome: string): Metric.Histogram<number> => {
  const key = `${operation} ${outcome}`
  const known = durations.get(key)
  if (known !== undefined) return known
  const made = Metric.histogram("mcp_auth_client_operation_duration_seconds", {
    description: "Time of the operations of clients of MCP servers, by operation and outcome",
    boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    attributes: { operation, outcome, time_unit: "seconds" }
  })
  durations.set(key, made)
  return made
}

/**
 * Runs an operation in a span. A tracer may export the exit of an effect, and the exit of an operation can contain a token, so the
 * exit of the span contains no value.
 */
const inSpan = <A, E, R>(
  operation: Operation,
  issuer: string | undefined,
  { resource }: Subject,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const begin = monotonic.millisOf(clock)
      const span = yield* Effect.makeSpan(`mcp_auth.client.${operation}`, {
        kind: "client",
        attributes: lineLimit.definedIn({
          "mcp_auth.resource": resource && sanitizeUrl(resource),
          "mcp_auth.issuer": issuer && sanitize(issuer)
        })
      })
      return yield* Effect.onExit(
        restore(Effect.withParentSpan(effect, span)) as Effect.Effect<A, E, R>,
        (exit) => {
          const outcome = Exit.isSuccess(exit) ? "succeeded" : "failed"
          endSpan(span, exit, clock.currentTimeNanosUnsafe())
          return Metric.update(durationsOf(operation, outcome), (monotonic.millisOf(clock) - begin) / 1000)
        }
      )
    })
  )

const endSpan = (span: Tracer.Span, exit: Exit.Exit<unknown, unknown>, time: bigint): void => {
  span.attribute("mcp_auth.outcome", Exit.isSuccess(exit) ? "succeeded" : "failed")
  if (Exit.isSuccess(exit)) return span.end(time, Exit.void)
  if (Cause.hasInterruptsOnly(exit.cause)) return span.end(time, Exit.failCause(exit.cause as Cause.Cause<never>))
  span.attribute("mcp_auth.reason", clientEvent.describeFailure(exit.cause).reason)
  span.end(time, Exit.failCause(sanitizeCause(exit.cause)))
}
