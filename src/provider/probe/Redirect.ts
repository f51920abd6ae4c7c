import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Probe from "./Probe.ts"

const statuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** The maximum number of redirects that both official clients follow for one request. */
const maximumRedirects = 5

/** A response that names another URL. */
export interface Redirect {
  readonly status: number
  readonly target: string
  /** Whether both official clients follow it. */
  readonly isFollowed: boolean
}

/**
 * Returns the redirect of a response. Both official clients (@modelcontextprotocol/sdk 1.x, @modelcontextprotocol/client 2.x)
 * follow a redirect if it stays within the origin and keeps the method: any redirect of a GET request, and 307 and 308 of
 * other requests. The https form of an http URL, both on the default port, counts as the same origin.
 */
export const getRedirect = (exchange: Probe.Exchange, method: "GET" | "POST"): Redirect | undefined => {
  if (exchange._tag === "NoResponse" || !statuses.has(exchange.status)) return undefined
  const location = exchange.headers["location"]
  if (location === undefined || !URL.canParse(location, exchange.url)) return undefined
  const from = new URL(exchange.url)
  const target = new URL(location, exchange.url)
  const keepsMethod = method === "GET" || exchange.status === 307 || exchange.status === 308
  const keepsUser = (target.username === "" && target.password === "") ||
    (target.username === from.username && target.password === from.password)
  return {
    status: exchange.status,
    target: target.href,
    isFollowed: keepsMethod && keepsUser && isWithinOrigin(from, target)
  }
}

const isWithinOrigin = (from: URL, to: URL): boolean =>
  from.origin === to.origin ||
  (from.protocol === "http:" && to.protocol === "https:" && from.hostname === to.hostname && from.port === "" &&
    to.port === "")

/** A document, and the URL of the redirect that leads to it. */
export interface Located {
  readonly reading: Probe.Reading
  /** The URL that serves the document, if it is not the requested URL. */
  readonly redirectedTo: string | undefined
}

/** Fetches a metadata document as both official clients do: follows redirects within the origin. */
export const fetchDocument = (
  url: string,
  headers: Readonly<Record<string, string>>
): Effect.Effect<Located, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    let current = url
    for (let followed = 0;; followed++) {
      const exchange = yield* Probe.send(current, { headers })
      const redirect = getRedirect(exchange, "GET")
      if (redirect?.isFollowed !== true || followed === maximumRedirects) {
        // The reading names the requested URL, because clients know only this one.
        return {
          reading: Probe.read({ ...exchange, url }),
          redirectedTo: current === url ? undefined : current
        }
      }
      current = redirect.target
    }
  })
