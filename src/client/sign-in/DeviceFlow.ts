import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as FormPost from "../../outbound/FormPost.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import { type JsonObject, own } from "../../protocol/Json.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import { createFor } from "../BoundKey.ts"
import { AuthorizationDenied, type ClientError, Unavailable } from "../ClientError.ts"
import * as clientProof from "../ClientProof.ts"
import { record } from "../Observation.ts"
import * as TokenEndpoint from "../TokenEndpoint.ts"
import * as TokenResponse from "../TokenResponse.ts"
import type { Acquisition } from "../TokenSource.ts"
import { scopesFor } from "./AuthorizationRequest.ts"
import { checkEndpoint, deviceGrant } from "./Registration.ts"
import { type Completed, flowLifetime, isCode, type Options } from "./SignIn.ts"
import * as storedToken from "./StoredToken.ts"

/* Signs a person in on another device (RFC 8628). */

/**
 * The page and the code with which a person signs in on any device.
 *
 * **Details**
 *
 * The texts come from the authorization server. They contain printable characters of ASCII only, and the URLs are https, except on
 * loopback.
 *
 * @category models
 * @since 0.1.0
 */
export interface DevicePrompt {
  /** The page that the person opens. */
  readonly verificationUri: string
  /** The code that the person enters there, at most 64 characters. */
  readonly userCode: string
  /** The page with the code filled in, for a QR code. The person still compares the code. */
  readonly verificationUriComplete: string | undefined
  /** The authorization server. */
  readonly issuer: string
  /** The URL of the MCP server. */
  readonly resource: string
  /** The scopes that the client requests. */
  readonly scopes: ReadonlyArray<string>
  /** The time within which the person must end the sign-in. */
  readonly lifetime: Duration.Duration
}

/** Shows the prompt to the person. */
export type ShowPrompt = (prompt: DevicePrompt) => Effect.Effect<void> | Promise<void> | void

/** The time between requests for the token if the response names none (RFC 8628 §3.2), and what `slow_down` adds, in seconds. */
const defaultInterval = 5

const userCodes = /^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/

/** The longest URL of a page, in characters. */
const longestUri = 2_048

/**
 * Lets a person sign in. Returns `undefined` if the authorization server has no device authorization endpoint, or does not allow the client
 * to use it.
 */
export const signIn = Effect.fnUntraced(function*(
  { fetcher, issuers, keys, registrations, store }: Options,
  show: ShowPrompt,
  connection: storedToken.Connection,
  acquisition: Acquisition
): Effect.fn.Return<Completed | undefined, ClientError> {
  const { found, scopes } = acquisition
  const { issuer, server } = found
  if (server.device_authorization_endpoint === undefined) return undefined
  const endpoint = yield* checkEndpoint(server.device_authorization_endpoint, issuer, "device_authorization_endpoint")
  const registration = yield* registrations.find(found)
  const requested = scopesFor(scopes, server.scopes_supported)
  const { sendsResource } = issuers.settingsFor(issuer)
  const resource = sendsResource ? [["resource", found.resource] as const] : []
  // A proof can be valid once.
  const prove = clientProof.make(
    registration.credentials,
    { issuer, methods: server.token_endpoint_auth_methods_supported },
    "allowIssuers"
  )
  const removeUnknown = (error: ClientError) =>
    isCode(error, "invalid_client") ? registration.remove ?? Effect.void : Effect.void

  const answered = yield* TokenEndpoint.makePost(fetcher)({
    issuer,
    endpoint,
    parameters: [
      ...(requested.length === 0 ? [] : [["scope", ScopeToken.format(requested)] as const]),
      // OpenID Connect Core §11: without it, the server ignores the scope.
      ...(requested.includes("offline_access") ? [["prompt", "consent"] as const] : []),
      ...resource
    ],
    proof: yield* prove
  })
  const answer = read(answered, issuer, issuers.allowed === "any")
  if (Result.isFailure(answer)) {
    // A client that was registered for other grants keeps its registration for them.
    if (isCode(answer.failure, "unauthorized_client")) return undefined
    yield* removeUnknown(answer.failure)
    return yield* answer.failure
  }
  const { deviceCode, interval, lifetime, ...pages } = answer.success
  const prompt: DevicePrompt = { ...pages, issuer, resource: connection.resource, scopes: requested, lifetime }
  yield* display(show, prompt)
  yield* record("SignInBegun", { acquisition: { ...acquisition, scopes: requested }, way: "device" })

  const requestToken = TokenEndpoint.make(fetcher)
  const key = keys && (yield* createFor(keys, found, { isStored: true }))
  const poll = requestToken({
    issuer,
    endpoint: server.token_endpoint!,
    parameters: [["grant_type", deviceGrant], ["device_code", deviceCode], ...resource],
    proof: prove,
    key,
    scopes: requested
  })
  const obtained = yield* pollUntilDone(poll, interval, issuer).pipe(
    Effect.tapError(removeUnknown),
    Effect.timeoutOrElse({ duration: lifetime, orElse: () => Effect.fail(expired) }),
    Effect.tapError((error) => record("SignInFailed", error))
  )
  const stored = yield* storedToken.make(store, connection, keys)
  yield* stored.replace({ ...obtained, clientId: registration.credentials.clientId, requested, issuer })
  const completed = { ...connection, issuer, granted: obtained.granted }
  yield* record("SignInCompleted", completed)
  return completed
})

const expired = new Unavailable({ detail: "The person did not end the sign-in in time", retryAfter: 1 })

/** Requests the token until the person has decided (RFC 8628 §3.5). The first request waits for the interval as well. */
const pollUntilDone = Effect.fnUntraced(function*<A>(
  poll: Effect.Effect<A, ClientError>,
  first: number,
  issuer: string
): Effect.fn.Return<A, ClientError> {
  let interval = first
  for (;;) {
    yield* Effect.sleep(Duration.seconds(interval))
    const result = yield* Effect.result(poll)
    if (Result.isSuccess(result)) return result.success
    const error = result.failure
    if (isCode(error, "authorization_pending")) continue
    if (isCode(error, "slow_down")) interval += defaultInterval
    // An outage must not end a sign-in for which the person has already entered the code.
    else if (error._tag === "Unavailable") interval = Math.min(60, Math.max(interval * 2, error.retryAfter))
    else if (isCode(error, "expired_token")) return yield* expired
    else if (isCode(error, "access_denied")) {
      return yield* new AuthorizationDenied({ reason: "sign-in", issuer, code: "access_denied" })
    } else return yield* Effect.fail(error)
  }
})

/** Calls the function of the author. */
const display = (show: ShowPrompt, prompt: DevicePrompt): Effect.Effect<void, Unavailable> => {
  const failed = () =>
    new Unavailable({ detail: "The function prompt failed, so the person saw no code", retryAfter: 1 })
  return Effect.flatMap(
    Effect.try({ try: () => show(prompt), catch: failed }),
    (shown) => Effect.isEffect(shown) ? shown : Effect.tryPromise({ try: () => Promise.resolve(shown), catch: failed })
  )
}

interface DeviceAuthorizationResponse extends Pick<DevicePrompt, "verificationUri" | "userCode" | "lifetime"> {
  readonly deviceCode: string
  readonly verificationUriComplete: string | undefined
  /** In seconds. */
  readonly interval: number
}

/** Reads the response of the device authorization endpoint (RFC 8628 §3.2). */
const read = (
  answered: FormPost.Answered,
  issuer: string,
  isUntrusted: boolean
): Result.Result<DeviceAuthorizationResponse, AuthorizationDenied> => {
  const deny = (reason: "token-request" | "sign-in", code: string, description?: string) =>
    Result.fail(new AuthorizationDenied({ reason, issuer, code, description }))
  const answer = FormPost.readObject(answered)
  if (answered.status !== 200) {
    return deny("token-request", TokenResponse.errorOf(answer) ?? String(answered.status))
  }
  const deviceCode = own(answer, "device_code")
  const userCode = own(answer, "user_code")
  if (!TokenResponse.isToken(deviceCode)) return deny("sign-in", "invalid_response", "no device_code")
  if (typeof userCode !== "string" || !userCodes.test(userCode)) {
    return deny("sign-in", "invalid_response", "no user_code of at most 64 printable characters")
  }
  const verificationUri = readPage(answer, "verification_uri", issuer, isUntrusted)
  if (verificationUri === undefined) {
    return deny(
      "sign-in",
      "invalid_response",
      isUntrusted
        ? "no verification_uri on the host of the issuer. If you trust the issuer, name it in allowIssuers"
        : "no verification_uri that is https"
    )
  }
  const verificationUriComplete = readPage(answer, "verification_uri_complete", issuer, isUntrusted)
  const seconds = readSeconds(answer, "expires_in")
  const longest = Duration.toSeconds(flowLifetime)
  return Result.succeed({
    deviceCode,
    userCode,
    verificationUri,
    verificationUriComplete,
    interval: Math.max(1, readSeconds(answer, "interval") ?? defaultInterval),
    lifetime: Duration.seconds(Math.min(longest, seconds ?? longest))
  })
}

/**
 * Returns a URL of the response. An MCP server of an attacker can name an authorization server that sends the person to another
 * one, with a code with which the attacker has begun a sign-in there. Therefore, an issuer that only the MCP server names can send the
 * person to its own host only.
 */
const readPage = (
  answer: JsonObject | undefined,
  member: string,
  issuer: string,
  isUntrusted: boolean
): string | undefined => {
  const value = own(answer, member)
  if (typeof value !== "string" || value.length > longestUri) return undefined
  const parsed = HttpUri.parse(value, { query: true })
  if (Result.isFailure(parsed) || !HttpUri.isSecure(parsed.success)) return undefined
  return isUntrusted && parsed.success.hostname !== new URL(issuer).hostname ? undefined : parsed.success.href
}

const readSeconds = (answer: JsonObject | undefined, member: string): number | undefined => {
  const value = own(answer, member)
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined
}
