import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as AddressGuard from "../../outbound/AddressGuard.ts"

/** The code of the error if a host is not public. */
export const notPublic = "ENOTPUBLIC"

/**
 * Limits a client to hosts that the checked server can name: if that server is public, the hosts in its documents must be
 * public as well (RFC 9728 §7.7). Otherwise it could direct requests into the network that runs the check.
 */
export const guardClient = (target: URL) => (self: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.make((request, url) => {
    if (url.hostname === target.hostname) return self.execute(request)
    return Effect.flatMap(
      Effect.all([AddressGuard.resolvesPublicly(url.hostname), AddressGuard.resolvesPublicly(target.hostname)]),
      ([isPublic, isTargetPublic]) =>
        isPublic || !isTargetPublic ? self.execute(request) : Effect.fail(
          new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, cause: { code: notPublic } })
          })
        )
    )
  })

/** Runs a check of a server with a guarded client. */
export const provideGuard = (target: URL) => <A, E>(check: Effect.Effect<A, E, HttpClient.HttpClient>) =>
  Effect.flatMap(
    HttpClient.HttpClient,
    (client) => Effect.provideService(check, HttpClient.HttpClient, guardClient(target)(client))
  )
