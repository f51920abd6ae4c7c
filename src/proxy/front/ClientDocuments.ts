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
 * Fetches and caches the metadata documents of clients. Anyone can name a URL, so requests are limited for each host, for each site and
 * in total, and the fetcher connects to public addresses only. A host is known after it has served a document. Some of the requests are
 * reserved for known hosts, so that slow unknown hosts do not block the clients of others.
 */

export interface ClientDocuments {
  /** Returns the client whose document has this URL. */
  readonly find: (url: string) => Effect.Effect<Client, ClientDocumentError>
}

const maximumBytes = 5 * 1024
const timeLimit = Duration.seconds(5)
const maximumCached = 1_000
const maximumAtOnce = 16
const maximumAtOnceOfUnknown = 12
/** The limits of a host with all its ports. */
const limitsOfHost: Limits = { atOnce: 4, perMinute: 30 }
/** The limits of the hosts of a site that are not known, because anyone can have any number of subdomains. */
const limitsOfSite: Limits = { atOnce: 8, perMinute: 60 }

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

interface Limits {
  readonly atOnce: number
  readonly perMinute: number
}

interface Counter {
  running: number
  /** The times of the requests of the last minute. */
  times: ReadonlyArray<number>
}

/**
 * Returns the name under which the hosts of one owner are counted: the last two labels, or three below a second level such as `co.uk`.
 * Without a list of public suffixes this is an approximation, so it only limits hosts that are not known.
 */
const siteOf = (host: string): string => host.split(".").slice(/\.[a-z]{1,3}\.[a-z]{2}$/.test(host) ? -3 : -2).join(".")

const unavailable = (detail: string) => new ClientDocumentError({ reason: "unavailable", detail })
const invalid = (detail: string) => new ClientDocumentError({ reason: "invalid", detail })

/**
 * Creates the cache. The fetchers must connect to public addresses only, and must not follow redirects. `fetcherOfKnown` sends the
 * requests to known hosts, so that its look-ups of names do not wait for those of unknown hosts.
 */
export const make = (
  fetcher: Fetcher.Fetcher["Service"],
  privateUse: ReadonlyArray<string>,
  fetcherOfKnown = fetcher
): Effect.Effect<ClientDocuments, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    const cached = new BoundedMap<string, Cached>(maximumCached)
    const flights = singleFlight.make<Client, ClientDocumentError>(scope)
    const known = new BoundedMap<string, true>(maximumCached)
    // The least recently used counter makes room, so requests to invented hosts do not shut out other hosts.
    const counters = new BoundedMap<string, Counter>(2 * maximumCached)
    let running = 0
    let runningOfUnknown = 0

    /** Counts a request, or returns `undefined` if a limit is reached. Returns the function that ends the count. */
    const admit = (host: string, isKnown: boolean, now: number): (() => void) | undefined => {
      if (running >= maximumAtOnce || (!isKnown && runningOfUnknown >= maximumAtOnceOfUnknown)) return undefined
      const limited: ReadonlyArray<readonly [name: string, limits: Limits]> = isKnown
        ? [[host, limitsOfHost]]
        : [[host, limitsOfHost], [`*.${siteOf(host)}`, limitsOfSite]]
      const counted: Array<Counter> = []
      for (const [name, { atOnce, perMinute }] of limited) {
        const counter = counters.use(name) ?? { running: 0, times: [] }
        counter.times = counter.times.filter((time) => time > now - minute)
        if (counter.running >= atOnce || counter.times.length >= perMinute) return undefined
        counters.set(name, counter)
        counted.push(counter)
      }
      const count = (step: 1 | -1) => {
        running += step
        if (!isKnown) runningOfUnknown += step
        for (const counter of counted) counter.running += step
      }
      for (const counter of counted) counter.times = [...counter.times, now]
      count(1)
      return () => count(-1)
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
        known.set(new URL(url).hostname, true)
        cached.set(url, { client: client.success, fetchedAt: now, freshUntil: now + lifetime })
        return client.success
      })

    const fetchClient = (url: string): Effect.Effect<Client, ClientDocumentError> =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(monotonic.millis, (now) => {
          const { hostname } = new URL(url)
          const isKnown = known.has(hostname)
          const end = admit(hostname, isKnown, now)
          if (end === undefined) return Effect.fail(unavailable("has too many requests"))
          // A host that no longer answers takes no reserved request. The error is the same for all causes, because the code of a network
          // error says whether an internal name exists.
          const failed = (cause: string) =>
            Effect.suspend(() => {
              known.delete(hostname)
              const line = Effect.logDebug(`The document of a client at ${hostname} cannot be fetched: ${cause}`)
              return Effect.andThen(line, Effect.fail(unavailable("cannot be fetched")))
            })
          return restore(
            Effect.suspend(() =>
              (isKnown ? fetcherOfKnown : fetcher).send({
                method: "GET",
                url,
                headers: { accept: "application/json" },
                maximumBytes,
                readsBody: ({ headers, status }) => status === 200 && isJson(headers["content-type"])
              })
            ).pipe(
              Effect.catch(({ code, reason }) =>
                reason === "network" ? failed(code ?? reason) : Effect.fail(invalid(reason))
              ),
              Effect.timeoutOrElse({ duration: timeLimit, orElse: () => failed("no answer within 5 seconds") }),
              Effect.flatMap((response) => read(url, response)),
              Effect.catchDefect(() => failed("a defect"))
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
  Effect.gen(function*() {
    const fetcher = yield* documentFetcher.forPlatform
    return fetcher && (yield* make(fetcher, privateUse, yield* documentFetcher.forPlatform))
  })
