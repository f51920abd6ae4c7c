import * as Effect from "effect/Effect"
import * as AddressGuard from "../../../outbound/AddressGuard.ts"
import type * as Fetcher from "../../../outbound/Fetcher.ts"
import * as nodeFetcher from "../../../outbound/NodeFetcher.ts"

/* Fetches the documents of clients, at URLs that anyone can name. */

/** Returns the fetcher for documents of clients, or `undefined` on a platform whose connections cannot be checked. */
export const forPlatform: Effect.Effect<Fetcher.Fetcher["Service"] | undefined> = Effect.map(
  nodeFetcher.NodeModules,
  (modules) => modules && make(modules, AddressGuard.lookup(oneAtATime(modules.dns.lookup)))
)

/** Creates the fetcher. It connects over https and to public addresses only. `lookup` must reject private addresses. */
export const make = (
  modules: Pick<nodeFetcher.Modules, "http" | "https">,
  lookup: AddressGuard.Lookup,
  more?: Readonly<Record<string, unknown>>
): Fetcher.Fetcher["Service"] =>
  nodeFetcher.make(modules, {
    allows: ({ hostname, protocol }) => protocol === "https:" && AddressGuard.isPublicHost(hostname),
    lookup,
    more
  })

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
