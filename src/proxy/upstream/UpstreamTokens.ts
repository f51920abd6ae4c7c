import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { Sharing } from "../../outbound/Sharing.ts"
import * as SingleFlight from "../../outbound/SingleFlight.ts"
import { withLease } from "../../store/records/Lease.ts"
import { RecordStoreUnavailable, type Store, type Version } from "../../store/records/RecordStore.ts"
import type { Identification } from "./Identification.ts"
import type { ReadUpstream } from "./Preset.ts"
import { UpstreamFailure } from "./UpstreamFailure.ts"
import type { UpstreamLeg } from "./UpstreamLeg.ts"
import type { Found, Tokens, UpstreamRecords } from "./UpstreamRecord.ts"
import * as upstreamRelease from "./UpstreamRelease.ts"
import type { Issued, UpstreamRequests } from "./UpstreamRequests.ts"
import * as times from "./UpstreamTimes.ts"

/*
 * Keeps the tokens of people at the upstream alive. Many grants and several processes share one record, and a refresh token of the
 * upstream can work once, so a refresh runs once inside a process and under a lease in the store.
 */

/** The result of a check or of a refresh. */
type Outcome =
  | {
    readonly _tag: "Alive"
    readonly tokens: Tokens
    /** The time at which the grants end in any case, in milliseconds since 1970. */
    readonly endsAt?: number | undefined
  }
  | { readonly _tag: "Ended" }
  | { readonly _tag: "Unavailable"; readonly retryAfter: number }

/** The state of the store after a refresh. */
type Refreshed =
  | { readonly _tag: "Written"; readonly found: Found; readonly issued: Issued | undefined }
  | Exclude<Outcome, { readonly _tag: "Alive" }>

const ended = { _tag: "Ended" } as const

/** An access token that expires within this time is refreshed, in milliseconds. */
const margin = 60_000

/** How often a write is tried again if another process has written the record, or if the store fails. */
const attempts = 5

export interface Options {
  readonly upstream: ReadUpstream
  readonly requests: UpstreamRequests
  readonly identification: Identification
  readonly records: UpstreamRecords
  readonly store: Store
  /** The life of the grants of a person that the upstream offers no way to check, in milliseconds. */
  readonly uncheckableLifetime: number
}

export interface UpstreamTokens extends Pick<UpstreamLeg, "check" | "token" | "release"> {
  /** Stores the tokens of a sign-in. Returns the key of the record. */
  readonly save: (tokens: Tokens) => Effect.Effect<string, RecordStoreUnavailable>
}

/** Creates the operations. The work of a refresh runs in the scope, so an interrupted caller does not interrupt it. */
export const make = Effect.fnUntraced(function*({
  identification,
  records,
  requests,
  store,
  uncheckableLifetime,
  upstream
}: Options): Effect.fn.Return<UpstreamTokens, never, Scope.Scope> {
  const shares = yield* Sharing
  const scope = yield* Effect.scope
  let hasWarned = false
  const flights = SingleFlight.make<Outcome, RecordStoreUnavailable>(scope)

  const share = (name: string, work: Effect.Effect<Outcome, RecordStoreUnavailable>) =>
    Effect.suspend(() => (shares ? flights.join(name) : undefined) ?? Effect.flatten(flights.start(name, work)))

  const unavailable = (error: unknown): Exclude<Outcome, { readonly _tag: "Alive" }> => {
    const retryAfter = (error as { readonly retryAfter?: unknown }).retryAfter
    return { _tag: "Unavailable", retryAfter: typeof retryAfter === "number" ? Math.max(1, retryAfter) : 5 }
  }

  const report = (what: string) =>
    Effect.logWarning(`The upstream ${upstream.name} cannot be used to check a grant: ${what}`)

  /** Ends a record, unless another process has replaced it. */
  const end = (key: string, version: Version): Effect.Effect<Outcome, RecordStoreUnavailable> =>
    Effect.flatMap(
      records.remove(key, version),
      (isRemoved) =>
        isRemoved ?
          Effect.succeed(ended) :
          Effect.map(records.get(key), (found) => found === undefined ? ended : { _tag: "Alive", tokens: found.tokens })
    )

  /** Writes the response of a refresh. Another process can have stored a sign-in, whose tokens stay then. */
  const writeBack = Effect.fnUntraced(function*(
    key: string,
    used: string,
    issued: Issued,
    before: Found
  ): Effect.fn.Return<Refreshed, RecordStoreUnavailable> {
    let current = before
    const granted = issued.granted && new Set(issued.granted)
    for (let attempt = 0; attempt < attempts; attempt++) {
      const tokens: Tokens = {
        ...current.tokens,
        accessToken: issued.accessToken,
        refreshToken: issued.refreshToken ?? current.tokens.refreshToken,
        expiresAt: issued.expiresAt,
        remaining: granted === undefined
          ? current.tokens.remaining
          : current.tokens.granted.filter((scope) => upstream.quirks.isGranted(scope, granted))
      }
      const version = yield* records.put(key, tokens, current.version)
      if (version !== undefined) return { _tag: "Written", found: { tokens, version }, issued }
      const found = yield* records.get(key)
      if (found === undefined) return ended
      if (found.tokens.refreshToken === undefined || Redacted.value(found.tokens.refreshToken) !== used) {
        return { _tag: "Written", found, issued: undefined }
      }
      current = found
    }
    return yield* new RecordStoreUnavailable({ reason: "down", retryAfter: 1 })
  })

  /**
   * Refreshes the tokens of a record. Nothing interrupts the stretch from the request to the write: the response can contain the only
   * valid refresh token. The request runs in a fiber that its time limit can interrupt.
   */
  const refresh = (key: string, found: Found, refreshToken: Redacted.Redacted) =>
    Effect.uninterruptible(Effect.gen(function*(): Effect.fn.Return<Refreshed, RecordStoreUnavailable> {
      const request = yield* Effect.forkDetach(Effect.result(requests.refresh(refreshToken)), {
        startImmediately: true
      })
      const result = yield* Fiber.join(request)
      if (Result.isSuccess(result)) {
        return yield* Effect.retry(
          writeBack(key, Redacted.value(refreshToken), result.success, found),
          { times: attempts, schedule: Schedule.spaced("200 millis") }
        )
      }
      if (result.failure._tag !== "Rejected") {
        if (result.failure.reason === "client-rejected") yield* report(result.failure.message)
        return unavailable(result.failure)
      }
      // Another process used the token after this lease had expired. Its response is in the store.
      const outcome = yield* end(key, found.version)
      if (outcome._tag !== "Alive") return outcome
      const current = yield* records.get(key)
      return current === undefined ? ended : { _tag: "Written", found: current, issued: undefined }
    }))

  const isExpiring = ({ expiresAt }: Tokens, now: number, within: number): boolean =>
    expiresAt !== undefined && now >= expiresAt - within

  /** Identifies and admits the person of a record again. `storesCheck` tells whether the upstream takes part, so that the time of the check is stored. */
  const checkPerson = Effect.fnUntraced(function*(
    key: string,
    { tokens, version }: Found,
    issued: Issued | undefined,
    storesCheck = true
  ): Effect.fn.Return<Outcome | "rejected", RecordStoreUnavailable> {
    const identified = yield* Effect.result(identification.identify({
      accessToken: tokens.accessToken,
      idToken: issued?.idToken,
      nonce: undefined,
      claims: tokens.claims
    }))
    if (Result.isFailure(identified)) {
      const error = identified.failure
      if (error._tag === "Rejected") return "rejected"
      if (error._tag === "IdTokenRejected" || error._tag === "Unidentified") yield* report(error.rule)
      return unavailable(error)
    }
    const candidate = identified.success
    // Tokens of another person must never be used for this one.
    if (candidate.person.subject !== tokens.subject) return yield* end(key, version)
    const admitted = yield* Effect.result(identification.admit(candidate, "refresh"))
    if (Result.isFailure(admitted)) {
      if (admitted.failure._tag === "Rejected") return "rejected"
      yield* report("the rule of admission cannot decide")
      return unavailable(admitted.failure)
    }
    if (!admitted.success) return yield* end(key, version)
    if (!storesCheck) return { _tag: "Alive", tokens }
    const checked: Tokens = {
      ...tokens,
      claims: tokens.claims === undefined ? undefined : candidate.claims,
      checkedAt: Math.max(yield* Clock.currentTimeMillis, tokens.checkedAt + 1)
    }
    // If another process has written the record, its content is newer.
    yield* records.put(key, checked, version)
    return { _tag: "Alive", tokens: checked }
  })

  const toOutcome = (refreshed: Refreshed): Outcome =>
    refreshed._tag === "Written" ? { _tag: "Alive", tokens: refreshed.found.tokens } : refreshed

  const check = Effect.fnUntraced(
    function*(key: string, seen: Tokens): Effect.fn.Return<Outcome, RecordStoreUnavailable> {
      const found = yield* records.get(key)
      if (found === undefined) return ended
      const { tokens } = found
      // Another process has checked the person while this one waited for the lease.
      if (tokens.checkedAt > seen.checkedAt) return { _tag: "Alive", tokens }
      const now = yield* Clock.currentTimeMillis
      const isDue = upstream.quirks.check === "refresh" || isExpiring(tokens, now, margin)
      let latest = found
      let issued: Issued | undefined
      if (isDue && tokens.refreshToken !== undefined) {
        const refreshed = yield* refresh(key, found, tokens.refreshToken)
        if (refreshed._tag !== "Written") return refreshed
        latest = refreshed.found
        issued = refreshed.issued
      } else if (tokens.refreshToken === undefined && (yield* cannotAsk)) {
        return yield* checkKnown(key, found, now)
      }
      const outcome = yield* checkPerson(key, latest, issued)
      if (outcome !== "rejected") return outcome
      const { refreshToken } = latest.tokens
      // The access token can have ended early. The refresh token decides.
      if (issued !== undefined || refreshToken === undefined) return yield* end(key, latest.version)
      const refreshed = yield* refresh(key, latest, refreshToken)
      if (refreshed._tag !== "Written") return refreshed
      const again = yield* checkPerson(key, refreshed.found, refreshed.issued)
      return again === "rejected" ? yield* end(key, refreshed.found.version) : again
    }
  )

  /**
   * Applies the rule of admission to a person that the upstream offers no way to check. Without a limit, a person who left would stay
   * signed in for the whole life of the grant.
   */
  const checkKnown = (
    key: string,
    found: Found,
    now: number
  ): Effect.Effect<Outcome, RecordStoreUnavailable> => {
    const { checkedAt, expiresAt = Number.POSITIVE_INFINITY } = found.tokens
    const endsAt = Math.min(checkedAt + uncheckableLifetime, expiresAt)
    if (now >= endsAt) return end(key, found.version)
    return Effect.flatMap(checkPerson(key, found, undefined, false), (outcome) =>
      outcome === "rejected"
        ? end(key, found.version)
        : Effect.succeed(outcome._tag === "Alive" ? { ...outcome, endsAt } : outcome))
  }

  /** Whether no endpoint tells if an access token still works. */
  const cannotAsk = Effect.map(
    Effect.result(requests.endpoints),
    (endpoints) => Result.isSuccess(endpoints) && endpoints.success.user === undefined
  )

  const renew = Effect.fnUntraced(function*(key: string): Effect.fn.Return<Outcome, RecordStoreUnavailable> {
    const found = yield* records.get(key)
    if (found === undefined) return ended
    const { refreshToken } = found.tokens
    const now = yield* Clock.currentTimeMillis
    if (refreshToken === undefined || !isExpiring(found.tokens, now, margin)) {
      return isExpiring(found.tokens, now, 0) ? ended : { _tag: "Alive", tokens: found.tokens }
    }
    return toOutcome(yield* refresh(key, found, refreshToken))
  })

  const underLease = (name: string, key: string, work: Effect.Effect<Outcome, RecordStoreUnavailable>) =>
    share(
      `${name} ${key}`,
      // The first discovery can take longer than a request, so it does not use up the time of the lease.
      Effect.matchEffect(requests.endpoints, {
        onFailure: (error) => Effect.succeed<Outcome>(unavailable(error)),
        onSuccess: () =>
          Effect.flatMap(records.leaseOf(key), (lease) => withLease(store, lease, { lifetime: times.lease })(work))
            .pipe(
              Effect.timeoutOrElse({
                duration: times.check,
                orElse: () => Effect.succeed<Outcome>({ _tag: "Unavailable", retryAfter: 5 })
              })
            )
      })
    )

  /** Warns once in each process if the people of the upstream cannot be checked. */
  const warnIfUncheckable = (refreshToken: Redacted.Redacted | undefined) =>
    hasWarned || refreshToken !== undefined ? Effect.void : Effect.flatMap(cannotAsk, (isUncheckable) => {
      if (!isUncheckable || hasWarned) return Effect.void
      hasWarned = true
      return Effect.logWarning(
        `The upstream ${upstream.name} returns no refresh token and has no user endpoint, so no person can be checked after the ` +
          `sign-in. Each grant ends after ${
            uncheckableLifetime / 3_600_000
          } hours (grants.uncheckableLifetime). Request a refresh ` +
          "token, for example with the scope offline_access"
      )
    })

  return {
    release: (key, use) => upstreamRelease.release({ name: upstream.name, records, requests, scope }, key, use),
    save: Effect.fnUntraced(function*(tokens) {
      const key = yield* records.keyOf(tokens.subject, tokens.granted)
      for (let attempt = 0; attempt < attempts; attempt++) {
        const found = yield* records.get(key)
        // Some upstreams return a refresh token only at the first sign-in of a person.
        const refreshToken = tokens.refreshToken ?? found?.tokens.refreshToken
        const checkedAt = Math.max(tokens.checkedAt, (found?.tokens.checkedAt ?? 0) + 1)
        const written = yield* records.put(key, { ...tokens, refreshToken, checkedAt }, found?.version ?? "absent")
        if (written === undefined) continue
        yield* warnIfUncheckable(refreshToken)
        return key
      }
      return yield* new RecordStoreUnavailable({ reason: "down", retryAfter: 1 })
    }),
    check: Effect.fnUntraced(function*(key) {
      const found = yield* records.get(key)
      if (found === undefined) return { outcome: "rejected" }
      const outcome = yield* underLease("check", key, check(key, found.tokens))
      switch (outcome._tag) {
        case "Ended":
          return { outcome: "rejected" }
        case "Unavailable":
          return { outcome: "unavailable", retryAfter: outcome.retryAfter }
        case "Alive":
          return {
            outcome: "alive",
            scopes: grantedScopes(upstream, outcome.tokens.remaining ?? outcome.tokens.granted, [
              ...upstream.scopes.keys()
            ]),
            ...(outcome.endsAt === undefined ? {} : { endsAt: outcome.endsAt })
          }
      }
    }),
    token: Effect.fnUntraced(function*(key) {
      const found = yield* records.get(key)
      if (found === undefined) return yield* new UpstreamFailure({ reason: "ended" })
      const now = yield* Clock.currentTimeMillis
      if (!isExpiring(found.tokens, now, margin)) return found.tokens.accessToken
      const outcome = yield* underLease("token", key, renew(key))
      if (outcome._tag === "Alive") return outcome.tokens.accessToken
      if (outcome._tag === "Ended") return yield* new UpstreamFailure({ reason: "ended" })
      // During an outage, the token is used as long as it is valid.
      if (!isExpiring(found.tokens, now, 0)) return found.tokens.accessToken
      return yield* new UpstreamFailure({ reason: "unavailable", retryAfter: outcome.retryAfter })
    })
  }
})

/** Returns those of the MCP scopes whose upstream scopes are all granted. */
export const grantedScopes = (
  { quirks, scopes }: Pick<ReadUpstream, "quirks" | "scopes">,
  granted: ReadonlyArray<string>,
  requested: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const set = new Set(granted)
  return requested.filter((scope) => scopes.get(scope)?.every((needed) => quirks.isGranted(needed, set)) === true)
}
