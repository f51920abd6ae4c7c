import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Challenge from "../protocol/Challenge.ts"
import { AuthorizationDenied, type ClientError } from "./ClientError.ts"
import { record } from "./Observation.ts"
import { redirected } from "./Redirect.ts"
import { type Need, rejectedFresh, type TokenKeeper } from "./TokenKeeper.ts"
import type { Token } from "./TokenSource.ts"

/* Sends a request with a token, and obtains another token if the MCP server asks for one. */

/** The parts of a response that decide what a client does next. `A` is the response itself. */
export interface View {
  readonly status: number
  readonly dpopNonce: string | undefined
  readonly wwwAuthenticate: string | undefined
  readonly location: string | undefined
}

/** A request that can be sent with different tokens. */
export interface Exchange<A, E, R> {
  readonly method: string
  readonly url: string
  /** Whether the request can be sent again: its body is not a stream. */
  readonly isRepeatable: boolean
  /**
   * Sends the request with these headers in addition, and does not follow redirects. `undefined` means that it is for another server, so
   * it is sent as it is.
   */
  readonly send: (headers: Readonly<Record<string, string>> | undefined) => Effect.Effect<A, E, R>
  readonly view: (response: A) => View
  /** Frees the connection of a response that the caller does not receive. */
  readonly discard: (response: A) => Effect.Effect<void>
  /** The response to the request with a token, if it was sent before. */
  readonly first?: { readonly token: Token; readonly response: A } | undefined
}

/** The number of times that one request is sent again with more scopes. */
const maximumStepUps = 2

/** The longest challenge that is parsed, in characters. */
const longestChallenge = 8_192

/** Tells whether a URL belongs to a resource: it has the same origin, and its path is the resource's path or below it. */
export const belongsTo = (url: string, resource: URL): boolean => {
  if (url === resource.href) return true
  if (!URL.canParse(url)) return false
  const { origin, pathname } = new URL(url)
  const path = resource.pathname.replace(/\/$/, "")
  return origin === resource.origin && (pathname === resource.pathname || pathname.startsWith(`${path}/`))
}

/**
 * Sends a request of a client. A request to another resource is sent as it is, because a token is only for its own server.
 * Returns the last response of the server, unless the client cannot obtain a token that the server accepts.
 */
export const exchange = Effect.fnUntraced(function*<A, E, R>(
  keeper: TokenKeeper,
  resource: URL,
  request: Exchange<A, E, R>
): Effect.fn.Return<A, E | ClientError, R> {
  const { discard, first, isRepeatable, method, send, url, view } = request
  if (!belongsTo(url, resource)) return yield* send(undefined)

  let sent = first?.response
  let token = first === undefined ? yield* keeper.current : first.token
  // Whether a token was obtained for this request after a 401. The server must accept it.
  let isFresh = false
  let stepUps = 0
  /** The token that was sent again with a nonce. Each token is sent again once. */
  let repeated: Token | undefined
  while (true) {
    const response: A = sent ?? (yield* send(token === undefined ? {} : yield* headersFor(token, method, url)))
    sent = undefined
    const seen = view(response)
    token?.key?.acceptNonce(url, seen.dpopNonce)
    // Without a token, the body and the caller's own headers would still reach the other URL.
    if (isRedirect(seen.status)) {
      yield* discard(response)
      return yield* redirected(url, seen.location)
    }
    if (token?.key !== undefined && seen.dpopNonce !== undefined && requiresNonce(seen)) {
      if (!isRepeatable) return response
      yield* discard(response)
      if (repeated === token) return yield* new AuthorizationDenied({ reason: "nonce", issuer: token.issuer })
      repeated = token
      continue
    }
    const need = needOf(seen, token)
    if (need === undefined) return response
    if (token !== undefined) {
      yield* need.isRequired
        ? record("StepUpRequired", { token, scopes: need.scopes })
        : record("TokenRejected", token)
    }
    if (need.isRequired) {
      if (stepUps++ >= maximumStepUps) {
        yield* discard(response)
        return yield* new AuthorizationDenied({ reason: "step-up", issuer: token!.issuer })
      }
    } else if (isFresh) {
      yield* discard(response)
      return yield* rejectedFresh(token!)
    } else {
      isFresh = true
    }
    const obtained: Token = yield* Effect.onError(keeper.obtain(need), () => discard(response))
    // The next request of the client has the token. This one cannot be repeated.
    if (!isRepeatable) return response
    yield* discard(response)
    token = obtained
  }
}, Effect.tapError((error) => record("RequestFailed", error)))

/** Returns the `Authorization` header for a token that needs no proof. */
export const bearer = (token: Redacted.Redacted): string => `Bearer ${Redacted.value(token)}`

/** Tells whether a response ends a request: it does not redirect, and does not ask for another token. */
export const isFinal = (status: number): boolean => status !== 401 && status !== 403 && !isRedirect(status)

/** Returns the headers of a request with a token. A token that is bound to a key has a new proof in each request (RFC 9449 §7.1). */
const headersFor = ({ key, value }: Token, method: string, url: string): Effect.Effect<Record<string, string>> =>
  key === undefined
    ? Effect.succeed({ authorization: bearer(value) })
    : Effect.map(
      key.prove({ method, url, token: value }),
      (dpop) => ({ authorization: `DPoP ${Redacted.value(value)}`, dpop })
    )

/** Tells whether the MCP server asks for a nonce (RFC 9449 §9). */
const requiresNonce = ({ status, wwwAuthenticate }: View): boolean =>
  status === 401 && challengeOf(wwwAuthenticate)?.parameters.get("error") === "use_dpop_nonce"

/** Returns the reason why a response asks for another token, or `undefined` if it does not ask for one. */
const needOf = ({ status, wwwAuthenticate }: View, token: Token | undefined): Need | undefined => {
  if (status !== 401 && status !== 403) return undefined
  const challenge = challengeOf(wwwAuthenticate)
  const isStepUp = status === 403
  // A 403 without this error is about something that no scope can change.
  if (isStepUp && (challenge?.parameters.get("error") !== "insufficient_scope" || token === undefined)) return undefined
  const scopes = challenge === undefined ? [] : Challenge.scopes(challenge)
  // A server that names no scope, or only scopes that the token has, cannot be satisfied by another token.
  if (isStepUp && scopes.every((scope) => token!.granted.includes(scope))) return undefined
  return {
    challengeUrl: challenge?.parameters.get("resource_metadata"),
    scopes,
    isRequired: isStepUp,
    rejected: token?.generation
  }
}

/**
 * Returns the challenge of a header for a token, of the scheme Bearer or DPoP. If there are both, the one with an error tells more. A
 * malformed or very long header counts as absent.
 */
const challengeOf = (header: string | undefined): Challenge.Challenge | undefined => {
  if (header === undefined || header.length > longestChallenge) return undefined
  const parsed = Challenge.parse(header)
  if (Result.isFailure(parsed)) return undefined
  const challenges = parsed.success.filter(({ scheme }) => /^(?:bearer|dpop)$/i.test(scheme))
  return challenges.find(({ parameters }) => parameters.has("error")) ?? challenges[0]
}

/** Browsers and workers hide the status of a redirect. */
const isRedirect = (status: number): boolean => status === 0 || (status >= 300 && status < 400 && status !== 304)
