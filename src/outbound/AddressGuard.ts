/**
 * Checks whether this server may send a request to a URL that another party chose, in a document, a token or a request. Without
 * a guard, that party could make this server send requests to every machine in its network (server-side request forgery, RFC
 * 9728 §7.7).
 *
 * URLs in the configuration are not checked, because the operator chooses them, and a configured authorization server may run
 * in a private network. URLs in the metadata of an authorization server are checked: see `AuthLayer.allowPrivateEndpoints`.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import { type Fetcher, FetchError } from "./Fetcher.ts"
import * as nodeDns from "./internal/nodeDns.ts"
import { Sharing } from "./Sharing.ts"

/**
 * Tells whether a text is an address on the public Internet: an IPv4 address in dotted form, or an IPv6 address with or without
 * brackets.
 *
 * **Details**
 *
 * Returns `false` for the ranges of IANA's special-purpose registries (RFC 6890): `0.0.0.0/8`, loopback, private, shared,
 * link-local (where cloud providers serve instance metadata), documentation, benchmarking, multicast and reserved. For an IPv6
 * address that contains an IPv4 address (mapped, compatible, translated, NAT64, 6to4, ISATAP), the IPv4 address decides. Teredo
 * addresses and addresses outside global unicast are not public.
 *
 * **Example** (Public and private addresses)
 *
 * ```ts
 * import { AddressGuard } from "effect-mcp-auth/host"
 * import assert from "node:assert/strict"
 *
 * assert.ok(AddressGuard.isPublic("93.184.216.34"))
 * assert.ok(!AddressGuard.isPublic("10.0.0.1"))
 * assert.ok(!AddressGuard.isPublic("::1"))
 * ```
 *
 * @category guards
 * @since 0.1.0
 */
export const isPublic = (address: string): boolean => {
  const v4 = parseV4(address)
  if (v4 !== undefined) return isPublicV4(v4)
  const v6 = parseV6(address.startsWith("[") && address.endsWith("]") ? address.slice(1, -1) : address)
  return v6 !== undefined && isPublicV6(v6)
}

type V4 = readonly [number, number, number, number]

const parseV4 = (text: string): V4 | undefined => {
  const parts = text.split(".")
  // Leading zeros are rejected: some parsers read 010 as octal 8, others as decimal 10.
  return parts.length === 4 && parts.every((_) => /^(?:0|[1-9]\d{0,2})$/.test(_) && Number(_) <= 255)
    ? parts.map(Number) as unknown as V4
    : undefined
}

const isPublicV4 = ([a, b, c]: V4): boolean =>
  !(
    a === 0 || a === 10 || a === 127 || a >= 224 ||
    (a === 100 && b >= 64 && b < 128) ||
    (a === 169 && b === 254) ||
    (a === 172 && b >= 16 && b < 32) ||
    (a === 192 && b === 0 && (c === 0 || c === 2)) ||
    (a === 192 && b === 31 && c === 196) ||
    (a === 192 && b === 52 && c === 193) ||
    (a === 192 && b === 88 && c === 99) ||
    (a === 192 && b === 168) ||
    (a === 192 && b === 175 && c === 48) ||
    (a === 198 && (b === 18 || b === 19)) ||
    (a === 198 && b === 51 && c === 100) ||
    (a === 203 && b === 0 && c === 113)
  )

/** Returns eight groups of 16 bits, or `undefined` for an invalid address or one with a zone (`fe80::1%eth0`). */
const parseV6 = (text: string): ReadonlyArray<number> | undefined => {
  const halves = text.split("::")
  if (halves.length > 2) return undefined
  const groupsOf = (half: string, last: boolean): ReadonlyArray<number> | undefined => {
    if (half === "") return []
    const groups: Array<number> = []
    const parts = half.split(":")
    for (const [index, part] of parts.entries()) {
      const v4 = last && index === parts.length - 1 ? parseV4(part) : undefined
      if (v4 !== undefined) groups.push(v4[0] * 256 + v4[1], v4[2] * 256 + v4[3])
      else if (/^[0-9a-fA-F]{1,4}$/.test(part)) groups.push(Number.parseInt(part, 16))
      else return undefined
    }
    return groups
  }
  const head = groupsOf(halves[0]!, halves.length === 1)
  const tail = halves.length === 1 ? [] : groupsOf(halves[1]!, true)
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail]
}

const isPublicV6 = (groups: ReadonlyArray<number>): boolean => {
  const [a, b, c, , e, f] = groups as [number, number, number, number, number, number]
  const v4At = (index: number): V4 => {
    const [high, low] = [groups[index]!, groups[index + 1]!]
    return [high >> 8, high & 255, low >> 8, low & 255]
  }
  const zeros = (from: number, to: number) => groups.slice(from, to).every((_) => _ === 0)
  if (zeros(0, 5) && f === 0xffff) return isPublicV4(v4At(6)) // mapped, RFC 4291 §2.5.5.2
  if (zeros(0, 4) && e === 0xffff && f === 0) return isPublicV4(v4At(6)) // translated, RFC 7915
  if (zeros(0, 6)) return isPublicV4(v4At(6)) // compatible, and :: and ::1
  if (a === 0x64 && b === 0xff9b && zeros(2, 6)) return isPublicV4(v4At(6)) // NAT64, RFC 6052
  if ((a & 0xe000) !== 0x2000) return false // outside global unicast
  if (a === 0x2001 && b < 0x200) return false // protocol assignments: Teredo, benchmarking, ORCHID
  if (a === 0x2001 && b === 0xdb8) return false // documentation
  if (a === 0x3fff && b < 0x1000) return false // documentation, RFC 9637
  if (a === 0x2620 && b === 0x4f && c === 0x8000) return false // AS112
  if (a === 0x2002 && !isPublicV4(v4At(1))) return false // 6to4, RFC 3056
  if ((e & 0xfdff) === 0 && f === 0x5efe && !isPublicV4(v4At(6))) return false // ISATAP, RFC 5214 §6.1
  return true
}

/**
 * The maximum length of a host name, in characters (RFC 1035 §2.3.4). `URL` accepts any length, and the pattern that removes
 * trailing dots takes quadratic time.
 */
const maximumName = 255

/**
 * Tells whether the host of a URL may be public, without a DNS look-up. An address must be public. A name must not belong to
 * this machine or its network (`localhost`, `printer`, `x.local`, `x.internal`, `x.home.arpa`).
 *
 * **Gotchas**
 *
 * A public name can resolve to a private address. Use `resolvesPublicly` or `lookup` as well.
 *
 * @category guards
 * @since 0.1.0
 */
export const isPublicHost = (hostname: string): boolean => {
  if (hostname.length > maximumName) return false
  const name = hostname.toLowerCase().replace(/\.+$/, "")
  if (name.includes(":") || /^[\d.]+$/.test(name)) return isPublic(name)
  return name.includes(".") &&
    !/\.(?:localhost|local|localdomain|internal|intranet|lan|home|home\.arpa|corp|svc)$/.test(name)
}

/**
 * Resolves a host name to its addresses.
 *
 * @category models
 * @since 0.1.0
 */
export type Resolve = (hostname: string) => Effect.Effect<ReadonlyArray<string>, unknown>

/**
 * Provides the resolver of `resolvesPublicly`. Default: `node:dns` on Node, Bun and Deno, and `undefined` on every other
 * platform. With `undefined`, only the text of a name is checked.
 *
 * @category references
 * @since 0.1.0
 */
export const Resolver: Context.Reference<Resolve | undefined> = Context.Reference<Resolve | undefined>(
  "effect-mcp-auth/AddressGuard/Resolver",
  { defaultValue: () => nodeDns.dns() === undefined ? undefined : resolveByNode }
)

const resolveByNode: Resolve = (hostname) =>
  Effect.map(
    Effect.tryPromise(() => nodeDns.dns()!.promises.lookup(hostname, { all: true })),
    (found) => found.map(({ address }) => address)
  )

/**
 * Describes whether the host of a URL is public. `"unknown"` means that the resolver did not answer in time.
 *
 * @category models
 * @since 0.1.0
 */
export type Reach = "public" | "private" | "unknown"

/**
 * Determines whether the host of a URL is public. Checks its text with `isPublicHost`. If the host is a name and there is a
 * `Resolver`, also resolves the name, and all its addresses must be public. In a Worker, names are not resolved.
 *
 * **Details**
 *
 * A name that has no address, or whose look-up fails, counts as public: either this machine cannot connect to it, or a proxy
 * resolves the name and decides about the connection. If the resolver takes longer than 2 seconds, the result is `"unknown"`,
 * because the connection resolves the name again and may then get a private address.
 *
 * @category guards
 * @since 0.1.0
 */
export const reach = (hostname: string): Effect.Effect<Reach> => {
  const isAddress = hostname.includes(":") || /^[\d.]+$/.test(hostname)
  if (isAddress || !isPublicHost(hostname)) return Effect.succeed(isPublicHost(hostname) ? "public" : "private")
  return Effect.gen(function*() {
    const resolve = yield* Resolver
    if (resolve === undefined || !(yield* Sharing)) return "public"
    return yield* resolve(hostname).pipe(
      Effect.orElseSucceed((): ReadonlyArray<string> => []),
      Effect.map((addresses): Reach => addresses.every(isPublic) ? "public" : "private"),
      Effect.timeoutOrElse({ duration: Duration.seconds(2), orElse: () => Effect.succeed<Reach>("unknown") })
    )
  })
}

/**
 * Tells whether the host of a URL is public, as determined by `reach`.
 *
 * **Details**
 *
 * Returns `false` for a name that is not resolved within 2 seconds. If only a proxy resolves names, and the resolver of this
 * machine never answers, provide `Resolver` with `undefined`. Workers do not resolve names, and cannot reach private
 * networks.
 *
 * **Gotchas**
 *
 * The connection resolves the name again. The check does not stop a name whose address changes in between (DNS rebinding),
 * unless the client connects only to checked addresses: see `lookup`.
 *
 * @category guards
 * @since 0.1.0
 */
export const resolvesPublicly = (hostname: string): Effect.Effect<boolean> =>
  Effect.map(reach(hostname), (found) => found === "public")

/**
 * Configures which hosts a guard allows in addition to public ones.
 *
 * @category models
 * @since 0.1.0
 */
export interface GuardOptions {
  /** Allows loopback hosts, over plain http as well, for servers under development. Default: `false`. */
  readonly allowLoopback?: boolean | undefined
}

const table: ConfigOption.Table<keyof GuardOptions> = { allowLoopback: ConfigOption.oneOf(false, true) }

/**
 * Tells whether a request may be sent to a URL that another party chose: it must be `https`, and its host must resolve to
 * public addresses only.
 *
 * @category guards
 * @since 0.1.0
 */
export const allows = (url: URL, options: GuardOptions = {}): Effect.Effect<boolean> => {
  ConfigOption.check(options, "AddressGuard.allows", table)
  return options.allowLoopback === true && HttpUri.isSecure(url) && HttpUri.isLoopback(url.hostname)
    ? Effect.succeed(true)
    : url.protocol === "https:"
    ? resolvesPublicly(url.hostname)
    : Effect.succeed(false)
}

/**
 * Wraps a `Fetcher` so that it sends requests only to URLs that `allows` accepts. Every other request fails with `not-allowed`
 * before a connection is opened.
 *
 * **When to use**
 *
 * Use it if URLs come from another party, such as a tenant that chooses its issuer. For an `HttpClient`, use
 * `GuardedHttpClient` of `effect-mcp-auth/http-client`.
 *
 * **Gotchas**
 *
 * Host names are checked with `resolvesPublicly`, and resolved again when the connection is opened. To prevent DNS rebinding,
 * the connection itself must reject private addresses: see `lookup`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const guard = (self: Fetcher["Service"], options: GuardOptions = {}): Fetcher["Service"] => {
  ConfigOption.check(options, "AddressGuard.guard", table)
  return {
    send: (request) =>
      Effect.flatMap(
        URL.canParse(request.url) ? allows(new URL(request.url), options) : Effect.succeed(false),
        (isAllowed) => isAllowed ? self.send(request) : Effect.fail(new FetchError({ reason: "not-allowed" }))
      )
  }
}

/**
 * Describes an address as returned by `lookup` of `node:dns`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Address {
  readonly address: string
  readonly family: number
}

type Callback = (error: any, address: any, family?: number) => void

/**
 * Has the signature of `lookup` of `node:dns`.
 *
 * @category models
 * @since 0.1.0
 */
export type Lookup = (hostname: string, options: any, callback: Callback) => void

/**
 * Wraps a DNS look-up so that it fails if any address of the name is not public. The connection uses the addresses that were
 * checked, so a change of the addresses between check and connection (DNS rebinding) has no effect.
 *
 * **Example** (A client for issuers that other parties choose)
 *
 * ```ts
 * import { NodeHttpClient } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { AddressGuard } from "effect-mcp-auth/host"
 * import { GuardedHttpClient } from "effect-mcp-auth/http-client"
 * import { HttpClient } from "effect/http"
 * import { lookup } from "node:dns"
 *
 * const Guarded = Layer.effect(
 *   HttpClient.HttpClient,
 *   Effect.map(HttpClient.HttpClient, (client) => GuardedHttpClient.make(client))
 * ).pipe(
 *   Layer.provide(NodeHttpClient.layerNodeHttpOptions({ lookup: AddressGuard.lookup(lookup) }))
 * )
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const lookup = (self: Lookup): Lookup => (hostname, options, callback) =>
  self(hostname, options, (error, found, family) => {
    if (error) return callback(error, found, family)
    const addresses: ReadonlyArray<Address> = Array.isArray(found) ? found : [{ address: found, family: family ?? 0 }]
    return addresses.length > 0 && addresses.every(({ address }) => isPublic(address))
      ? callback(null, found, family)
      : callback(Object.assign(new Error(`${hostname} has no public address`), { code: "ENOTFOUND" }), undefined)
  })
