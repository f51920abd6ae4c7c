/**
 * Wraps an `HttpClient` of Effect so that it sends no requests to private addresses.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as AddressGuard from "../AddressGuard.ts"

/**
 * Creates a client that sends requests only to https URLs with a public address. Every other request fails before a connection
 * is opened.
 *
 * **When to use**
 *
 * Use it if URLs come from another party, such as a tenant that chooses its issuer.
 *
 * **Gotchas**
 *
 * Host names are checked with `AddressGuard.resolvesPublicly`, and the client resolves them again. To prevent DNS rebinding,
 * the client must reject private addresses itself: see `AddressGuard.lookup`.
 *
 * **Example** (A request to the metadata service of a cloud provider)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { GuardedHttpClient } from "effect-mcp-auth/http-client"
 * import { FetchHttpClient, HttpClient } from "effect/http"
 * import assert from "node:assert/strict"
 *
 * const ask = Effect.flatMap(HttpClient.HttpClient, (client) =>
 *   GuardedHttpClient.make(client).get("https://169.254.169.254/latest/meta-data"))
 *
 * const rejected = await Effect.runPromise(ask.pipe(Effect.flip, Effect.provide(FetchHttpClient.layer)))
 * assert.strictEqual(rejected._tag, "HttpClientError")
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  client: HttpClient.HttpClient,
  options: AddressGuard.GuardOptions = {}
): HttpClient.HttpClient => {
  ConfigOption.check(options, "GuardedHttpClient.make", table)
  return HttpClient.make((request, url) =>
    Effect.flatMap(
      AddressGuard.allows(url, options),
      (isAllowed) =>
        isAllowed ? client.execute(request) : Effect.fail(
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({
              request,
              description: `${url.protocol}//${url.host} is not known to be a public https host`
            })
          })
        )
    )
  )
}

const table: ConfigOption.Table<keyof AddressGuard.GuardOptions> = { allowLoopback: ConfigOption.oneOf(false, true) }
