import * as Effect from "effect/Effect"
import { sha256 } from "../../crypto/Sha256.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { RecordStoreUnavailable, Store } from "../../store/records/RecordStore.ts"
import type { ProxyKeys } from "../keys/ProxyKeys.ts"
import * as recordKeys from "../keys/RecordKeys.ts"
import * as accessTokens from "./AccessToken.ts"
import * as authorizationCode from "./Code.ts"
import * as codeUse from "./CodeUse.ts"
import { type GrantEvent, notifying, type OnGrantEvent } from "./GrantEvent.ts"
import * as grantOptions from "./GrantOptions.ts"
import { type CodeRecord, expiryOf, type GrantRecord, toView } from "./GrantRecord.ts"
import * as grantRecords from "./GrantRecords.ts"
import { contended, mostAttempts, now as currentTime } from "./GrantRecords.ts"
import {
  GrantRejected,
  type Grants,
  type Release,
  type TokenAnswer,
  UpstreamUnavailable,
  type UpstreamVerdict
} from "./Grants.ts"
import * as livenessCache from "./Liveness.ts"
import * as personGrants from "./PersonGrants.ts"
import * as refreshTokens from "./RefreshToken.ts"
import * as rotation from "./Rotation.ts"

/* Issues, refreshes and ends grants, with the records of a store. */

/** The parts of the service. */
export interface Parts {
  /** The issuer identifier of the proxy. */
  readonly issuer: string
  readonly store: Store
  readonly keys: ProxyKeys
  /** All scopes that the proxy offers. A refresh ignores other scopes, because clients also send scopes of other servers. */
  readonly offeredScopes: ReadonlyArray<string>
  readonly options?: grantOptions.GrantOptions | undefined
  readonly onEvent?: OnGrantEvent | undefined
  /** Removes the upstream tokens of a grant that ended, if they are not used any more. Default: they stay. */
  readonly release?: Release | undefined
}

/** The lifetime of a code in milliseconds. A used code is kept longer, so that a replay is noticed. */
const codeLifetime = 60_000
const usedCodeLifetime = 600_000

/** The lifetime of an access token in milliseconds, if the upstream could not be checked. */
const uncheckedLifetime = 600_000

/** A list of grants outlives the grants, which are written after it. In milliseconds. */
const listMargin = 3_600_000

const verifierFormat = /^[A-Za-z0-9\-._~]{43,128}$/

const reject = (reason: GrantRejected["reason"]) => Effect.fail(new GrantRejected({ reason }))

/** Creates the service. Fails with `AuthConfigError` for a wrong option. */
export const make = (parts: Parts): Effect.Effect<Grants, AuthConfigError> =>
  Effect.flatMap(
    Effect.fromResult(ConfigOption.attempt(() => grantOptions.resolve(parts.options ?? {}))),
    (limits) => Effect.map(recordKeys.make(parts.issuer), (keyFor) => makeWith(parts, limits, keyFor))
  )

const makeWith = (
  { issuer, keys, offeredScopes, onEvent, release = () => Effect.void, store }: Parts,
  limits: grantOptions.Limits,
  keyFor: recordKeys.RecordKeys
): Grants => {
  const { codes, grants, persons } = grantRecords.make(store, keyFor)
  const people = personGrants.make(
    { codes, grants, persons },
    limits.grantsPerPerson,
    limits.absoluteLifetime + listMargin
  )
  const access = accessTokens.make(issuer, keys)
  const mac = keys.mac("refresh", "token")
  const codeMac = keys.mac("refresh", "code")
  const sealedBy = keys.seal("records", "record").kid
  const liveness = livenessCache.make(limits.livenessCache)
  const findApproval = (id: string) => liveness.find(id, Effect.map(grants.get(id), (found) => found?.record))
  const notify = notifying(onEvent)
  const offered = new Set(offeredScopes)

  const report = (type: GrantEvent["type"], id: string, { clientId, subject }: GrantRecord): Effect.Effect<void> =>
    notify({ type, grantId: id, clientId, subject })

  /**
   * Ends a grant in any version. The event is reported by the one caller that removed the record, which also removes the upstream
   * tokens. `areCodesBlocked` tells whether no code of the person can become a grant.
   */
  const end = (
    type: GrantEvent["type"],
    id: string,
    record: GrantRecord,
    areCodesBlocked = false
  ): Effect.Effect<boolean, RecordStoreUnavailable> =>
    Effect.flatMap(grants.remove(id), (isRemoved) => {
      liveness.evict(id)
      if (!isRemoved) return Effect.succeed(false)
      const living = Effect.map(people.list(record.subject), (all) => all.map((each) => each.record.upstreamKey))
      return report(type, id, record).pipe(
        Effect.andThen(release(record.upstreamKey, { living, areCodesBlocked })),
        Effect.as(true)
      )
    })

  const put = (id: string, record: GrantRecord, at: number, expected: Parameters<typeof grants.put>[3]) =>
    grants.put(id, record, expiryOf(record, limits.idleLifetime) - at, expected)

  /** Issues the current tokens of a grant. `lifetime` is the longest lifetime of the access token in milliseconds. */
  const answer = (
    id: string,
    record: GrantRecord,
    scopes: ReadonlyArray<string>,
    lifetime: number,
    at: number
  ): Effect.Effect<TokenAnswer, GrantRejected> =>
    Effect.gen(function*() {
      const refreshToken = yield* refreshTokens.make(mac, id, record)
      // The secret of the current token was removed on this instance, which ends what it signed.
      if (refreshToken === undefined) return yield* reject("unknown")
      const remaining = expiryOf(record, limits.idleLifetime) - at
      const expiresIn = Math.max(1, Math.floor(Math.min(lifetime, remaining) / 1000))
      const accessToken = yield* access.issue(id, record, scopes, expiresIn)
      return { accessToken, refreshToken, expiresIn, scopes }
    })

  /** Returns the challenge of a well-formed verifier (RFC 7636 §4.1). */
  const challengeOf = (verifier: string | undefined): Effect.Effect<string | undefined> =>
    verifier !== undefined && verifierFormat.test(verifier) ? sha256(verifier) : Effect.undefined

  const firstRecord = (code: CodeRecord, at: number): GrantRecord => ({
    clientId: code.clientId,
    subject: code.subject,
    display: code.display,
    resource: code.resource,
    scopes: code.scopes,
    upstreamKey: code.upstreamKey,
    createdAt: at,
    usedAt: at,
    checkedAt: code.issuedAt,
    endsAt: at + limits.absoluteLifetime,
    generation: 0,
    kid: mac.kid,
    sealedBy,
    seed: grantRecords.makeSeed(),
    retired: []
  })

  /** Lists a grant of a code. Returns `false` if the grants of its person were revoked since. */
  const listGrant = (code: CodeRecord, id: string) =>
    people.add(
      code.subject,
      id,
      code.issuedAt,
      ({ id: least, record }) => Effect.asVoid(end("limit-exceeded", least, record))
    )

  const redeem: Grants["redeem"] = ({ code, verifier, ...request }) =>
    Effect.gen(function*() {
      const name = yield* authorizationCode.read(codeMac, code)
      if (name === undefined) return yield* reject("unknown")
      const challenge = yield* challengeOf(verifier)
      const id = yield* grantRecords.grantIdOf(name)
      for (let attempt = 0; attempt < mostAttempts; attempt++) {
        const found = yield* codes.get(name)
        if (found === undefined) return yield* reject("unknown")
        const { record, version } = found
        const at = yield* currentTime
        const decision = codeUse.decide(record, request, challenge, at)
        if (decision === "end") {
          const grant = yield* grants.get(id)
          if (grant !== undefined) yield* end("code-replayed", id, grant.record)
          return yield* reject("replayed")
        }
        if (decision !== "use") return yield* reject(decision)

        // The grant is written before the code is used: after a crash in between, the client can use the code again.
        if (!(yield* listGrant(record, id))) return yield* reject("ended")
        const first = firstRecord(record, at)
        const grant = (yield* put(id, first, at, "absent")) ? first : (yield* grants.get(id))?.record
        if (grant === undefined) return yield* reject("ended")
        if (!(yield* codes.put(name, { ...record, usedAt: at }, usedCodeLifetime, version))) continue
        if (!(yield* listGrant(record, id))) {
          yield* end("administrator-revoked", id, grant)
          return yield* reject("ended")
        }
        yield* report("started", id, grant)
        return yield* answer(id, grant, grant.scopes, limits.accessTokenLifetime, at)
      }
      return yield* contended
    })

  /** Returns the scopes of the next access token, or `undefined` if a requested scope exceeds the grant. */
  const scopesFor = (granted: ReadonlyArray<string>, requested: ReadonlyArray<string> | undefined) => {
    const known = requested?.filter((scope) => offered.has(scope)) ?? []
    if (known.length === 0) return granted
    return known.every((scope) => granted.includes(scope))
      ? granted.filter((scope) => known.includes(scope))
      : undefined
  }

  /** Returns the grant after a rotation, as the verdict permits it. */
  const rotated = (
    { at, generation, id, record, verdict }: {
      readonly id: string
      readonly record: GrantRecord
      readonly generation: number
      readonly verdict: UpstreamVerdict
      readonly at: number
    }
  ): Effect.Effect<GrantRecord, GrantRejected | RecordStoreUnavailable | UpstreamUnavailable> => {
    if (verdict.outcome === "rejected") {
      return Effect.andThen(end("upstream-rejected", id, record), reject("rejected"))
    }
    if (verdict.outcome === "unavailable" && at - record.checkedAt >= limits.upstreamOutage) {
      return Effect.fail(new UpstreamUnavailable({ retryAfter: verdict.retryAfter }))
    }
    const next = rotation.rotate(record, generation, mac.kid, at, limits.retryWindow)
    if (verdict.outcome === "unavailable") return Effect.succeed(next)
    const { endsAt, scopes } = verdict
    return Effect.succeed({
      ...next,
      endsAt: Math.min(next.endsAt, endsAt ?? next.endsAt),
      checkedAt: at,
      scopes: scopes === undefined ? next.scopes : next.scopes.filter((scope) => scopes.includes(scope))
    })
  }

  /** Returns the lifetime of an access token for a retry: the rest of the time that the last check permits. */
  const retryLifetime = (record: GrantRecord, at: number): number =>
    Math.min(
      limits.accessTokenLifetime,
      Math.max(uncheckedLifetime, record.checkedAt + limits.accessTokenLifetime - at)
    )

  const refresh: Grants["refresh"] = (request, check) =>
    Effect.gen(function*() {
      const presented = refreshTokens.parse(request.refreshToken)
      if (presented === undefined) return yield* reject("unknown")
      const { generation, grant: id } = presented
      let verdict: UpstreamVerdict | undefined
      for (let attempt = 0; attempt < mostAttempts; attempt++) {
        const found = yield* grants.get(id)
        if (found === undefined) return yield* reject("unknown")
        const { record, version } = found
        // The id of a grant is public (`sid`). Only a token with a valid tag has an effect.
        if (!(yield* refreshTokens.verify(mac, presented, record.seed))) return yield* reject("unknown")
        if (record.clientId !== request.clientId) return yield* reject("client")
        if (request.resource !== undefined && request.resource !== record.resource) return yield* reject("resource")
        const requested = scopesFor(record.scopes, request.scopes)
        if (requested === undefined) return yield* reject("scope")
        const before = yield* currentTime
        if (before >= expiryOf(record, limits.idleLifetime)) return yield* reject("unknown")

        const decision = rotation.decide(record, generation, before, limits.retryWindow)
        if (decision === "end") {
          yield* end("token-reused", id, record)
          return yield* reject("reused")
        }
        if (decision === "retry") {
          return yield* answer(id, record, requested, retryLifetime(record, before), before)
        }

        // The list of the person can be lost, so that a revocation of all grants did not find this one.
        if (yield* people.isRevoked(record.subject, record.createdAt)) {
          yield* end("administrator-revoked", id, record, true)
          return yield* reject("ended")
        }
        // The upstream comes first: if it rejects the person or is unavailable, the presented token stays the current one.
        verdict ??= yield* check(toView(id, record, limits.idleLifetime))
        const at = yield* currentTime
        const next = yield* rotated({ id, record, generation, verdict, at })
        if (at >= expiryOf(next, limits.idleLifetime)) return yield* reject("unknown")
        // The list of grants must not be lost when the old secret is removed, so it moves with the first grant that moves.
        if (record.sealedBy !== sealedBy) yield* people.renew(record.subject, id)
        if (!(yield* put(id, { ...next, sealedBy }, at, version))) continue
        if (generation > record.generation) yield* report("recovered", id, next)
        const isChecked = verdict.outcome === "alive"
        if (!isChecked) yield* report("unchecked", id, next)
        const lifetime = isChecked
          ? limits.accessTokenLifetime
          : Math.min(limits.accessTokenLifetime, uncheckedLifetime)
        // The check may have removed a requested scope.
        const scopes = requested.filter((scope) => next.scopes.includes(scope))
        return yield* answer(id, next, scopes, lifetime, at)
      }
      return yield* contended
    })

  /** Returns the grant of a token of this proxy. The token need not be the current one. */
  const ownerOf = (token: string) =>
    Effect.gen(function*() {
      const presented = refreshTokens.parse(token)
      const read = presented === undefined ? yield* access.read(token) : undefined
      const id = presented?.grant ?? read?.grant
      if (id === undefined) return undefined
      const found = yield* grants.get(id)
      if (found === undefined) return undefined
      const isOurs = presented === undefined
        ? read!.clientId === found.record.clientId
        : yield* refreshTokens.verify(mac, presented, found.record.seed)
      return isOurs ? { id, record: found.record } : undefined
    })

  const revokeGrant = (id: string, areCodesBlocked: boolean) =>
    Effect.flatMap(
      grants.get(id),
      (found) =>
        found === undefined ? Effect.succeed(false) : end("administrator-revoked", id, found.record, areCodesBlocked)
    )

  return {
    issueCode: ({ challenge, clientId, redirectUri, resource, scopes }, { display, subject }, upstreamKey) =>
      Effect.gen(function*() {
        const at = yield* currentTime
        const { code, name } = yield* authorizationCode.make(codeMac)
        const record = {
          clientId,
          subject,
          display,
          resource,
          scopes,
          upstreamKey,
          redirectUri,
          challenge,
          issuedAt: at,
          expiresAt: at + codeLifetime,
          usedAt: undefined
        }
        return (yield* codes.put(name, record, codeLifetime, "absent"))
          ? code
          : yield* Effect.die(new Error("A random code exists already"))
      }),
    // A client that disconnects interrupts its request. Without this, it could lose a code or an upstream token between two writes.
    redeem: (request) => Effect.uninterruptible(redeem(request)),
    refresh: (request, check) => Effect.uninterruptible(refresh(request, check)),
    revoke: (token, clientId) =>
      Effect.flatMap(ownerOf(token), (owner) =>
        owner === undefined || owner.record.clientId !== clientId
          ? Effect.void
          : Effect.asVoid(end("client-revoked", owner.id, owner.record))),
    isAlive: (id) => Effect.map(findApproval(id), (approval) => approval !== undefined),
    covers: (id, claims) =>
      Effect.map(findApproval(id), (approval) => approval !== undefined && accessTokens.isCovered(approval, claims)),
    get: (id) => Effect.map(grants.get(id), (found) => found && toView(id, found.record, limits.idleLifetime)),
    list: (subject) =>
      Effect.map(
        people.list(subject),
        (existing) => existing.map(({ id, record }) => toView(id, record, limits.idleLifetime))
      ),
    revokeGrant: (id) => revokeGrant(id, false),
    revokeAll: (subject) =>
      Effect.gen(function*() {
        const ids = yield* people.block(subject, yield* currentTime)
        const ended = yield* Effect.forEach(ids, (id) => revokeGrant(id, true))
        return ended.filter((isEnded) => isEnded).length
      })
  }
}
