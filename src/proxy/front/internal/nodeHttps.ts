import * as Effect from "effect/Effect"
import * as AddressGuard from "../../../outbound/AddressGuard.ts"
import * as Fetcher from "../../../outbound/Fetcher.ts"

/*
 * Fetches URLs that other parties chose with `node:https`, whose connections use the addresses that the guard has checked. `fetch`
 * resolves a name again after a check, so it cannot be used for such URLs.
 */

interface Incoming {
  readonly statusCode?: number | undefined
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly on: (event: string, listener: (value: any) => void) => unknown
  readonly destroy: () => unknown
}

interface Outgoing {
  readonly on: (event: string, listener: (value: any) => void) => unknown
  readonly end: () => unknown
  readonly destroy: () => unknown
}

/** The part of `node:https` that the library uses. */
export interface NodeHttps {
  readonly request: (
    url: string,
    options: Readonly<Record<string, unknown>>,
    callback: (response: Incoming) => void
  ) => Outgoing
}

/** The part of `node:dns` that the library uses. */
export interface NodeLookup {
  readonly lookup: AddressGuard.Lookup
}

interface Platform {
  readonly process?: {
    readonly versions?: Readonly<Record<string, string>>
    readonly getBuiltinModule?: (name: string) => unknown
  }
  readonly navigator?: { readonly userAgent?: string }
}

/** Tells whether the platform is Node. Others implement `node:https` without its `lookup`, so addresses would not be checked. */
const isNode = ({ navigator, process }: Platform): boolean =>
  process?.versions?.["node"] !== undefined && process.versions["bun"] === undefined &&
  process.versions["deno"] === undefined && (navigator?.userAgent?.startsWith("Node.js/") ?? true)

/** Returns the fetcher for documents of clients, or `undefined` on a platform whose connections cannot be checked. */
export const documentFetcher = (): Fetcher.Fetcher["Service"] | undefined => {
  const platform = globalThis as Platform
  if (!isNode(platform)) return undefined
  const https = platform.process?.getBuiltinModule?.("node:https") as NodeHttps | undefined
  const dns = platform.process?.getBuiltinModule?.("node:dns") as NodeLookup | undefined
  return https === undefined || dns === undefined ? undefined : make(https, AddressGuard.lookup(oneAtATime(dns.lookup)))
}

/** The number of look-ups that wait. Others fail at once. */
const maximumWaiting = 16

/**
 * Runs one look-up of names at a time. `dns.lookup` blocks a thread of Node until the resolver answers, also if the request has ended
 * meanwhile. Without this, names whose servers never answer would stop every other look-up of the process.
 */
export const oneAtATime = (lookup: AddressGuard.Lookup): AddressGuard.Lookup => {
  let isBusy = false
  const waiting: Array<() => void> = []
  return (hostname, options, callback) => {
    const start = () =>
      lookup(hostname, options, (...found) => {
        const next = waiting.shift()
        isBusy = next !== undefined
        next?.()
        callback(...found)
      })
    if (isBusy) {
      if (waiting.length < maximumWaiting) waiting.push(start)
      else callback(Object.assign(new Error("Too many names wait for a look-up"), { code: "EAGAIN" }), undefined)
      return
    }
    isBusy = true
    start()
  }
}

/**
 * Creates a fetcher of https URLs. `lookup` resolves names, and must reject private addresses. An address in the URL itself is
 * checked here, because Node does not resolve it. Redirects are not followed, and every request has a connection for itself.
 */
export const make = (
  https: NodeHttps,
  lookup: AddressGuard.Lookup,
  more: Readonly<Record<string, unknown>> = {}
): Fetcher.Fetcher["Service"] => ({
  send: ({ headers, maximumBytes, method, readsBody, url }) =>
    Effect.callback<Fetcher.Response, Fetcher.FetchError>((resume) => {
      const { hostname, protocol } = new URL(url)
      if (protocol !== "https:" || !AddressGuard.isPublicHost(hostname)) {
        resume(Effect.fail(new Fetcher.FetchError({ reason: "not-allowed" })))
        return Effect.void
      }
      const request = https.request(url, { ...more, method, headers, lookup, agent: false }, (response) => {
        const head: Fetcher.Head = {
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(
            Object.entries(response.headers).map(([name, value]) => [
              name,
              typeof value === "string" ? value : value?.join(", ")
            ])
          )
        }
        const end = (body: Uint8Array) => {
          resume(Effect.succeed({ ...head, body }))
          request.destroy()
        }
        if (!readsBody(head)) return end(new Uint8Array())
        const chunks: Array<Uint8Array> = []
        let length = 0
        response.on("data", (chunk: Uint8Array) => {
          length += chunk.length
          chunks.push(chunk)
          if (length <= maximumBytes) return
          resume(Effect.fail(new Fetcher.FetchError({ reason: "too-large" })))
          request.destroy()
        })
        response.on("end", () => {
          const body = new Uint8Array(length)
          let offset = 0
          for (const chunk of chunks) {
            body.set(chunk, offset)
            offset += chunk.length
          }
          end(body)
        })
        response.on("error", (error) => resume(Effect.fail(Fetcher.networkError(error))))
      })
      request.on("error", (error) => resume(Effect.fail(Fetcher.networkError(error))))
      request.end()
      return Effect.sync(() => request.destroy())
    })
})
