import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { sha256 } from "../../crypto/Sha256.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import type { Client } from "./Client.ts"
import type { Front } from "./Front.ts"
import type { ErrorMessage } from "./Pages.ts"
import * as parameters from "./Parameters.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"
import type { Kind } from "./RedirectUri.ts"
import * as resourceParameter from "./ResourceParameter.ts"
import * as transaction from "./Transaction.ts"

/*
 * Answers `GET /authorize` (RFC 6749 §4.1.1, RFC 7636, RFC 8707). It stores nothing. Before consent it redirects to loopback only:
 * anyone can host a client document, so a redirect to another host would make the proxy an open redirector.
 */

/** The largest `state` of a client, in bytes. */
const maximumState = 1_500

/** Answers an authorization request with the consent page, or with an error. */
export const answer = (front: Front, request: ProxyRequest): Effect.Effect<ProxyResponse> =>
  Effect.gen(function*() {
    const parsed = parameters.parse(request.query)
    if (Result.isFailure(parsed)) return front.pages.error(400, "errorRequest", { detail: parsed.failure })
    const { get } = parsed.success
    const found = yield* findClient(front, get("client_id"))
    if ("status" in found) return found
    const redirectUri = get("redirect_uri")
    const kind = redirectUri === undefined ? undefined : found.redirectKind(redirectUri)
    if (redirectUri === undefined || kind === undefined) return front.pages.error(400, "errorRedirect")
    const state = get("state")
    // An error repeats the state only if it is short enough for a URL.
    const shortState = state === undefined || sizeOf(state) > maximumState ? undefined : state
    const fail = (code: string, detail: string, message?: ErrorMessage) =>
      failBeforeConsent(front, kind, redirectUri, { state: shortState, code, detail, message })

    if (get("response_type") !== "code") return fail("unsupported_response_type", "response_type is not code")
    if ((get("response_mode") ?? "query") !== "query") return fail("invalid_request", "response_mode is not query")
    if (get("request") !== undefined) return fail("request_not_supported", "request is not supported")
    if (get("request_uri") !== undefined) return fail("request_uri_not_supported", "request_uri is not supported")
    const challenge = get("code_challenge")
    if (get("code_challenge_method") !== "S256") return fail("invalid_request", "code_challenge_method is not S256")
    if (challenge === undefined || !/^[\w-]{43}$/.test(challenge)) {
      return fail("invalid_request", "code_challenge is not a SHA-256 in base64url")
    }
    const resource = resourceParameter.find(get("resource"), front.resources.map(({ resource }) => resource))
    if (Result.isFailure(resource)) return fail("invalid_target", "resource is not one of this server")
    const { baseline, offered } = front.resources.find((_) => _.resource === resource.success)!
    // Clients also request scopes of other servers, such as `openid`. An unknown scope is ignored.
    const known = ScopeToken.parse(get("scope") ?? "").filter((scope) => offered.includes(scope))
    const scopes = known.length === 0 ? baseline : known
    if (state !== shortState) return fail("invalid_request", `state is longer than ${maximumState} bytes`)
    if ((get("prompt") ?? "").split(" ").includes("none")) {
      return fail("consent_required", "prompt=none is not possible", "errorConsentRequired")
    }
    const requested: transaction.Requested = {
      client: yield* sha256(found.id),
      redirectUri,
      challenge,
      resource: resource.success,
      scopes,
      state
    }
    if (sizeOf(JSON.stringify([found.id, requested])) > transaction.maximumSize) {
      return fail("invalid_request", "it is too long")
    }
    return yield* consentPage(front, request, found, kind, requested)
  })

const sizeOf = (text: string): number => new TextEncoder().encode(text).length

/** Returns the client of an id, or the page that says why there is none. */
export const findClient = (front: Front, id: string | undefined): Effect.Effect<Client | ProxyResponse> =>
  id === undefined
    ? Effect.succeed(front.pages.error(400, "errorRequest", { detail: "client_id is missing" }))
    : Effect.catch(
      front.clients.find(id) as Effect.Effect<Client | ProxyResponse, { reason: string; detail: string }>,
      ({ detail, reason }) =>
        Effect.succeed(
          reason === "unavailable"
            ? front.pages.error(503, "errorClientUnavailable", { detail, headers: { "retry-after": "60" } })
            : front.pages.error(400, "errorClient", { detail })
        )
    )

interface Failed {
  readonly state: string | undefined
  readonly code: string
  readonly detail: string
  readonly message?: ErrorMessage | undefined
}

/** Reports an error to the client: on loopback with a redirect, for every other redirect URI on a page with a link. */
const failBeforeConsent = (
  front: Front,
  kind: Kind,
  redirectUri: string,
  { code, detail, message = "errorRequest", state }: Failed
): ProxyResponse => {
  const returnTo = toError(front, redirectUri, state, code, detail)
  return kind === "loopback"
    ? redirect(returnTo)
    : front.pages.error(400, message, { detail: `${code}: ${detail}`, returnTo })
}

/** Returns the URL that reports an error to the client (RFC 6749 §4.1.2.1, RFC 9207). */
export const toError = (
  front: Front,
  redirectUri: string,
  state: string | undefined,
  code: string,
  description?: string
): string => parameters.appendTo(redirectUri, { error: code, error_description: description, state, iss: front.issuer })

/** Redirects with 303, so that no browser repeats a POST. No referrer is sent. */
export const redirect = (location: string): ProxyResponse => ({
  status: 303,
  headers: { location, "cache-control": "no-store", "referrer-policy": "no-referrer" },
  cookies: [],
  body: ""
})

/** Shows the consent page for a request, and gives the browser an id if it has none. */
export const consentPage = (
  front: Front,
  request: ProxyRequest,
  client: Client,
  kind: Kind,
  requested: transaction.Requested
): Effect.Effect<ProxyResponse> =>
  Effect.gen(function*() {
    const found = front.cookies.browser(request)
    if (found === "repeated") return front.pages.error(400, "errorRequest", { detail: "a cookie is repeated" })
    // A cookie that exists is kept, because pages in other tabs are bound to it.
    const created = found === "absent" ? front.cookies.createBrowser() : undefined
    const id = created?.id ?? (found as { readonly value: string }).value
    const sealed = yield* front.transactions.sealPending({
      ...pick(requested),
      at: yield* Clock.currentTimeMillis,
      browser: yield* sha256(id)
    })
    const page = front.pages.consent({
      client,
      kind,
      redirectUri: requested.redirectUri,
      scopes: requested.scopes,
      upstream: front.upstream.title,
      upstreamScopes: front.upstream.leg.upstreamScopes(requested.scopes),
      action: front.urls.consent,
      fields: { transaction: sealed, client_id: client.id }
    })
    return created === undefined ? page : { ...page, cookies: [created.line] }
  })

/** Returns only the members of a request, without those that an earlier page added. */
export const pick = ({
  challenge,
  client,
  redirectUri,
  resource,
  scopes,
  state
}: transaction.Requested): transaction.Requested => ({ challenge, client, redirectUri, resource, scopes, state })
