import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Semaphore from "effect/Semaphore"
import * as AddressGuard from "../../outbound/AddressGuard.ts"
import { type Fetcher, isRedirect } from "../../outbound/Fetcher.ts"
import { isJson } from "../../outbound/JsonDocument.ts"
import { Sharing } from "../../outbound/Sharing.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import { type JsonObject, own, parseObject } from "../../protocol/Json.ts"
import { withLease } from "../../store/records/Lease.ts"
import type { Store } from "../../store/records/RecordStore.ts"
import { AuthorizationDenied, type ClientError, DiscoveryError, Mismatch, Unavailable } from "../ClientError.ts"
import type { Credentials } from "../ClientProof.ts"
import { record, trace } from "../Observation.ts"
import { redirected } from "../Redirect.ts"
import type { Found } from "../ServerDiscovery.ts"
import { errorOf } from "../TokenResponse.ts"
import { type ClientOptions, documentCredentials, type Issuers } from "./SignInOptions.ts"
import * as records from "./SignInRecords.ts"

/* Finds or creates the registration of a client at an authorization server (RFC 7591, Client ID Metadata Documents). */

/** A client that an authorization server knows. */
export interface Registration {
  readonly credentials: Credentials
  /** Removes a dynamic registration that the authorization server no longer knows. `undefined` for other registrations. */
  readonly remove: Effect.Effect<void, Unavailable> | undefined
}

/** The registrations of a client. */
export interface Registrations {
  /** Returns the registration at an authorization server, and registers the client if that is necessary. */
  readonly find: (found: Found) => Effect.Effect<Registration, ClientError>
  /** Returns the registration with a client id, without a new registration. */
  readonly known: (issuer: string, clientId: string) => Effect.Effect<Registration | undefined, Unavailable>
}

export interface Options {
  readonly store: Store
  readonly fetcher: Fetcher["Service"]
  readonly client: ClientOptions
  readonly issuers: Issuers
  /** Empty for a client that uses the device authorization grant only. */
  readonly redirectUris: ReadonlyArray<string>
  /** Whether the client uses the device authorization grant. Default: `false`. */
  readonly usesDevice?: boolean | undefined
}

/** The largest response to a registration, in bytes, and the time until it is complete. */
const largestResponse = 65_536
const timeLimit = Duration.seconds(10)

/** The authentication methods that a registration can request, in order of preference. */
const methods = ["none", "client_secret_basic", "client_secret_post"] as const

/** The grant type of the device authorization grant (RFC 8628 §3.4). */
export const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

/** Creates the registrations of a client. */
export const make = Effect.fnUntraced(function*(
  { client, fetcher, issuers, redirectUris, store, usesDevice = false }: Options
): Effect.fn.Return<Registrations> {
  const kept = records.make(store)
  const shares = yield* Sharing
  const lock = yield* Semaphore.make(1)
  const isNative = redirectUris.every((uri) => HttpUri.isLoopback(new URL(uri).hostname))
  const metadata = {
    client_name: client.name,
    redirect_uris: redirectUris,
    grant_types: [
      ...(redirectUris.length === 0 ? [] : ["authorization_code"]),
      "refresh_token",
      ...(usesDevice ? [deviceGrant] : [])
    ],
    response_types: redirectUris.length === 0 ? [] : ["code"],
    application_type: isNative ? "native" : "web"
  }
  const ofDocument = documentCredentials(client)
  const keyFor = (issuer: string) => records.keyOf("registration", issuer, metadata)

  const stored = Effect.fnUntraced(function*(key: string) {
    const found = yield* kept.get(key)
    if (found === undefined) return undefined
    const clientId = records.text(found, "clientId")
    const secret = records.text(found, "clientSecret")
    const method = records.text(found, "method")
    if (clientId === undefined || method === undefined) return undefined
    const registration: Registration = {
      credentials: secret === undefined
        ? { clientId, method: "none" }
        : {
          clientId,
          clientSecret: Redacted.make(secret, { label: "client-secret" }),
          method: method === "client_secret_post" ? method : "client_secret_basic"
        },
      remove: Effect.asVoid(kept.remove(key, found.version))
    }
    return registration
  })

  const register = Effect.fnUntraced(function*(
    { issuer, server }: Found,
    key: string
  ): Effect.fn.Return<Registration, ClientError> {
    const known = yield* stored(key)
    if (known !== undefined) return known
    const listed = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"]
    const method = methods.find((_) => listed.includes(_))
    if (method === undefined) {
      return yield* new Mismatch({
        what: "authentication-method",
        expected: methods.join(" or "),
        found: listed.join(", ")
      })
    }
    const url = yield* checkEndpoint(server.registration_endpoint!, issuer, "registration_endpoint")
    const request = post(fetcher, url, issuer, {
      ...metadata,
      // A server without this grant can reject a registration that names it.
      grant_types: metadata.grant_types.filter((type) =>
        type !== deviceGrant || server.device_authorization_endpoint !== undefined
      ),
      token_endpoint_auth_method: method
    })
    const answer = yield* trace("register", issuer, request)
    const issued = yield* read(answer, issuer, redirectUris)
    const now = yield* Clock.currentTimeMillis
    const lifetime = issued.expiresAt === undefined
      ? records.longestLifetime
      : Duration.millis(Math.max(1_000, issued.expiresAt - now))
    // Written before a browser opens, so that an interrupted sign-in causes no second registration.
    yield* kept.put(key, issued, lifetime, undefined)
    const written = yield* stored(key)
    if (written !== undefined) {
      yield* record("Registered", { issuer, clientId: written.credentials.clientId })
      return written
    }
    return yield* new Unavailable({ detail: "The registration of the client was removed", retryAfter: 1 })
  })

  return {
    find: Effect.fnUntraced(function*(found) {
      const { issuer, server } = found
      const { credentials } = issuers.settingsFor(issuer)
      if (credentials !== undefined) return { credentials, remove: undefined }
      if (ofDocument !== undefined && server.client_id_metadata_document_supported === true) {
        const listed = server.token_endpoint_auth_methods_supported
        // Found before a person signs in for nothing.
        if ("privateKey" in ofDocument && listed?.includes("private_key_jwt") === false) {
          return yield* new Mismatch({
            what: "authentication-method",
            expected: `private_key_jwt at ${issuer}`,
            found: listed.join(", ")
          })
        }
        return { credentials: ofDocument, remove: undefined }
      }
      if (server.registration_endpoint === undefined) {
        return yield* new DiscoveryError({
          detail:
            `${issuer} does not know this client. Register it there and set clientId in its entry of allowIssuers; or ` +
            "set client.metadataUrl, if the authorization server supports Client ID Metadata Documents; or use an " +
            "authorization server with dynamic client registration",
          trail: []
        })
      }
      const key = yield* keyFor(issuer)
      const known = yield* stored(key)
      if (known !== undefined) return known
      const leased = withLease(store, `${key}/lease`, { lifetime: "30 seconds" })(register(found, key)).pipe(
        Effect.catchTag("RecordStoreUnavailable", (error) => Effect.fail(records.unavailable(error)))
      )
      return yield* (shares ? lock.withPermits(1)(leased) : leased)
    }),
    known: Effect.fnUntraced(function*(issuer, clientId) {
      const { credentials } = issuers.settingsFor(issuer)
      if (credentials?.clientId === clientId) return { credentials, remove: undefined }
      if (ofDocument?.clientId === clientId) return { credentials: ofDocument, remove: undefined }
      const registration = yield* stored(yield* keyFor(issuer))
      return registration?.credentials.clientId === clientId ? registration : undefined
    })
  }
})

/** Checks an endpoint that only the metadata name. It is https, and on the host of the issuer or on a public address. */
export const checkEndpoint = Effect.fnUntraced(function*(
  endpoint: string,
  issuer: string,
  member: string
): Effect.fn.Return<string, DiscoveryError> {
  const reject = (why: string) =>
    new DiscoveryError({ detail: `The ${member} of ${issuer} (${endpoint.slice(0, 256)}) ${why}`, trail: [] })
  const parsed = HttpUri.parse(endpoint, { query: true })
  if (parsed._tag === "Failure") return yield* reject(parsed.failure)
  const { hostname, href } = parsed.success
  if (!HttpUri.isSecure(parsed.success)) return yield* reject("is not https")
  const own = new URL(issuer).hostname
  if (hostname === own || (yield* AddressGuard.reach(hostname)) === "public") return href
  // A server in a private network may name other private hosts.
  if ((yield* AddressGuard.reach(own)) === "private") return href
  return yield* reject("is not on a public address")
})

/** Posts the metadata of a client. Redirects are not followed. */
const post = (
  fetcher: Fetcher["Service"],
  url: string,
  issuer: string,
  body: unknown
): Effect.Effect<JsonObject | undefined, ClientError> => {
  const outage = (why: string) =>
    new Unavailable({ detail: `The registration endpoint of ${issuer} ${why}`, retryAfter: 5 })
  return fetcher.send({
    method: "POST",
    url,
    headers: { accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify(body),
    maximumBytes: largestResponse,
    readsBody: ({ status }) => !isRedirect(status) && status < 500
  }).pipe(
    Effect.mapError((error) => outage(`has no usable response: ${error.code ?? error.reason}`)),
    Effect.timeoutOrElse({ duration: timeLimit, orElse: () => Effect.fail(outage("did not answer in time")) }),
    Effect.flatMap(({ body, headers, status }): Effect.Effect<JsonObject | undefined, ClientError> => {
      if (isRedirect(status)) {
        return Effect.fail(redirected(url, headers["location"]))
      }
      if (status >= 500 || status === 429) return Effect.fail(outage(`answered ${status}`))
      const answer = isJson(headers["content-type"]) ? parseObject(body) : undefined
      // RFC 7591 requires 201, and some servers answer 200.
      if (status === 200 || status === 201) return Effect.succeed(answer)
      const code = errorOf(answer) ?? String(status)
      return Effect.fail(new AuthorizationDenied({ reason: "registration", issuer, code }))
    })
  )
}

const isText = (value: unknown): value is string => typeof value === "string" && /^[\x20-\x7e]{1,2048}$/.test(value)

/** Reads a registration. The values of the response apply, because a server can replace those of the request (RFC 7591 §3.2.1). */
const read = Effect.fnUntraced(function*(
  answer: JsonObject | undefined,
  issuer: string,
  redirectUris: ReadonlyArray<string>
) {
  const clientId = own(answer, "client_id")
  if (!isText(clientId)) {
    return yield* new AuthorizationDenied({ reason: "registration", issuer, code: "no client_id" })
  }
  const registered = own(answer, "redirect_uris")
  if (
    registered !== undefined && !(Array.isArray(registered) && redirectUris.every((uri) => registered.includes(uri)))
  ) {
    return yield* new Mismatch({
      what: "redirect-uri",
      expected: redirectUris.join(" "),
      found: Array.isArray(registered) ? registered.slice(0, 16).map(String).join(" ") : typeof registered
    })
  }
  const secret = own(answer, "client_secret")
  const method = own(answer, "token_endpoint_auth_method") ?? (isText(secret) ? "client_secret_basic" : "none")
  const isUsable = method === "none" || (isText(secret) && methods.some((_) => _ === method))
  if (!isUsable) {
    return yield* new Mismatch({
      what: "authentication-method",
      expected: methods.join(" or "),
      found: String(method).slice(0, 64)
    })
  }
  const expires = own(answer, "client_secret_expires_at")
  return {
    clientId,
    clientSecret: method !== "none" && isText(secret) ? secret : undefined,
    method: String(method),
    // 0 means that the secret does not expire (RFC 7591 §3.2.1).
    expiresAt: method !== "none" && typeof expires === "number" && expires > 0 ? expires * 1_000 : undefined
  }
})
