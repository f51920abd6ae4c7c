import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as AddressGuard from "../../outbound/AddressGuard.ts"

/** The code of the error for a host name that does not resolve to public addresses. */
export const notPublic = "ENOTPUBLIC"

/** The code of the error for a checked host name that resolves to public and to other addresses. */
export const mixedAddresses = "EMIXED"

/**
 * Tells whether the checked server is on this machine or in its network: by its name, or because every address of its name is
 * private. A look-up that fails or takes longer than 2 seconds does not show this. Otherwise, a public server could switch the
 * guard off with a slow resolver, or with one private address among its addresses.
 */
const isPrivate = (hostname: string): Effect.Effect<boolean> =>
  AddressGuard.isPublicHost(hostname)
    ? Effect.flatMap(AddressGuard.Resolver, (resolve) =>
      resolve === undefined || AddressGuard.isPublic(hostname) ? Effect.succeed(false) : resolve(hostname).pipe(
        Effect.map((found) =>
          found.length > 0 && !found.some(AddressGuard.isPublic)
        ),
        Effect.timeout(Duration.seconds(2)),
        Effect.orElseSucceed(() => false)
      ))
    : Effect.succeed(true)

const guardClient = (target: URL, client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.flatMap(AddressGuard.reach(url.hostname), (reach) => {
      const isTarget = url.hostname === target.hostname
      return reach === "public" || (reach === "unknown" && isTarget) ? client.execute(request) : Effect.fail(
        new HttpClientError.HttpClientError({
          reason: new HttpClientError.TransportError({
            request,
            cause: { code: isTarget ? mixedAddresses : notPublic }
          })
        })
      )
    })
  )

/**
 * Runs a check of a server with a guarded HTTP client. If the checked server is public, a request fails unless all addresses of
 * its host name are public (RFC 9728 §7.7). Without this, a document could direct requests into the private network of the
 * machine that runs the check. Whether the server is public is determined once, before the first request.
 *
 * The client must connect to the addresses that `AddressGuard.Resolver` returns. If it resolves names again, a server can change
 * its address after the guard has checked it (DNS rebinding).
 */
export const provideGuard =
  (target: URL) =>
  <A, E>(check: Effect.Effect<A, E, HttpClient.HttpClient>): Effect.Effect<A, E, HttpClient.HttpClient> =>
    Effect.flatMap(isPrivate(target.hostname), (isPrivate) =>
      isPrivate ? check : Effect.flatMap(
        HttpClient.HttpClient,
        (client) => Effect.provideService(check, HttpClient.HttpClient, guardClient(target, client))
      ))
