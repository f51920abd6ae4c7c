import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpUri from "../protocol/HttpUri.ts"
import * as AddressGuard from "./AddressGuard.ts"
import * as Fetcher from "./Fetcher.ts"
import * as nodeFetcher from "./NodeFetcher.ts"

/*
 * Sends the requests of a client. The checks of a client decide by the addresses of a host whether a server may name it. The
 * connections here follow these decisions, also if the addresses change after a check (DNS rebinding).
 */

/** How a client sends requests. */
export interface Sender {
  readonly fetcher: Fetcher.Fetcher["Service"]
  /** Provides the resolver that belongs to the fetcher. The checks of the client must run with it. */
  readonly context: Context.Context<never>
}

/**
 * The number of host names whose addresses are known. If there are more, connections to the others need public addresses, because the
 * loss of a known name would weaken the check.
 */
const maximumHosts = 4_096

/**
 * Creates the sender of a client. A `fetch` of the author sends all requests as it is. Without one, on Node, connections follow the
 * checks. On other platforms, the platform's `fetch` resolves names again after a check.
 */
export const forClient = (fetch: typeof globalThis.fetch | undefined): Effect.Effect<Sender> =>
  Effect.gen(function*() {
    const modules = yield* nodeFetcher.NodeModules
    const resolver = yield* AddressGuard.Resolver
    const resolve = resolver ?? AddressGuard.Resolver.defaultValue()
    if (fetch !== undefined || modules === undefined || resolve === undefined) {
      const platform: typeof globalThis.fetch = fetch ?? ((input, init) => globalThis.fetch(input, init))
      return { fetcher: Fetcher.make(platform), context: Context.empty() }
    }
    const pinned = make(modules, resolve)
    return {
      fetcher: pinned.fetcher,
      // Without a resolver, the author has switched off the look-ups of the checks.
      context: resolver === undefined ? Context.empty() : Context.make(AddressGuard.Resolver, pinned.resolve)
    }
  })

/**
 * Creates a fetcher and its resolver. They share what they know about a host: once all its addresses were public, no connection to it
 * uses another one. A host with public and private addresses is reached at the private ones only, so a server on the Internet
 * cannot pass for one in the network of the client.
 */
export const make = (
  modules: Pick<nodeFetcher.Modules, "http" | "https">,
  resolve: AddressGuard.Resolve
): { readonly fetcher: Fetcher.Fetcher["Service"]; readonly resolve: AddressGuard.Resolve } => {
  /** The addresses of public hosts. A host with private addresses has the value `undefined`. */
  const known = new Map<string, ReadonlyArray<string> | undefined>()

  const lookUp = Effect.fnUntraced(function*(name: string) {
    const found = yield* resolve(name)
    const hidden = found.filter((address) => !AddressGuard.isPublic(address))
    const isFull = known.size >= maximumHosts && !known.has(name)
    if (hidden.length > 0 && known.get(name) !== undefined) {
      return yield* Effect.fail(failWith("EREBOUND", `${name} is on a private address now`))
    }
    if (hidden.length > 0 && isFull) {
      return yield* Effect.fail(
        failWith("ETOOMANYHOSTS", `${name} is on a private address, and too many hosts are known`)
      )
    }
    if (found.length > 0 && !isFull) known.set(name, hidden.length === 0 ? found : undefined)
    return hidden.length === 0 ? found : hidden
  })

  const lookup: AddressGuard.Lookup = (hostname, { all, family }, callback) => {
    // A loopback name never leaves the machine (RFC 6761 §6.3).
    const found = HttpUri.isLoopback(hostname) ? Effect.succeed(["127.0.0.1", "::1"]) : lookUp(hostname)
    const addresses = Effect.map(
      found,
      (all) =>
        all.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }))
          .filter((each) => (family !== 4 && family !== 6) || each.family === family)
    )
    Effect.runCallback(addresses, {
      onExit: (exit) => {
        if (Exit.isFailure(exit)) return callback(Cause.squash(exit.cause), undefined)
        const [first] = exit.value
        if (first === undefined) return callback(failWith("ENOTFOUND", `${hostname} has no address`), undefined)
        return all === true ? callback(null, exit.value) : callback(null, first.address, first.family)
      }
    })
  }

  const fetcher = nodeFetcher.make(modules, { allows: HttpUri.isSecure, lookup, agentOf })
  return {
    fetcher: {
      send: (request) => fetcher.send({ ...request, headers: { ...defaultHeaders, ...request.headers } })
    },
    // A host that was public needs no look-up, so a slow answer cannot make its addresses unknown.
    resolve: (name) =>
      Effect.suspend(() => {
        const addresses = known.get(name)
        return addresses === undefined ? lookUp(name) : Effect.succeed(addresses)
      })
  }
}

/** Some servers reject requests without a user agent. The fetcher does not decompress responses. */
const defaultHeaders = { "user-agent": "effect-mcp-auth", "accept-encoding": "identity" }

/** Returns an agent that uses the proxies of the environment if `NODE_USE_ENV_PROXY` is set. Node gives them to its global agents only. */
const agentOf = ({ Agent, globalAgent }: nodeFetcher.NodeHttp): unknown => {
  const proxyEnv = globalAgent?.options["proxyEnv"]
  return proxyEnv === undefined || Agent === undefined ? undefined : new Agent({ proxyEnv })
}

const failWith = (code: string, message: string): Error => Object.assign(new Error(message), { code })
