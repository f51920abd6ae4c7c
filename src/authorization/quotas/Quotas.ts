/**
 * Limits the rates of requests, sessions, streams and DPoP proofs of each caller. By default, no rate is limited. The numbers
 * of sessions and of open streams that a caller has at a time are always limited, also without quotas.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RateLimiter } from "effect/persistence/RateLimiter"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { sha256 } from "../../crypto/Sha256.ts"
import { type AuthConfigError, QuotaExceeded, QuotaStoreUnavailable } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { listen, type Operation } from "../../protocol/Operation.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import type { Caller, Request } from "../Caller.ts"
import type { CallerQuotas, Counted } from "../CallerQuotas.ts"
import * as memoryLimiter from "./MemoryLimiter.ts"

/**
 * Describes how much a caller may do in a time. A caller can use the whole `limit` at once, and then gets it back evenly over the
 * `window`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rate {
  /** A whole number from 1 to 1,000,000. */
  readonly limit: number
  /** From 1 second to 1 day. */
  readonly window: Duration.Input
}

/**
 * Configures quotas. At least one rate is required.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<out R = never> {
  /** The requests of a caller that were authenticated. Counted before the body is read. Default: not limited. */
  readonly requests?: Rate | undefined
  /**
   * The sessions that a caller opens (`initialize`). Only the body names this operation, so it is counted after the body is read.
   * Default: not limited.
   */
  readonly sessions?: Rate | undefined
  /**
   * The event streams that a caller opens: GET requests to an MCP endpoint, GET requests to other routes that accept
   * `text/event-stream`, and `subscriptions/listen`, which is counted after the body is read. Default: not limited.
   */
  readonly streams?: Rate | undefined
  /**
   * The DPoP proofs of a caller. A proof is counted after its signature is verified, so that only the holder of the key can use up
   * the quota, and before it is stored. Default: not limited.
   */
  readonly proofs?: Rate | undefined
  /**
   * Returns the key of an anonymous caller, such as its address from a header that a trusted proxy sets. Callers with the same key
   * share a quota. Only the first 256 characters count. If it throws or returns another value, such as a promise, the request gets
   * 500. Default, and if it returns `undefined` or an empty text: all anonymous callers share one quota.
   */
  readonly anonymousKey?: ((request: Request) => string | undefined) | undefined
  /**
   * The limiter that all instances share, such as Effect's `RateLimiter` with a store in Redis. Requires `whenUnavailable`. Default:
   * each instance counts in memory.
   */
  readonly limiter?: RateLimiter | Effect.Effect<RateLimiter, never, R> | undefined
  /**
   * Whether a request is rejected with 503 or admitted if `limiter` fails or does not answer within 1 second. There is no default,
   * because the first stops the server during an outage of the store, and the second admits callers without a limit.
   */
  readonly whenUnavailable?: "reject" | "admit" | undefined
}

/**
 * Identifies the values of `Mechanism`.
 *
 * @category type ids
 * @since 0.1.0
 */
export const TypeId = "~effect-mcp-auth/Quotas"

/**
 * Describes a value of the option `quotas`. `R` lists the services that it requires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Mechanism<out R = never> {
  readonly [TypeId]: typeof TypeId
  /** Checks the options, also together with other options of the gate. */
  readonly make: (others: OtherOptions) => Effect.Effect<CallerQuotas, AuthConfigError, R | Scope.Scope>
}

/**
 * The options of the gate without which a quota would have no effect.
 *
 * @category models
 * @since 0.1.0
 */
export interface OtherOptions {
  /** Whether clients can send DPoP proofs (option `dpop`). */
  readonly hasProofs: boolean
  /** Whether callers can be anonymous (option `anonymous`). */
  readonly hasAnonymous: boolean
}

/**
 * Limits the rates of each caller. If an option is invalid, the layer fails with `AuthConfigError`.
 *
 * **Details**
 *
 * If a caller has used up a quota, the server answers 429 with `Retry-After` (RFC 6585 §4), without a challenge. The reason is
 * `quota`. Quotas belong to `Principal.owner`, so a user who registers many clients has one quota. Requests without a valid token are
 * not counted.
 *
 * In memory, up to 100,000 callers have a separate quota. Further callers share one. A shared `limiter` receives hashes as its keys.
 *
 * **Gotchas**
 *
 * Quotas do not replace limits in front of the server: an invalid token must be verified before it can be rejected.
 *
 * **Example** (Limits for each instance)
 *
 * ```ts
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Quotas } from "effect-mcp-auth/quotas"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   quotas: Quotas.make({
 *     requests: { limit: 600, window: "1 minute" },
 *     sessions: { limit: 20, window: "1 hour" }
 *   })
 * })
 * ```
 *
 * **Example** (Limits for all instances, in Redis)
 *
 * ```ts
 * import { NodeRedis } from "@effect/platform-node"
 * import { Layer } from "effect"
 * import { AuthLayer } from "effect-mcp-auth"
 * import { Quotas } from "effect-mcp-auth/quotas"
 * import { RateLimiter } from "effect/persistence"
 *
 * const Auth = AuthLayer.make({
 *   resource: "https://todos.example.com/mcp",
 *   authorizationServers: ["https://auth.example.com"],
 *   scopes: ["todos:read"],
 *   quotas: Quotas.make({
 *     requests: { limit: 600, window: "1 minute" },
 *     limiter: RateLimiter.RateLimiter,
 *     whenUnavailable: "reject"
 *   })
 * }).pipe(
 *   Layer.provide(RateLimiter.layer),
 *   Layer.provide(RateLimiter.layerStoreRedis({ prefix: "todos:" })),
 *   Layer.provide(NodeRedis.layer({ url: "redis://localhost:6379" }))
 * )
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R = never>(options: Options<R>): Mechanism<Exclude<R, Scope.Scope>> => {
  const value: Mechanism<R> = {
    [TypeId]: TypeId,
    make: (others) =>
      Effect.flatMap(
        Effect.fromResult(ConfigOption.attempt(() => checkOptions(options, others))),
        ({ limiter }) =>
          limiter === undefined
            ? Effect.succeed(quotasOf(options, inMemory))
            : Effect.map(
              Effect.isEffect(limiter) ? limiter : Effect.succeed(limiter),
              (limiter) => quotasOf(options, inLimiter(limiter, options.whenUnavailable!))
            )
      )
  }
  // The type omits `Scope`, because the layer provides it.
  return value as Mechanism<Exclude<R, Scope.Scope>>
}

/** The names of the rates, in the order in which they are counted. */
const rates = ["requests", "sessions", "streams", "proofs"] as const

type Name = (typeof rates)[number]

const rate = ConfigOption.object<keyof Rate>({
  limit: ConfigOption.rule(
    (limit) => Number.isSafeInteger(limit) && limit >= 1 && limit <= 1_000_000,
    "a whole number from 1 to 1000000",
    "Write one such as { limit: 600, window: \"1 minute\" }"
  ),
  window: ConfigOption.durationSuchAs("1 second", "1 day", "1 minute")
})

const table: ConfigOption.Table<keyof Options> = {
  requests: rate,
  sessions: rate,
  streams: rate,
  proofs: rate,
  anonymousKey: ConfigOption.functionThat("takes a request and returns a text"),
  limiter: ConfigOption.rule(
    (limiter) => Effect.isEffect(limiter) || isLimiter(limiter),
    "a RateLimiter of effect/persistence",
    "Write RateLimiter.RateLimiter, or leave it out to count in memory"
  ),
  whenUnavailable: ConfigOption.rule(
    (value) => value === "reject" || value === "admit",
    "\"reject\" or \"admit\"",
    "Write \"reject\" to answer 503 while the limiter fails, or \"admit\" to admit requests without a limit"
  )
}

const isLimiter = (limiter: unknown): boolean =>
  Predicate.hasProperty(limiter, "consume") && typeof limiter.consume === "function"

const checkOptions = <R>(options: Options<R>, { hasAnonymous, hasProofs }: OtherOptions): Options<R> => {
  ConfigOption.check(options, "quotas", table)
  const given = rates.filter((name) => options[name] !== undefined)
  if (given.length === 0) {
    throw ConfigOption.error(
      "quotas",
      `there is no rate. Write one of ${rates.join(", ")}, or leave quotas out`,
      "missing"
    )
  }
  for (const name of given) {
    const { limit, window } = options[name] as Partial<Rate>
    // A rate without one of its members would not limit anything.
    if (limit === undefined || window === undefined) {
      throw ConfigOption.error(
        `quotas.${name}`,
        "limit and window are both required. Write one such as { limit: 600, window: \"1 minute\" }",
        "missing"
      )
    }
  }
  if (options.limiter !== undefined && options.whenUnavailable === undefined) {
    throw ConfigOption.error(
      "quotas.whenUnavailable",
      "it is required with limiter. Write \"reject\" to answer 503 while the limiter fails, or \"admit\" to admit requests without a limit",
      "missing"
    )
  }
  if (options.limiter === undefined && options.whenUnavailable !== undefined) {
    throw ConfigOption.error(
      "quotas.whenUnavailable",
      "it has no effect without limiter. Remove it, or give a limiter",
      "conflict"
    )
  }
  if (options.proofs !== undefined && !hasProofs) {
    throw ConfigOption.error(
      "quotas.proofs",
      "it has no effect without dpop. Remove it, or set dpop, such as Dpop.required()",
      "conflict"
    )
  }
  if (options.anonymousKey !== undefined && !hasAnonymous) {
    throw ConfigOption.error(
      "quotas.anonymousKey",
      "it has no effect, because anonymous callers are rejected. Remove it, or set anonymous: \"allow-unscoped\"",
      "conflict"
    )
  }
  return options
}

/** Takes one from a quota of a caller. Returns 0, or the time in milliseconds after which one is left again. */
type Take = (key: string) => Effect.Effect<number, QuotaStoreUnavailable>

type MakeTake = (name: Name, limits: memoryLimiter.Limits) => Take

/** Counts in memory. Principals and anonymous callers are separate, because an anonymous caller may choose its key. */
const inMemory: MakeTake = (_, limits) => {
  const ofPrincipals = memoryLimiter.make(limits)
  const ofAnonymous = memoryLimiter.make(limits)
  return (key) => (key.startsWith(anonymousPrefix) ? ofAnonymous : ofPrincipals)(key)
}

const down = new QuotaStoreUnavailable({ reason: "quota-store-down", retryAfter: 1 })

/** The time limit of the limiter. Without it, a store that hangs would block every request. */
const timeLimit = "1 second"

/** The time between two warnings about a limiter that fails while requests are admitted, in milliseconds. */
const warningInterval = 60_000

/** Counts with a limiter of Effect. */
const inLimiter = (limiter: RateLimiter, whenUnavailable: "reject" | "admit"): MakeTake => {
  let warned = Number.NEGATIVE_INFINITY
  const warn = Effect.flatMap(monotonic.millis, (now) => {
    if (now - warned < warningInterval) return Effect.void
    warned = now
    return Effect.logWarning(
      "The limiter of quotas fails, and requests are admitted without a limit, as quotas.whenUnavailable states"
    )
  })
  return (name, { limit, window }) => (key) =>
    Effect.flatMap(sha256(key), (hash) =>
      limiter.consume({
        algorithm: "token-bucket",
        onExceeded: "fail",
        key: `effect-mcp-auth:${name}:${hash}`,
        limit,
        window
      }).pipe(
        Effect.timeout(timeLimit),
        Effect.as(0),
        Effect.catch((error) => {
          if (error._tag !== "TimeoutError" && error.reason._tag === "RateLimitExceeded") {
            return Effect.succeed(Math.max(1, Duration.toMillis(error.reason.retryAfter)))
          }
          return whenUnavailable === "admit" ? Effect.as(warn, 0) : Effect.fail(down)
        })
      ))
}

const anonymousPrefix = "anonymous:"

/** The longest part of the key of an anonymous caller that counts, in characters. */
const longestKey = 256

/** Another value is a mistake, such as the promise of an async function. It would silently give all callers one quota. */
const notKey = (key: unknown) =>
  new TypeError(
    `quotas.anonymousKey returned ${OptionValue.describe(OptionValue.ignoreFailure(key))}; expected text or undefined`
  )

const quotasOf = (options: Options<unknown>, makeTake: MakeTake): CallerQuotas => {
  const takes = new Map<Name, Take>()
  for (const name of rates) {
    const rate = options[name]
    if (rate === undefined) continue
    takes.set(
      name,
      makeTake(name, { limit: rate.limit, window: Duration.toMillis(Duration.fromInputUnsafe(rate.window)) })
    )
  }

  const count = (name: Name, key: () => string): Counted => {
    const take = takes.get(name)
    return take === undefined ? Effect.void : Effect.flatMapEager(take(key()), (wait) =>
      wait === 0
        ? Effect.void
        : Effect.fail(new QuotaExceeded({ reason: "quota", quota: name, retryAfter: wait / 1000 })))
  }

  const keyOf = ({ principal, request }: Caller) => (): string => {
    if (principal !== undefined) return `principal:${principal.owner}`
    const key = options.anonymousKey?.(request)
    if (key !== undefined && typeof (key as unknown) !== "string") throw notKey(key)
    return anonymousPrefix + (key ?? "").slice(0, longestKey)
  }

  return {
    countRequest: (caller) =>
      Effect.flatMapEager(
        count("requests", keyOf(caller)),
        () => acceptsStream(caller.request) ? count("streams", keyOf(caller)) : Effect.void
      ),
    countOperations: (caller, operations) => {
      const sessions = numberOf("initialize", operations)
      // Not every server reads `Accept`, so each GET request to an MCP endpoint counts. Requests to other routes have an operation.
      const streams = operations.length > 0
        ? numberOf(listen, operations)
        : caller.request.method === "GET" && !acceptsStream(caller.request)
        ? 1
        : 0
      if (sessions + streams === 0) return Effect.void
      return Effect.flatMapEager(
        countAll(sessions, count("sessions", keyOf(caller))),
        () => countAll(streams, count("streams", keyOf(caller)))
      )
    },
    countProof: takes.has("proofs") ? (owner) => count("proofs", () => `principal:${owner}`) : undefined
  }
}

const numberOf = (method: string, operations: ReadonlyArray<Operation>): number =>
  operations.reduce((number, operation) => operation.method === method ? number + 1 : number, 0)

/** Counts each of several operations. A message has at most `maximumOperations`. */
const countAll = (number: number, counted: Counted): Counted =>
  number === 0 ? Effect.void : Effect.flatMapEager(counted, () => countAll(number - 1, counted))

const acceptsStream = (request: Request): boolean =>
  request.method === "GET" && /\btext\/event-stream\b/i.test(request.header("accept") ?? "")
