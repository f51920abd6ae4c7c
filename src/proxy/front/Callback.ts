import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { isEqual } from "../../crypto/ConstantTime.ts"
import { UpstreamFailure } from "../upstream/UpstreamFailure.ts"
import { redirect, toError } from "./Authorize.ts"
import { lifetime } from "./Cookies.ts"
import type { Front } from "./Front.ts"
import { unknown } from "./Limits.ts"
import * as parameters from "./Parameters.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"
import { isLoopbackUri } from "./RedirectUri.ts"
import * as transaction from "./Transaction.ts"

/*
 * Answers the callback of the upstream. The cookie shows that this browser approved the request with this `state`; without it,
 * nothing is redirected and nothing is stored.
 */

/** Reports that a transaction was used before. */
class Spent extends Data.TaggedError("Spent")<{}> {}

/** Reports that the upstream rejected too many codes. */
class TooManyCodes extends Data.TaggedError("TooManyCodes")<{ readonly retryAfter: number }> {}

/** The time for which a used transaction is recorded. It is longer than the life of its cookie. */
const spentLifetime = "20 minutes"

/** Answers the callback of the upstream. */
export const answer = (front: Front, request: ProxyRequest): Effect.Effect<ProxyResponse> =>
  Effect.gen(function*() {
    const invalid = front.pages.error(400, "errorTransaction")
    const parsed = parameters.parse(request.query)
    if (Result.isFailure(parsed)) return invalid
    const state = parsed.success.get("state")
    if (state === undefined) return invalid
    const key = yield* transaction.keyFor(state)
    const cookie = front.cookies.transaction(request, key)
    if (typeof cookie === "string") return invalid
    const approved = yield* front.transactions.openApproved(cookie.value, key)
    const now = yield* Clock.currentTimeMillis
    if (
      approved === undefined || !isEqual(approved.flow.state, state) ||
      !transaction.isCurrent(approved.at, lifetime * 1_000, now) || approved.upstream !== front.upstream.leg.name
    ) return invalid
    const response = yield* complete(front, request, approved, key)
    // After an outage, the person can load the page again.
    if (response.status === 503) return response
    return { ...response, cookies: [...response.cookies, ...front.cookies.remove(request, key)] }
  })

const complete = (
  front: Front,
  request: ProxyRequest,
  approved: transaction.ApprovedRequest,
  key: string
): Effect.Effect<ProxyResponse> => {
  const { leg, title } = front.upstream
  const { redirectUri, state } = approved
  const fail = (code: string) => toClient(front, redirectUri, toError(front, redirectUri, state, code), undefined)
  const invalid = Effect.succeed(front.pages.error(400, "errorTransaction"))
  const unavailable = (retryAfter: number) =>
    Effect.succeed(
      front.pages.error(503, "errorUnavailable", {
        headers: { "retry-after": String(Math.max(1, Math.ceil(retryAfter))) },
        returnTo: toError(front, redirectUri, state, "temporarily_unavailable")
      })
    )

  const ask = Effect.gen(function*() {
    const spent = yield* front.recordKey("spent", key)
    if ((yield* front.store.get(spent)) !== undefined) return yield* new Spent()
    const { person, scopes: granted, upstreamKey } = yield* leg.complete({
      parameters: new URLSearchParams(request.query),
      flow: { ...approved.flow, scopes: approved.scopes },
      redirectUri: front.urls.callback,
      spend: Effect.flatMap(
        front.store.put(spent, "1", { lifetime: spentLifetime, expected: "absent" }),
        (version) => version === undefined ? Effect.fail(new Spent()) : Effect.void
      )
    })
    // The upstream may grant less than what was requested, and never adds a scope that the person did not see.
    const scopes = approved.scopes.filter((scope) => granted.includes(scope))
    if (scopes.length === 0 && approved.scopes.length > 0) return fail("access_denied")
    const { challenge, clientId, resource } = approved
    const code = yield* front.grants.issueCode(
      { clientId, redirectUri, challenge, resource, scopes },
      person,
      upstreamKey
    )
    const url = parameters.appendTo(redirectUri, { code, state, iss: front.issuer })
    const response = toClient(front, redirectUri, url, person.display)
    return (yield* front.cookies.signedIn(request)) === undefined
      ? { ...response, cookies: [yield* front.cookies.markSignedIn] }
      : response
  })
  return limited(front, request, ask).pipe(
    Effect.catchTags({
      TooManyCodes: ({ retryAfter }) => unavailable(retryAfter),
      Spent: () => invalid,
      AdmissionRejected: ({ display }) =>
        Effect.succeed(front.pages.denied(toError(front, redirectUri, state, "access_denied"), display)),
      RecordStoreUnavailable: ({ retryAfter }) => unavailable(retryAfter),
      UpstreamFailure: ({ reason, retryAfter }) => {
        switch (reason) {
          case "denied":
            return Effect.succeed(fail("access_denied"))
          case "unavailable":
            return unavailable(retryAfter ?? 30)
          // The callback is not the answer to this sign-in, so the client learns nothing of it.
          case "malformed":
          case "state":
          case "issuer":
          case "code":
            return Effect.succeed(front.pages.error(400, "errorUpstream", { upstream: title }))
          default:
            return Effect.succeed(fail("server_error"))
        }
      }
    })
  )
}

/**
 * Asks the upstream about a code, unless it rejected too many codes of this browser. Anyone can approve a request, and then send any
 * number of invented codes to the callback.
 */
const limited = <A, E extends { readonly _tag: string }>(
  front: Front,
  request: ProxyRequest,
  ask: Effect.Effect<A, E>
): Effect.Effect<A, E | TooManyCodes> =>
  Effect.gen(function*() {
    const browser = (yield* front.cookies.signedIn(request)) ?? unknown
    const budget = front.limits.rejectedCodes(browser)
    const retryAfter = yield* budget.wait(browser)
    if (retryAfter > 0) return yield* new TooManyCodes({ retryAfter })
    return yield* Effect.tapError(
      ask,
      (error) => error instanceof UpstreamFailure && error.reason === "code" ? budget.use(browser) : Effect.void
    )
  })

/** Returns to the client: with a redirect, or for a private-use scheme with a page that opens the program of the client. */
const toClient = (front: Front, redirectUri: string, url: string, person: string | undefined): ProxyResponse =>
  redirectUri.startsWith("https:") || isLoopbackUri(redirectUri)
    ? redirect(url)
    : front.pages.openApplication(url, person)
