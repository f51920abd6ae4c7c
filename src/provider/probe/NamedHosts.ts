import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as AddressGuard from "../../outbound/AddressGuard.ts"

/** The code of the error with which a request to such a host fails. */
export const notPublic = "ENOTPUBLIC"

/**
 * Keeps a public server from deciding which hosts of this network receive a request: the hosts that its documents name
 * must be public as well (RFC 9728 §7.7). A server that is not public itself may name any.
 */
export const guard = (target: URL) => (self: HttpClient.HttpClient): HttpClient.HttpClient =>
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

/** Runs an examination of a server with that guard. */
export const guarded = (target: URL) => <A, E>(examination: Effect.Effect<A, E, HttpClient.HttpClient>) =>
  Effect.flatMap(
    HttpClient.HttpClient,
    (client) => Effect.provideService(examination, HttpClient.HttpClient, guard(target)(client))
  )
