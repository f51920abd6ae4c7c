import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { makeSecret } from "../../client/sign-in/Pkce.ts"
import { sha256 } from "../../crypto/Sha256.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import type { Mac } from "../keys/ProxyKeys.ts"
import type { ProxyRequest } from "./ProxyRequest.ts"

/*
 * The cookies of the proxy: one that identifies the browser, one that marks a browser in which a person has signed in, and one for each
 * approved transaction. They are read from the raw
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
  /** Returns the id of a browser in which a person has signed in before. */
  readonly signedIn: (request: ProxyRequest) => Effect.Effect<string | undefined>
  /** Returns the `Set-Cookie` line that marks a browser in which a person has signed in. It proves nothing else. */
  readonly markSignedIn: Effect.Effect<string>
  /** Returns the sealed transaction with a key. */
  readonly transaction: (request: ProxyRequest, key: string) => Found
  /** Returns the `Set-Cookie` lines that store a transaction, and that drop the oldest ones if they are too many or too large. */
  readonly store: (request: ProxyRequest, key: string, sealed: string) => Effect.Effect<ReadonlyArray<string>>
  /** Returns the `Set-Cookie` lines that remove a transaction. */
  readonly remove: (request: ProxyRequest, key: string) => ReadonlyArray<string>
}

/** The lifetime of a transaction after its approval, in seconds. */
export const lifetime = 600

/** The largest number of transactions of a browser. */
const maximumTransactions = 4

/**
 * The largest size of the cookies of all transactions of a browser, in bytes. A browser sends them with every request to the host, and
 * common servers reject a line of 8 KB or headers of 16 KB in total. One transaction has at most 4,096 bytes.
 */
const maximumTotal = 6 * 1024

interface Pair {
  readonly name: string
  readonly value: string
}

/**
 * Reads the cookies. Only spaces and tabs are removed: for a browser, a name that begins with other white space has no prefix, so any
 * host of the domain can set it.
 */
const parse = (request: ProxyRequest): ReadonlyArray<Pair> =>
  request.header("cookie").flatMap((line) => line.split(";")).map((part) => {
    const [name, ...value] = part.replace(/^[ \t]+/, "").split("=")
    return { name: name!, value: value.join("=") }
  })

/** The size of a cookie in a request, with its separators. All characters are ASCII. */
const sizeOf = (name: string, value: string): number => name.length + value.length + "=; ".length

const only = (pairs: ReadonlyArray<Pair>): Found =>
  pairs.length === 0 ? "absent" : pairs.length > 1 ? "repeated" : { value: pairs[0]!.value }

/** The time for which a browser is marked after a sign-in, in seconds: 400 days, the most that browsers keep a cookie. */
const markLifetime = 400 * 86_400

/** Creates the cookies of an issuer. `mac` authenticates the browsers in which a person has signed in. */
export const make = (issuer: string, mac: Mac): Effect.Effect<Cookies> =>
  Effect.map(sha256(issuer), (hash) => {
    const { hostname, port, protocol } = new URL(issuer)
    const isSecure = protocol === "https:" || !HttpUri.isLoopback(hostname)
    const base = `${isSecure ? "__Host-mcp-proxy" : `mcp-proxy-${port || "80"}`}-${hash.slice(0, 8)}`
    const attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`
    const browserName = `${base}.b`
    const markName = `${base}.s`
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
      signedIn: (request) => {
        const found = only(parse(request).filter(({ name }) => name === markName))
        const [, id, kid, tag] = typeof found === "string"
          ? []
          : /^([\w-]{43})\.([\w-]{8})\.([\w-]{43})$/.exec(found.value) ?? []
        return tag === undefined
          ? Effect.undefined
          : Effect.map(mac.verify(kid!, `${issuer} ${id}`, tag), (isOurs) => isOurs ? id : undefined)
      },
      markSignedIn: Effect.suspend(() => {
        const id = makeSecret()
        return Effect.map(
          mac.sign(mac.kid, `${issuer} ${id}`),
          (tag) => `${markName}=${id}.${mac.kid}.${tag}; ${attributes}; Max-Age=${markLifetime}`
        )
      }),
      transaction: (request, key) => only(withKey(request, key)),
      store: (request, key, sealed) =>
        Effect.map(Clock.currentTimeMillis, (now) => {
          // The time in the name, in seconds and with a fixed length, puts the names in the order of their creation.
          const time = Math.floor(now / 1_000).toString(36).padStart(8, "0")
          const name = `${prefix}${time}.${key}`
          const sizes = new Map<string, number>()
          for (const { name, value } of transactions(request)) {
            sizes.set(name, (sizes.get(name) ?? 0) + sizeOf(name, value))
          }
          const kept = [...sizes.keys()].sort()
          const dropped: Array<string> = []
          let total = [...sizes.values()].reduce((sum, size) => sum + size, sizeOf(name, sealed))
          while (kept.length > 0 && (kept.length >= maximumTransactions || total > maximumTotal)) {
            const oldest = kept.shift()!
            total -= sizes.get(oldest)!
            dropped.push(oldest)
          }
          return [
            ...dropped.map(clear),
            `${name}=${sealed}; ${attributes}; Max-Age=${lifetime}`
          ]
        }),
      remove: (request, key) => withKey(request, key).map(({ name }) => clear(name))
    }
  })
