import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Fetcher from "../../outbound/Fetcher.ts"
import { isJson, maxAgeOf } from "../../outbound/JsonDocument.ts"
import * as singleFlight from "../../outbound/SingleFlight.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import { type Client, ClientDocumentError } from "./Client.ts"
import * as clientDocument from "./ClientDocument.ts"
import * as documentFetcher from "./internal/documentFetcher.ts"

/*
 * Fetches and caches the metadata documents of clients. Anyone can name a URL, so requests are limited for each origin and in total,
 * and the fetcher connects to public addresses only.
 */

export interface ClientDocuments {
  /** Returns the client whose document has this URL. */
  readonly find: (url: string) => Effect.Effect<Client, ClientDocumentError>
}

const maximumBytes = 5 * 1024
const timeLimit = Duration.seconds(5)
const maximumCached = 1_000
const maximumAtOnce = 16
const maximumAtOnceOfOrigin = 4
const maximumPerMinuteOfOrigin = 30

const minute = 60_000
/** The bounds of the time for which a document counts as current, in milliseconds, and the time without `Cache-Control`. */
const age = { shortest: 5 * minute, longest: 24 * 60 * minute, unstated: 60 * minute }
/** The time for which a cached document may replace one that cannot be fetched, in milliseconds. */
const maxStale = 7 * 24 * 60 * minute

interface Cached {
  readonly client: Client
  readonly fetchedAt: number
  readonly freshUntil: number
}

interface Origin {
  running: number
  /** The times of the requests of the last minute. */
  times: ReadonlyArray<number>
}

const unavailable = (detail: string) => new ClientDocumentError({ reason: "unavailable", detail })
const invalid = (detail: string) => new ClientDocumentError({ reason: "invalid", detail })

/** Creates the cache. `fetcher` must connect to public addresses only, and must not follow redirects. */
export const make = (
  fetcher: Fetcher.Fetcher["Service"],
  privateUse: ReadonlyArray<string>
): Effect.Effect<ClientDocuments, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const cached = new BoundedMap<string, Cached>(maximumCached)
    const flights = singleFlight.make<Client, ClientDocumentError>(scope)
    const origins = new Map<string, Origin>()
    let running = 0

    /** Counts a request, or returns `undefined` if a limit is reached. Returns the function that ends the count. */
    const admit = (origin: string, now: number): (() => void) | undefined => {
      for (const [name, { running, times }] of origins) {
        if (running === 0 && times.every((time) => time <= now - minute)) origins.delete(name)
      }
      const known = origins.get(origin) ?? { running: 0, times: [] }
      const times = known.times.filter((time) => time > now - minute)
      if (
        running >= maximumAtOnce || known.running >= maximumAtOnceOfOrigin ||
        times.length >= maximumPerMinuteOfOrigin
      ) return undefined
      // Requests to invented origins must not block the others, so the oldest origin without a request makes room.
      if (origins.size >= maximumCached && !origins.has(origin)) {
        const idle = [...origins].find(([, { running }]) => running === 0)
        if (idle !== undefined) origins.delete(idle[0])
      }
      known.times = [...times, now]
      known.running++
      running++
      origins.set(origin, known)
      return () => {
        known.running--
        running--
      }
    }

    const read = (url: string, { body, headers, status }: Fetcher.Response) =>
      Effect.gen(function*() {
        // A wall against bots answers 403. These answers say nothing about the document, unlike 404 and 410.
        if (status === 403 || status === 429 || status >= 500) return yield* unavailable(`answered ${status}`)
        const now = yield* monotonic.millis
        const reject = (detail: string) => {
          cached.delete(url)
          return invalid(detail)
        }
        if (Fetcher.isRedirect(status)) return yield* reject("redirects")
        if (status !== 200) return yield* reject(`answered ${status}`)
        if (!isJson(headers["content-type"])) return yield* reject("is not JSON")
        const client = clientDocument.read(url, body, privateUse)
        if (Result.isFailure(client)) return yield* reject(client.failure)
        const stated = maxAgeOf(headers["cache-control"])
        const lifetime = stated === undefined
          ? age.unstated
          : Math.min(age.longest, Math.max(age.shortest, stated * 1_000))
        cached.set(url, { client: client.success, fetchedAt: now, freshUntil: now + lifetime })
        return client.success
      })

    const fetchClient = (url: string): Effect.Effect<Client, ClientDocumentError> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(monotonic.millis, (now) => {
          const end = admit(new URL(url).origin, now)
          if (end === undefined) return Effect.fail(unavailable("has too many requests"))
          return restore(
            Effect.suspend(() =>
              fetcher.send({
                method: "GET",
                url,
                headers: { accept: "application/json" },
                maximumBytes,
                readsBody: ({ headers, status }) => status === 200 && isJson(headers["content-type"])
              })
            ).pipe(
              Effect.mapError(({ code, reason }) =>
                reason === "network" ? unavailable(code ?? reason) : invalid(reason)
              ),
              Effect.timeoutOrElse({
                duration: timeLimit,
                orElse: () => Effect.fail(unavailable("did not answer in time"))
              }),
              Effect.flatMap((response) => read(url, response)),
              Effect.catchDefect(() => Effect.fail(unavailable("cannot be fetched")))
            )
          ).pipe(Effect.ensuring(Effect.sync(end)))
        })
      )

    return {
      find: (url) =>
        Clock.clockWith((clock) => {
          const now = monotonic.millisOf(clock)
          const known = cached.use(url)
          if (known !== undefined && known.freshUntil > now) return Effect.succeed(known.client)
          const fetched = flights.join(url) ?? Effect.flatten(flights.start(url, fetchClient(url)))
          return Effect.catch(
            fetched,
            (error) =>
              error.reason === "unavailable" && known !== undefined && known.fetchedAt + maxStale > now
                ? Effect.succeed(known.client)
                : Effect.fail(error)
          )
        })
    }
  })

/** Creates the cache with the fetcher of the platform. Returns `undefined` if the platform cannot check the addresses of connections. */
export const forPlatform = (
  privateUse: ReadonlyArray<string>
): Effect.Effect<ClientDocuments | undefined, never, Scope.Scope> =>
  Effect.flatMap(
    documentFetcher.forPlatform,
    (fetcher) => fetcher === undefined ? Effect.undefined : make(fetcher, privateUse)
  )
