import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as EndpointGuard from "../outbound/EndpointGuard.ts"
import type { Fetcher } from "../outbound/Fetcher.ts"
import * as FormPost from "../outbound/FormPost.ts"
import { Sharing } from "../outbound/Sharing.ts"
import * as SingleFlight from "../outbound/SingleFlight.ts"
import type { AuthConfigError, AuthorizationServerUnavailable } from "../protocol/AuthError.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import * as monotonic from "../store/MonotonicTime.ts"
import { AuthorizationDenied, type ClientError, ScopeRefused, Unavailable } from "./ClientError.ts"
import type * as Grant from "./Grant.ts"
import * as clientProof from "./internal/clientProof.ts"
import { mark, option } from "./internal/grantContent.ts"
import type { Discover, Found } from "./ServerDiscovery.ts"
import * as TokenResponse from "./TokenResponse.ts"

/* Keeps the token of a client for one MCP server, and replaces it before it expires. */

/** A token of the client. */
export interface Token {
  readonly value: Redacted.Redacted
  readonly issuer: string
  /** A later token has a greater number. */
  readonly generation: number
  readonly granted: ReadonlyArray<string>
  readonly requested: ReadonlyArray<string>
  /** The monotonic times from which the token is replaced in the background, and from which it is not used. In milliseconds. */
  readonly renewAt: number
  readonly expiresAt: number
}

/** The reason why a client needs another token: a challenge of the MCP server. */
export interface Need {
  readonly challengeUrl: string | undefined
  /** The scopes that the challenge names. */
  readonly scopes: ReadonlyArray<string>
  /** Whether the operation fails without one of these scopes. The scopes of a 401 are only a proposal. */
  readonly isRequired: boolean
  /** The generation of the token that the MCP server rejected. */
  readonly rejected: number | undefined
}

/** Keeps the token of a client. */
export interface TokenKeeper {
  /** Returns the token if there is one. Waits for another one only if it has expired. */
  readonly current: Effect.Effect<Token | undefined, ClientError>
  /**
   * Returns a token that is newer than the rejected one, with the scopes of the challenge. Simultaneous calls share one request.
   * Fails with `ScopeRefused` if they are required and the authorization server does not grant them.
   */
  readonly obtain: (need: Need) => Effect.Effect<Token, ClientError>
}

/** A token is replaced this long before it expires, and up to 10 seconds earlier, so that clients do not act at the same time. */
const margin = 60_000
const jitter = 10_000

/** The number of token requests in a minute. A server that rejects every token must not cause more of them. */
const requestsPerMinute = 12

/** The maximum number of requested scopes. */
const maximumScopes = 100

/** Creates the keeper for one MCP server. `scopes` are requested if a challenge names none. */
export const make = Effect.fnUntraced(function*(
  grant: Grant.Grant,
  scopes: ReadonlyArray<string> | undefined,
  discover: Discover,
  fetcher: Fetcher["Service"]
): Effect.fn.Return<TokenKeeper, AuthConfigError, Scope.Scope> {
  const { connect, credentials } = grant[mark]
  yield* clientProof.check(credentials, option)
  const parametersFor = yield* connect(fetcher)
  const shares = yield* Sharing
  const flights = SingleFlight.make<Token, ClientError>(yield* Effect.scope)
  const guards = new Map<string, EndpointGuard.EndpointGuard>()
  const times: Array<number> = []
  let token: Token | undefined
  let generation = 0
  let found: Found | undefined

  const guardOf = (issuer: string) =>
    Effect.gen(function*() {
      const known = guards.get(issuer)
      if (known !== undefined) return known
      const made = yield* EndpointGuard.make({ issuer, endpoint: "The token endpoint", option: "the option grant" })
      if (guards.size >= 16) guards.clear()
      guards.set(issuer, made)
      return made
    })

  /** Fails if the authorization server has answered too many requests in the last minute. */
  const limitRequests = Effect.flatMap(monotonic.millis, (now) => {
    while (times.length > 0 && times[0]! <= now - 60_000) times.shift()
    if (times.length >= requestsPerMinute) {
      const retryAfter = Math.ceil((times[0]! + 60_000 - now) / 1000)
      return Effect.fail(
        new Unavailable({
          detail: `The client has requested ${requestsPerMinute} tokens in a minute, so it requests no more for now`,
          retryAfter
        })
      )
    }
    return Effect.void
  })

  const count = Effect.map(monotonic.millis, (now) => {
    times.push(now)
  })

  const request = Effect.fnUntraced(function*(
    { issuer, resource, server }: Found,
    requested: ReadonlyArray<string>
  ): Effect.fn.Return<Token, ClientError> {
    yield* limitRequests
    const tokenEndpoint = server.token_endpoint!
    const parameters = yield* Effect.tapError(
      parametersFor({ issuer, tokenEndpoint, resource, scopes: requested }),
      // A grant that fails costs requests as well, for example at an identity provider.
      ({ _tag }) => _tag === "Unavailable" ? Effect.void : count
    )
    const proof = yield* clientProof.make(
      credentials,
      { issuer, methods: server.token_endpoint_auth_methods_supported },
      option
    )
    const guard = yield* guardOf(issuer)
    const scope = requested.length === 0 ? [] : [["scope", requested.join(" ")] as const]
    const answered = yield* guard.protect(
      "verified",
      FormPost.postForm(fetcher, {
        url: tokenEndpoint,
        accept: "application/json",
        proof,
        parameters: [...parameters, ...scope, ["resource", resource]],
        reads: [401, 403]
      }, { issuer, allowInsecureHttp: false })
    ).pipe(
      Effect.mapError((error: AuthorizationServerUnavailable) =>
        new Unavailable({ detail: error.message, retryAfter: error.retryAfter })
      )
    )
    // An outage does not count: the guard of the endpoint limits its requests.
    yield* count
    const now = yield* monotonic.millis
    const issued = yield* Effect.fromResult(TokenResponse.read(answered, issuer, requested))
    const lifetime = issued.lifetime ?? Number.POSITIVE_INFINITY
    const early = Math.min(margin + jitter * (yield* Random.next), lifetime / 2)
    return token = {
      value: issued.accessToken,
      issuer,
      generation: ++generation,
      granted: issued.granted,
      requested,
      renewAt: now + lifetime - early,
      expiresAt: now + lifetime
    }
  })

  /** Replaces the token by one with at least these scopes, which are requested together with those of the token before. */
  const replace = Effect.fnUntraced(function*(need: Need | undefined): Effect.fn.Return<Token, ClientError> {
    // A 401 can mean that the MCP server has another authorization server now. A renewal and a step-up stay with the known one.
    if (found === undefined || need?.isRequired === false) found = yield* discover(need?.challengeUrl)
    const named = need !== undefined && need.scopes.length > 0 ? need.scopes : scopes ?? found.scopesSupported ?? []
    const requested = ScopeToken.unique([...(token?.requested ?? []), ...named]).slice(0, maximumScopes)
    return yield* request(found, requested)
  })

  const share = (key: string, effect: Effect.Effect<Token, ClientError>): Effect.Effect<Token, ClientError> =>
    shares ? Effect.suspend(() => flights.join(key) ?? Effect.flatten(flights.start(key, effect))) : effect

  const satisfies = (known: Token | undefined, need: Need): known is Token =>
    known !== undefined && known.generation > (need.rejected ?? 0) &&
    (!need.isRequired || need.scopes.every((scope) => known.granted.includes(scope)))

  return {
    current: Clock.clockWith((clock) => {
      const known = token
      if (known === undefined) return Effect.undefined
      const now = monotonic.millisOf(clock)
      if (now < known.renewAt) return Effect.succeed(known)
      const renewed = share("renew", replace(undefined))
      if (now >= known.expiresAt) return renewed
      // In a Worker, work in the background ends with its request, and each request would start it again.
      if (!shares) return Effect.succeed(known)
      // The token is still valid, so a failure to replace it has no effect yet.
      return Effect.as(Effect.forkDetach(Effect.ignore(renewed), { startImmediately: true }), known)
    }),
    obtain: Effect.fnUntraced(function*(need) {
      const obtained = satisfies(token, need)
        ? token
        : yield* share(
          `obtain ${need.rejected ?? ""} ${[...need.scopes].sort().join(" ")}`,
          Effect.suspend(() => satisfies(token, need) ? Effect.succeed(token) : replace(need))
        )
      if (!need.isRequired || need.scopes.every((scope) => obtained.granted.includes(scope))) return obtained
      return yield* new ScopeRefused({ issuer: obtained.issuer, requested: need.scopes, granted: obtained.granted })
    })
  }
})

/** The error for a token that the MCP server rejects although it was just issued. */
export const rejectedFresh = ({ issuer }: Token): AuthorizationDenied =>
  new AuthorizationDenied({ reason: "fresh-token", issuer })
