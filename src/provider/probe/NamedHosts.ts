import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as AddressGuard from "../../outbound/AddressGuard.ts"

/** The code of the error for a host name that does not resolve to public addresses. */
export const notPublic = "ENOTPUBLIC"

/**
 * Guards the HTTP client of a check. If the checked server has public addresses, a request to another host name fails unless
 * that host name has public addresses as well (RFC 9728 §7.7). Without this, a document could direct requests into the private
 * network of the machine that runs the check.
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
