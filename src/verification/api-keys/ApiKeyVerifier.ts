/**
 * Verifies API keys with the records of a store.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as constantTime from "../../crypto/ConstantTime.ts"
import { sha256 } from "../../crypto/Sha256.ts"
import { Sharing } from "../../outbound/Sharing.ts"
import * as SingleFlight from "../../outbound/SingleFlight.ts"
import {
  ApiKeyStoreUnavailable,
  type AuthConfigError,
  type AuthorizationServerUnavailable,
  InvalidApiKey
} from "../../protocol/AuthError.ts"
import { textOf } from "../../protocol/Credentials.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import { copyJson, freezePrincipal } from "../claims/Frozen.ts"
import { apiKeyIssuer, isUnchanged, make as makePrincipal, type Principal } from "../Principal.ts"
import * as streamChecks from "../revocation/StreamChecks.ts"
import * as TokenCache from "../tokens/TokenCache.ts"
import type { PresentedRequest } from "../TokenVerifier.ts"
import type { Authentication, Parts } from "./ApiKeyAuthentication.ts"
import { type ApiKeyRecord, identifierOf, readRecord } from "./ApiKeyRecord.ts"
import type { Store } from "./ApiKeyStore.ts"

/** The maximum number of cached records. */
const maximumRecords = 10_000

/** The maximum number of cached identifiers without a record. Invented identifiers evict only each other. */
const maximumUnknown = 1_000

/** The maximum number of look-ups at a time. A further one fails, so that invented keys cannot overload the store. */
const maximumLookUps = 100

/** How long an identifier without a record is cached, in milliseconds. */
const unknownFor = 5_000

/** The time limit of a look-up. */
const timeLimit = "5 seconds"

/** A key without `expiresAt` has the latest time that a `Date` can represent, in seconds since 1970. */
const never = 8.64e12

const malformed = Effect.fail(new InvalidApiKey({ reason: "api-key-malformed" }))
const unknownKey = Effect.fail(new InvalidApiKey({ reason: "api-key-unknown" }))
const expired = Effect.fail(new InvalidApiKey({ reason: "api-key-expired" }))
const unknownTenant = Effect.fail(new InvalidApiKey({ reason: "unknown-tenant" }))
const down = Effect.fail(new ApiKeyStoreUnavailable({ reason: "api-key-store-down", retryAfter: 1 }))
const slow = Effect.fail(new ApiKeyStoreUnavailable({ reason: "api-key-store-slow", retryAfter: 1 }))
const busy = Effect.fail(new ApiKeyStoreUnavailable({ reason: "api-key-store-busy", retryAfter: 1 }))
const noRecord = (problem: string) =>
  Effect.fail(new ApiKeyStoreUnavailable({ reason: "api-key-record", retryAfter: 30, problem }))

/** A record with its principal. */
interface Entry {
  readonly record: ApiKeyRecord
  readonly principal: Principal
  /** When the record stops being fresh, in monotonic milliseconds. Exclusive. */
  readonly freshUntil: number
}

/** A key without a record is compared with this hash, so that rejecting it takes the same work as rejecting any other key. */
const noHash = "-".repeat(43)

const toPrincipal = (record: ApiKeyRecord, { effectiveScopes, resource: own, tenants }: Parts): Principal => {
  const { claims = {}, createdAt, expiresAt, identifier, subject, tenant } = record
  const resource = tenant === undefined || tenants === undefined ? own : tenants.resourceOf(tenant)
  const scopes = ScopeToken.unique(record.scopes)
  const granted = new Set(scopes)
  // The last members win, so that further claims cannot contradict the record. An API key is bound to no key of the client.
  const { cnf: _, ...further } = copyJson(claims)
  return freezePrincipal(makePrincipal({
    issuer: apiKeyIssuer,
    subject,
    clientId: identifier,
    granted,
    scopes: effectiveScopes(granted),
    roles: new Set(record.roles),
    audience: [resource],
    expiresAt: expiresAt ?? never,
    tenant,
    claims: {
      ...further,
      iss: apiKeyIssuer,
      sub: subject,
      aud: resource,
      client_id: identifier,
      scope: scopes.join(" "),
      ...(createdAt === undefined ? {} : { iat: createdAt }),
      ...(expiresAt === undefined ? {} : { exp: expiresAt })
    },
    // Not the key: a handler must not be able to read or forward it.
    token: Redacted.make(identifier, { label: "API key" })
  }))
}

/**
 * Makes the verifier of API keys. `cache` is the time in milliseconds for which a record is reused.
 *
 * **Details**
 *
 * The key itself is compared on every request. Only its record is cached, so an invented secret for a known identifier causes no
 * look-up. Concurrent look-ups of one identifier are coalesced, except in Workers.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  store: Store,
  cache: number,
  parts: Parts
): Effect.Effect<Omit<Authentication, "header" | "read">, never, Scope.Scope> =>
  Effect.gen(function*() {
    const flights = (yield* Sharing)
      ? SingleFlight.make<Entry | undefined, ApiKeyStoreUnavailable>(yield* Effect.scope)
      : undefined
    const known = new BoundedMap<string, Entry>(maximumRecords)
    const unknown = new BoundedMap<string, number>(maximumUnknown)
    const records = new WeakMap<Principal, ApiKeyRecord>()
    let invalidations = 0
    let lastInvalidation = Number.NEGATIVE_INFINITY
    let running = 0

    const keep = (identifier: string, value: unknown, since: number): Effect.Effect<
      Entry | undefined,
      ApiKeyStoreUnavailable
    > => {
      if (value === undefined || value === null) {
        unknown.set(identifier, since + Math.min(cache, unknownFor))
        return Effect.undefined
      }
      const read = readRecord(value)
      if (Result.isFailure(read)) return noRecord(read.failure)
      const record = read.success
      if (record.identifier !== identifier) return noRecord("identifier is not the requested one")
      const principal = toPrincipal(record, parts)
      const entry = { record, principal, freshUntil: since + cache }
      records.set(principal, record)
      known.set(identifier, entry)
      return Effect.succeed(entry)
    }

    const lookUp = (identifier: string): Effect.Effect<Entry | undefined, ApiKeyStoreUnavailable> =>
      Clock.clockWith((clock) => {
        if (running >= maximumLookUps) return busy
        // Counted inside of `ensuring`: an interruption before that would leave the count too high for good.
        let isCounted = false
        // The age of a record counts from the beginning of its look-up.
        const since = monotonic.millisOf(clock)
        const before = invalidations
        return Effect.suspend(() => {
          isCounted = true
          running++
          return OptionValue.toEffect(store.find(identifier), "find of the store of API keys")
        }).pipe(
          Effect.catch(() => down),
          Effect.timeoutOrElse({ duration: timeLimit, orElse: () => slow }),
          Effect.flatMap((value) =>
            Effect.tap(keep(identifier, value, since), () =>
              Effect.sync(() => {
                // The record may have been read before it was changed.
                if (invalidations === before) return
                known.delete(identifier)
                unknown.delete(identifier)
              }))
          ),
          Effect.ensuring(Effect.sync(() => {
            if (isCounted) running--
          }))
        )
      })

    const find = (identifier: string, now: number): Effect.Effect<Entry | undefined, ApiKeyStoreUnavailable> => {
      const entry = known.use(identifier)
      if (entry !== undefined && now < entry.freshUntil) return Effect.succeed(entry)
      if (now < (unknown.get(identifier) ?? Number.NEGATIVE_INFINITY)) return Effect.undefined
      return flights === undefined
        ? lookUp(identifier)
        : Effect.suspend(() =>
          flights.join(identifier, lastInvalidation) ?? Effect.flatten(flights.start(identifier, lookUp(identifier)))
        )
    }

    const isRevoked = (principal: Principal): Effect.Effect<boolean, ApiKeyStoreUnavailable> =>
      Clock.clockWith((clock) =>
        Effect.map(find(principal.clientId ?? "", monotonic.millisOf(clock)), (entry) =>
          entry === undefined || entry.record.hash !== records.get(principal)?.hash ||
          // A stream or a request that waits must not keep rights that the record no longer has.
          !isUnchanged(principal, entry.principal) ||
          clock.currentTimeMillisUnsafe() >= (entry.record.expiresAt ?? never) * 1000)
      )

    /** Checks the tenant of a key whose secret is right. Only then is the tenant looked up. */
    const checkTenant = (
      principal: Principal,
      request: PresentedRequest
    ): Effect.Effect<Principal, InvalidApiKey | AuthorizationServerUnavailable | AuthConfigError> => {
      const { tenant } = principal
      if ((tenant === undefined) !== (parts.tenants === undefined)) {
        return unknownTenant
      }
      if (tenant === undefined || parts.tenants === undefined) {
        return Effect.succeed(principal)
      }
      return Effect.flatMapEager(
        parts.tenants.admitsKeyOf(tenant, request),
        (isAdmitted): Effect.Effect<Principal, InvalidApiKey> =>
          isAdmitted ? Effect.succeed(principal) : unknownTenant
      )
    }

    return {
      isKey: (text) =>
        identifierOf(text) !== undefined,
      verify: (credentials, request, timing) => {
        const key = textOf(credentials)
        const identifier = identifierOf(key)
        if (identifier === undefined) {
          return malformed
        }
        return Effect.flatMapEager(find(identifier, monotonic.millisOfNanos(timing.since)), (entry) =>
          Effect.flatMapEager(sha256(key), (hash) => {
            const isEqual = constantTime.isEqual(hash, entry === undefined ? noHash : entry.record.hash)
            if (entry === undefined || !isEqual) {
              return unknownKey
            }
            return timing.clock.currentTimeMillisUnsafe() >= entry.principal.expiresAt * 1000
              ? expired
              : checkTenant(entry.principal, request)
          }))
      },
      withRevocation: (revocation) => {
        const isAnyRevoked: ReturnType<Authentication["withRevocation"]>["isRevoked"] = (principal) => {
          const ofToken = revocation === undefined ? Effect.succeed(false) : revocation.isRevoked(principal)
          return principal.issuer !== apiKeyIssuer
            ? ofToken
            : Effect.flatMap(ofToken, (isOver) =>
              isOver === false ? isRevoked(principal) : Effect.succeed(true))
        }
        const untilKeyIsRevoked = streamChecks.make(isAnyRevoked)
        return {
          isRevoked: isAnyRevoked,
          untilRevoked: (principal, interval) =>
            principal.issuer === apiKeyIssuer
              ? untilKeyIsRevoked(principal, interval)
              : revocation === undefined
              ? Effect.never
              : revocation.untilRevoked(principal, interval)
        }
      },
      invalidate: (target) =>
        Clock.clockWith((clock) =>
          Effect.sync(() => {
            const isTargeted = TokenCache.matcher(target)
            invalidations++
            lastInvalidation = monotonic.millisOf(clock)
            for (const identifier of known.keys()) {
              if (isTargeted(known.get(identifier)!.principal)) {
                known.delete(identifier)
              }
            }
            // An unknown identifier has no principal to compare.
            for (const identifier of unknown.keys()) {
              unknown.delete(identifier)
            }
          })
        )
    }
  })

/** Converts the checked option `cache` to milliseconds. */
export const cacheTime = (cache: Duration.Input): number => Duration.toMillis(Duration.fromInputUnsafe(cache))
