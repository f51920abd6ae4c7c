import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { makeSecret } from "../../client/sign-in/Pkce.ts"
import { sha256 } from "../../crypto/Sha256.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import type { ProxyRequest } from "./ProxyRequest.ts"

/*
 * The cookies of the proxy: one that identifies the browser, and one for each approved transaction. They are read from the raw
 * header, because a parser of cookies keeps one of two cookies with the same name, and the other one could be an attacker's.
 *
 * On https, the prefix `__Host-` keeps other hosts of the domain from setting the cookies. On http loopback, browsers drop secure
 * cookies or accept them from other ports, so the name contains the port instead.
 */

/** The value of a cookie, or why there is none. */
export type Found = { readonly value: string } | "absent" | "repeated"

export interface Cookies {
  /** Returns the id of the browser: 43 characters. */
  readonly browser: (request: ProxyRequest) => Found
  /** Returns a new id for the browser, and the `Set-Cookie` line that stores it. */
  readonly createBrowser: () => { readonly id: string; readonly line: string }
  /** Returns the sealed transaction with a key. */
  readonly transaction: (request: ProxyRequest, key: string) => Found
  /** Returns the `Set-Cookie` lines that store a transaction, and that drop the oldest ones if there are too many. */
  readonly store: (request: ProxyRequest, key: string, sealed: string) => Effect.Effect<ReadonlyArray<string>>
  /** Returns the `Set-Cookie` lines that remove a transaction. */
  readonly remove: (request: ProxyRequest, key: string) => ReadonlyArray<string>
}

/** The lifetime of a transaction after its approval, in seconds. */
export const lifetime = 600

/** The largest number of transactions of a browser. */
const maximumTransactions = 4

interface Pair {
  readonly name: string
  readonly value: string
}

const parse = (request: ProxyRequest): ReadonlyArray<Pair> =>
  request.header("cookie").flatMap((line) => line.split(";")).map((part) => {
    const [name, ...value] = part.split("=")
    return { name: name!.trim(), value: value.join("=").trim() }
  })

const only = (pairs: ReadonlyArray<Pair>): Found =>
  pairs.length === 0 ? "absent" : pairs.length > 1 ? "repeated" : { value: pairs[0]!.value }

/** Creates the cookies of an issuer. */
export const make = (issuer: string): Effect.Effect<Cookies> =>
  Effect.map(sha256(issuer), (hash) => {
    const { hostname, port, protocol } = new URL(issuer)
    const isSecure = protocol === "https:" || !HttpUri.isLoopback(hostname)
    const base = `${isSecure ? "__Host-mcp-proxy" : `mcp-proxy-${port || "80"}`}-${hash.slice(0, 8)}`
    const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`
    const browserName = `${base}.b`
    const prefix = `${base}.t.`
    const clear = (name: string) => `${name}=; ${attributes}; Max-Age=0`
    const transactions = (request: ProxyRequest) => parse(request).filter(({ name }) => name.startsWith(prefix))
    const withKey = (request: ProxyRequest, key: string) =>
      transactions(request).filter(({ name }) => name.slice(name.lastIndexOf(".") + 1) === key)
    return {
      browser: (request) => {
        const found = only(parse(request).filter(({ name }) => name === browserName))
        return typeof found === "object" && !/^[\w-]{43}$/.test(found.value) ? "absent" : found
      },
      createBrowser: () => {
        const id = makeSecret()
        return { id, line: `${browserName}=${id}; ${attributes}` }
      },
      transaction: (request, key) => only(withKey(request, key)),
      store: (request, key, sealed) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          // The time in the name, in seconds and with a fixed length, puts the names in the order of their creation.
          const time = Math.floor(now / 1_000).toString(36).padStart(8, "0")
          const names = [...new Set(transactions(request).map(({ name }) => name))].sort()
          const dropped = names.slice(0, Math.max(0, names.length - (maximumTransactions - 1)))
          return [
            ...dropped.map(clear),
            `${prefix}${time}.${key}=${sealed}; ${attributes}; Max-Age=${lifetime}`
          ]
        }),
      remove: (request, key) => withKey(request, key).map(({ name }) => clear(name))
    }
  })
