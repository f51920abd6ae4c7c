import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import { Sharing } from "../outbound/Sharing.ts"
import * as SingleFlight from "../outbound/SingleFlight.ts"
import * as ScopeToken from "../protocol/ScopeToken.ts"
import * as monotonic from "../store/MonotonicTime.ts"
import { AuthorizationDenied, type ClientError, ScopeRefused, Unavailable } from "./ClientError.ts"
import { record, trace } from "./Observation.ts"
import type { Discover, Found } from "./ServerDiscovery.ts"
import type { Acquisition, Obtained, Token, TokenSource } from "./TokenSource.ts"

/* Keeps the token of a client for one MCP server, and replaces it before it expires. */

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
  /**
   * Returns the token if a request can use it at once: it is fresh, and needs no proof. Most requests call this function alone, which
   * takes far less time than an effect.
   */
  readonly peek: () => Token | undefined
  /** Returns the token if there is one. Waits for another one only if it has expired. */
  readonly current: Effect.Effect<Token | undefined, ClientError>
  /**
   * Returns a token that is newer than the rejected one, with the scopes of the challenge. Simultaneous calls share one request.
   * Fails with `ScopeRefused` if they are required and the authorization server does not grant them.
   */
  readonly obtain: (need: Need) => Effect.Effect<Token, ClientError>
  /** Reads the stored token again before its next use. */
  readonly invalidate: Effect.Effect<void>
}

/** A token is replaced this long before it expires, and up to 10 seconds earlier, so that clients do not act at the same time. */
const margin = 60_000
const jitter = 10_000

/** The number of token requests in a minute. A server that rejects every token must not cause more of them. */
const requestsPerMinute = 12

/** The maximum number of requested scopes. */
const maximumScopes = 100

/** A stored token is read again after this time, because another process can have replaced or removed it. In milliseconds. */
const reread = 30_000

/** The time between attempts to replace a token in the background. In milliseconds. */
const retryAfter = 5_000

/**
 * The authorization server is not discovered again within this time after the last discovery, except once for each token that the MCP
 * server rejects. In milliseconds.
 */
const discoveryTime = 10_000

export interface Options {
  readonly source: TokenSource
  /** The scopes to request if a challenge names none. Default: `scopes_supported` of the metadata. */
  readonly scopes: ReadonlyArray<string> | undefined
  readonly discover: Discover
}

/** Creates the keeper for one MCP server. */
export const make = Effect.fnUntraced(function*(
  { discover, scopes, source }: Options
): Effect.fn.Return<TokenKeeper, never, Scope.Scope> {
  const { records } = source
  const shares = yield* Sharing
  const flights = SingleFlight.make<Token, ClientError>(yield* Effect.scope)
  const lock = yield* Semaphore.make(1)
  const clock = yield* Clock.Clock
  const times: Array<number> = []
  let token: Token | undefined
  /** The last token that this client has requested itself. */
  let issued: Token | undefined
  /** The monotonic time at which the stored token was read. */
  let readAt = Number.NEGATIVE_INFINITY
  let found: Found | undefined
  /** The generation of the token whose rejection led to the last discovery. */
  let discoveredFor: number | undefined
  let foundAt = Number.NEGATIVE_INFINITY
  /** A token that the store did not accept during an outage, and the one that it replaces. */
  let unwritten: readonly [next: Token, replaced: Token | undefined] | undefined

  /** Returns the latest token. */
  const read: Effect.Effect<Token | undefined, ClientError> = records === undefined
    ? Effect.sync(() => token)
    : Effect.gen(function*() {
      if (unwritten !== undefined) {
        yield* records.write(...unwritten)
        unwritten = undefined
      }
      token = yield* records.read
      readAt = yield* monotonic.millis
      return token
    })

  /**
   * Runs one replacement at a time. Otherwise, of two simultaneous replacements that add different scopes, the second would drop
   * the scopes of the first. In a Worker, a request must not wait for another one.
   */
  const exclusively = (
    effect: Effect.Effect<Token | Acquisition, ClientError>
  ): Effect.Effect<Token | Acquisition, ClientError> => {
    const leased = records === undefined ? effect : records.exclusively(effect)
    return shares ? lock.withPermits(1)(leased) : leased
  }

  /** Fails if the authorization server has answered too many requests in the last minute. */
  const limitRequests = Effect.flatMap(monotonic.millis, (now) => {
    while (times.length > 0 && times[0]! <= now - 60_000) times.shift()
    if (times.length >= requestsPerMinute) {
      const wait = Math.ceil((times[0]! + 60_000 - now) / 1000)
      return Effect.fail(
        new Unavailable({
          detail: `The client has requested ${requestsPerMinute} tokens in a minute, and waits now`,
          retryAfter: wait
        })
      )
    }
    return Effect.void
  })

  const toToken = Effect.fnUntraced(function*(
    { accessToken, clientId, granted, lifetime = Number.POSITIVE_INFINITY, ...obtained }: Obtained,
    acquisition: Acquisition
  ) {
    const now = yield* monotonic.millis
    const { current } = acquisition
    // An authorization server that keeps the refresh token leaves it out (RFC 6749 §6).
    const refreshToken = obtained.refreshToken ?? current?.refreshToken
    const early = source.canRenew({ refreshToken })
      ? Math.min(margin + jitter * (yield* Random.next), lifetime / 2)
      : 0
    // A number that a removed token had must not come back, so the first one of a stored token is the time.
    const first = records === undefined ? 1 : Math.max(1, yield* Clock.currentTimeMillis)
    return {
      value: accessToken,
      refreshToken,
      key: obtained.key,
      issuer: acquisition.found.issuer,
      clientId,
      generation: current === undefined ? first : current.generation + 1,
      granted,
      requested: obtained.requested ?? acquisition.scopes,
      renewAt: now + lifetime - early,
      expiresAt: now + lifetime
    } satisfies Token
  })

  /**
   * Requests a token and stores it. A stored token must not be interrupted in between: the authorization server has replaced the
   * refresh token already, and the client would lose the new one. The limits of time of the requests apply.
   */
  const request = Effect.fnUntraced(function*(
    acquisition: Acquisition
  ): Effect.fn.Return<Token | Acquisition, ClientError> {
    const { current } = acquisition
    const count = Effect.map(monotonic.millis, (now) => {
      times.push(now)
      return now
    })
    const obtained = yield* Effect.tapError(
      trace("obtain_token", acquisition.found.issuer, source.request(acquisition)),
      // A grant that fails costs requests as well, for example at an identity provider. An outage does not count: the guard of
      // the endpoint limits its requests.
      (error) =>
        error._tag === "Unavailable" ? Effect.void : Effect.map(count, (now) => {
          // The metadata can name another token endpoint now.
          if (now - foundAt >= discoveryTime) found = undefined
        })
    )
    if (obtained === undefined) return acquisition
    yield* count
    const next = yield* toToken(obtained, acquisition)
    const isWritten = records === undefined || (yield* Effect.catch(records.write(next, current), () => {
      // The refresh token before is no longer valid, so this one must survive an outage of the store.
      unwritten = [next, current]
      return Effect.succeed(true)
    }))
    if (!isWritten) {
      // Another process has replaced the token, or the account was disconnected.
      return (yield* read) ?? { ...acquisition, current: undefined }
    }
    readAt = unwritten === undefined ? yield* monotonic.millis : Number.NEGATIVE_INFINITY
    return token = issued = next
  })

  /**
   * Replaces the token by one with at least these scopes, which are requested together with those of the token before. Returns
   * the acquisition if only a person can give the client another token.
   */
  const replace = Effect.fnUntraced(function*(
    need: Need | undefined
  ): Effect.fn.Return<Token | Acquisition, ClientError> {
    const known = token
    const current = yield* read
    // Another request or process may have replaced the token in the meantime.
    if (
      need === undefined
        ? current !== undefined && (yield* monotonic.millis) < current.renewAt
        : satisfies(current, need)
    ) {
      if (current !== undefined && current.generation !== known?.generation) {
        yield* record("RefreshShared", { token: current, by: "process" })
      }
      return current!
    }
    // A 401 can mean that the MCP server has another authorization server now. A renewal and a step-up stay with the known one.
    const now = yield* monotonic.millis
    const isNew = need?.rejected !== undefined && need.rejected !== discoveredFor
    if (found === undefined || (need?.isRequired === false && (isNew || now - foundAt >= discoveryTime))) {
      found = yield* trace("discover", undefined, discover(need?.challengeUrl, current?.issuer))
      yield* record("Discovered", found)
      foundAt = now
      discoveredFor = need?.rejected
    }
    const named = need !== undefined && need.scopes.length > 0 ? need.scopes : scopes ?? found.scopesSupported ?? []
    const acquisition: Acquisition = {
      found,
      scopes: ScopeToken.unique([...(current?.requested ?? []), ...named]).slice(0, maximumScopes),
      current,
      addsScopes: need?.isRequired === true
    }
    yield* limitRequests
    const result = yield* (records === undefined ? request(acquisition) : Effect.uninterruptible(request(acquisition)))
    if (result === issued) {
      yield* record(records === undefined ? "TokenIssued" : "TokenRefreshed", issued)
    }
    return result
  })

  const signInTo = Effect.fnUntraced(function*(acquisition: Acquisition): Effect.fn.Return<Token, ClientError> {
    yield* source.signIn?.(acquisition) ?? Effect.void
    const obtained = yield* read
    if (obtained !== undefined) return obtained
    // Another process removed the token between the sign-in and this line.
    return yield* new Unavailable({ detail: "The token of the sign-in was removed", retryAfter: 1 })
  })

  const replaceOrSignIn = (need: Need | undefined): Effect.Effect<Token, ClientError> =>
    Effect.flatMap(exclusively(replace(need)), (result) =>
      // A person can take minutes, so other requests and processes do not wait for the lease.
      "found" in result ? signInTo(result) : Effect.succeed(result))

  /** Replaces a token that is still valid. Asks no person. A failure has no effect yet, and the next attempt follows later. */
  const renew = (known: Token): Effect.Effect<Token, ClientError> =>
    Effect.flatMap(Effect.result(exclusively(replace(undefined))), (result) => {
      if (Result.isSuccess(result) && !("found" in result.success)) return Effect.succeed(result.success)
      const failed = Result.isFailure(result) ? record("RefreshFailed", result.failure) : Effect.void
      return Effect.map(Effect.andThen(failed, monotonic.millis), (now) => {
        // Not after the expiry: an expired token must not count as current.
        const later = { ...known, renewAt: Math.min(now + retryAfter, known.expiresAt) }
        if (token?.generation === known.generation) token = later
        return later
      })
    })

  const share = (key: string, effect: Effect.Effect<Token, ClientError>): Effect.Effect<Token, ClientError> =>
    shares
      ? Effect.suspend(() => {
        const joined = flights.join(key)
        return joined === undefined
          ? Effect.flatten(flights.start(key, effect))
          : Effect.tap(joined, (token) => record("RefreshShared", { token, by: "request" }))
      })
      : effect

  const satisfies = (known: Token | undefined, need: Need): known is Token =>
    known !== undefined && known.generation > (need.rejected ?? 0) &&
    (!need.isRequired || need.scopes.every((scope) => known.granted.includes(scope)))

  const use = (known: Token | undefined, now: number): Effect.Effect<Token | undefined, ClientError> => {
    if (known === undefined || now < known.renewAt) return Effect.succeed(known)
    if (now >= known.expiresAt) {
      // Only the challenge of the MCP server may name the URL of its metadata. It answers with one to the expired token.
      return Effect.catchTag(
        share("renew", replaceOrSignIn(undefined)),
        "DiscoveryError",
        () => Effect.succeed(known)
      )
    }
    // In a Worker, work in the background ends with its request, and each request would start it again.
    if (!shares) return Effect.succeed(known)
    return Effect.as(
      Effect.forkDetach(Effect.ignore(share("background", renew(known))), { startImmediately: true }),
      known
    )
  }

  return {
    peek: () => {
      const now = monotonic.millisOf(clock)
      const isUsable = token !== undefined && token.key === undefined && now < token.renewAt &&
        (records === undefined || now - readAt < reread)
      return isUsable ? token : undefined
    },
    current: Clock.clockWith((clock) => {
      const now = monotonic.millisOf(clock)
      if (records === undefined || token !== undefined && now - readAt < reread) return use(token, now)
      // A token stays in use while the store is unavailable.
      const latest = Effect.catch(read, (error) => token === undefined ? Effect.fail(error) : Effect.succeed(token))
      return Effect.flatMap(latest, (known) => use(known, now))
    }),
    invalidate: Effect.sync(() => {
      token = records === undefined ? token : undefined
    }),
    obtain: Effect.fnUntraced(function*(need) {
      const obtained = satisfies(token, need)
        ? token
        : yield* share(
          `obtain ${need.rejected ?? ""} ${need.isRequired} ${[...need.scopes].sort().join(" ")}`,
          replaceOrSignIn(need)
        )
      if (!need.isRequired || need.scopes.every((scope) => obtained.granted.includes(scope))) return obtained
      return yield* new ScopeRefused({ issuer: obtained.issuer, requested: need.scopes, granted: obtained.granted })
    })
  }
})

/** The error for a token that the MCP server rejects although it was just issued. */
export const rejectedFresh = ({ issuer }: Token): AuthorizationDenied =>
  new AuthorizationDenied({ reason: "fresh-token", issuer })
