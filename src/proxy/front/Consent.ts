import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isEqual } from "../../crypto/ConstantTime.ts"
import { sha256 } from "../../crypto/Sha256.ts"
import { consentPage, findClient, pick, toError } from "./Authorize.ts"
import * as body from "./Body.ts"
import type { Front } from "./Front.ts"
import * as parameters from "./Parameters.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"
import type { Kind } from "./RedirectUri.ts"
import * as transaction from "./Transaction.ts"

/*
 * Answers `POST /consent`. Every answer is a page with status 200 that moves on by itself: browsers apply `form-action` to each
 * redirect of a form, so a redirect would never arrive. The cookie of the transaction is set here and nowhere else.
 */

/** The time for which a consent page is valid, in milliseconds. */
const maximumAge = 15 * 60_000

/** Answers the form of a consent page. */
export const answer = (front: Front, request: ProxyRequest): Effect.Effect<ProxyResponse> =>
  Effect.gen(function*() {
    const invalid = front.pages.error(400, "errorTransaction")
    if (!parameters.isForm(request.header("content-type")[0])) return invalid
    const read = yield* body.read(request)
    const parsed = "text" in read ? parameters.parse(read.text) : undefined
    if (parsed === undefined || Result.isFailure(parsed)) return invalid
    const { get } = parsed.success
    const pending = yield* front.transactions.openPending(get("transaction") ?? "")
    const id = get("client_id")
    if (pending === undefined || id === undefined || !isEqual(yield* sha256(id), pending.client)) return invalid
    // The rules apply again, because the client's metadata or the rules may have changed since the page was created.
    const client = yield* findClient(front, id)
    if ("status" in client) return client
    const kind = client.redirectKind(pending.redirectUri)
    if (kind === undefined) return front.pages.error(400, "errorRedirect")
    const isCurrent = transaction.isCurrent(pending.at, maximumAge, yield* Clock.currentTimeMillis)
    if (!isOwnPage(front, request) || !isCurrent || !(yield* isBoundTo(front, request, pending.browser))) {
      return yield* consentPage(front, request, client, kind, pick(pending))
    }
    switch (get("decision")) {
      case "approve":
        return yield* approve(front, request, id, pending)
      case "deny":
        return moveToClient(front, kind, toError(front, pending.redirectUri, pending.state, "access_denied"))
      default:
        return invalid
    }
  })

/** Tells whether the form comes from a page of this origin. Browsers send `Sec-Fetch-Site`, and older ones only `Origin`. */
const isOwnPage = (front: Front, request: ProxyRequest): boolean => {
  const site = request.header("sec-fetch-site")
  if (site.length > 0) return site.length === 1 && site[0] === "same-origin"
  const origin = request.header("origin")
  return origin.length === 1 && origin[0] === new URL(front.issuer).origin
}

/** Tells whether the browser is the one for which the page was created. */
const isBoundTo = (front: Front, request: ProxyRequest, browser: string): Effect.Effect<boolean> => {
  const found = front.cookies.browser(request)
  return typeof found === "string"
    ? Effect.succeed(false)
    : Effect.map(sha256(found.value), (hash) => isEqual(hash, browser))
}

/** Moves on to a client. A private-use scheme opens another program, so its page says that it can be closed. */
export const moveToClient = (front: Front, kind: Kind, url: string, person?: string): ProxyResponse =>
  kind === "private-use" ? front.pages.openApplication(url, person) : front.pages.moveOn(url)

/** Starts the sign-in at the upstream, and binds it to the browser with a cookie. */
const approve = (
  front: Front,
  request: ProxyRequest,
  clientId: string,
  pending: transaction.Pending
): Effect.Effect<ProxyResponse> =>
  Effect.gen(function*() {
    const { leg } = front.upstream
    const { client: _client, ...requested } = pick(pending)
    const { flow: { scopes: _, ...flow }, state, url } = yield* leg.begin({
      redirectUri: front.urls.callback,
      scopes: pending.scopes
    })
    const key = yield* transaction.keyFor(state)
    const at = yield* Clock.currentTimeMillis
    const sealed = yield* front.transactions.sealApproved(
      { ...requested, clientId, at, upstream: leg.name, flow },
      key
    )
    const cookies = yield* front.cookies.store(request, key, sealed)
    return { ...front.pages.moveOn(url), cookies }
  }).pipe(
    Effect.catch(() => Effect.succeed(front.pages.error(503, "errorUnavailable", { headers: { "retry-after": "30" } })))
  )
