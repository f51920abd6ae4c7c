/**
 * Connects the command with the network: looks up names, and creates the HTTP client.
 *
 * @since 0.1.0
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as dns from "node:dns"
import * as AddressGuard from "../outbound/AddressGuard.ts"
import * as GuardedHttpClient from "../outbound/http-client/GuardedHttpClient.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import { notPublic } from "../provider/probe/NamedHosts.ts"

/**
 * The options of the network.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Whether requests can be sent only to public addresses, over https. Default: `false`. */
  readonly isPublicOnly?: boolean | undefined
  /** Resolves names. Default: `lookup` of `node:dns`. */
  readonly lookup?: AddressGuard.Lookup | undefined
  /** The environment variables that configure proxies. Default: those of the process. */
  readonly environment?: NodeJS.ProcessEnv | undefined
}

type Addresses = ReadonlyArray<AddressGuard.Address>

/**
 * Creates a look-up that resolves each name once, and returns the same addresses or the same error afterwards. So the addresses
 * that a guard has checked are those to which the client connects (DNS rebinding). Resolves the names below `localhost` like
 * `localhost` itself, without DNS (RFC 6761 §6.3).
 */
const pin = (lookup: AddressGuard.Lookup) => {
  const pinned = new Map<string, Promise<Addresses>>()
  return (hostname: string): Promise<Addresses> => {
    const name = HttpUri.isLoopback(hostname) ? "localhost" : hostname
    const known = pinned.get(name)
    if (known !== undefined) return known
    const found = new Promise<Addresses>((resolve, reject) =>
      lookup(name, { all: true }, (error, addresses: Addresses) => error ? reject(error) : resolve(addresses))
    )
    pinned.set(name, found)
    return found
  }
}

/** Creates a look-up for sockets, in the form of `lookup` of `node:dns`. */
const toLookup =
  (resolve: (hostname: string) => Promise<Addresses>, isPublicOnly: boolean): AddressGuard.Lookup =>
  (hostname, options, callback) => {
    const select = (addresses: Addresses): Addresses => {
      const selected = addresses.filter(({ family }) => !(options.family > 0) || options.family === family)
      if (selected.length === 0) throw failWith("ENOTFOUND", `${hostname} has no address`)
      if (isPublicOnly && !addresses.every(({ address }) => AddressGuard.isPublic(address))) {
        throw failWith(notPublic, `${hostname} has an address that is not public`)
      }
      return selected
    }
    resolve(hostname).then(select).then(
      (selected) =>
        options.all === true ? callback(null, selected) : callback(null, selected[0]!.address, selected[0]!.family),
      (error: unknown) => callback(error, undefined)
    )
  }

const failWith = (code: string, message: string): Error => Object.assign(new Error(message), { code })

const proxyVariables = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"]

/**
 * Explains a failed connection by the environment: returns a sentence if it names a proxy that the client does not use, because
 * Node requires `NODE_USE_ENV_PROXY=1` for that. Returns `undefined` if the reason of the failure is another one.
 *
 * @category getters
 * @since 0.1.0
 */
export const describeUnusedProxy = (detail: string): Effect.Effect<string | undefined> =>
  /\b(?:ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED|ECONNRESET)\b|does not respond/.test(detail)
    ? Effect.map(
      Effect.orDie(Effect.all([isSet("NODE_USE_ENV_PROXY"), ...proxyVariables.map(isSet)])),
      ([isUsed, ...named]) => {
        const variable = proxyVariables.find((_, index) => named[index])
        return variable === undefined || isUsed
          ? undefined
          : `${variable} is set. If this machine needs that proxy, also set NODE_USE_ENV_PROXY=1`
      }
    )
    : Effect.succeed(undefined)

const isSet = (name: string) =>
  Effect.map(Config.option(Config.String(name)), Option.match({ onNone: () => false, onSome: (_) => _ !== "" }))

/**
 * Provides the HTTP client of the checks, and the `AddressGuard.Resolver` of their guard. Both use the same look-ups, each of
 * which happens once. The client follows no redirect.
 *
 * If `NODE_USE_ENV_PROXY=1` is set, the client uses the proxies that the environment names. Node uses them from version 24.5.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  { environment = process.env, isPublicOnly = false, lookup = dns.lookup }: Options = {}
): Layer.Layer<HttpClient.HttpClient> => {
  const resolve = pin(lookup)
  const headers = HttpClientRequest.setHeaders({
    // Some servers reject requests without a user agent.
    "user-agent": "effect-mcp-auth",
    // The client does not decompress responses.
    "accept-encoding": "identity"
  })
  const Client = Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, (client) =>
      HttpClient.mapRequest(
        isPublicOnly
          ? HttpClient.transform(
            GuardedHttpClient.make(client),
            // Without a resolver, the guard checks the text of names only. The connection checks the addresses.
            (response) => Effect.provideService(response, AddressGuard.Resolver, undefined)
          )
          : client,
        headers
      ))
  ).pipe(
    Layer.provide(NodeHttpClient.layerNodeHttpOptions({
      lookup: toLookup(resolve, isPublicOnly),
      ...(environment["NODE_USE_ENV_PROXY"] === "1" ? { proxyEnv: environment } : {})
    }))
  )
  const resolver: AddressGuard.Resolve = (hostname) =>
    Effect.map(Effect.tryPromise(() => resolve(hostname)), (found) => found.map(({ address }) => address))
  return Layer.merge(Client, Layer.succeed(AddressGuard.Resolver, resolver))
}
