import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { RecordStoreUnavailable } from "../../store/records/RecordStore.ts"
import type { Release } from "../grants/Grants.ts"
import type { UpstreamRecords } from "./UpstreamRecord.ts"
import type { UpstreamRequests } from "./UpstreamRequests.ts"

/* Removes and revokes upstream tokens that no grant uses. */

/**
 * The time after a sign-in in which its code can become a grant, in milliseconds: the life of a code, and ten seconds for its
 * exchange.
 */
const codeTime = 70_000

/** The parts of the release of a record. */
export interface Parts {
  readonly name: string
  readonly records: UpstreamRecords
  readonly requests: Pick<UpstreamRequests, "revoke">
  /** The life of the proxy, in which a release waits for codes. */
  readonly scope: Scope.Scope
}

/** Removes the tokens of a record that no grant uses. Also revokes them if the person has no grant at all. */
export const release = (
  parts: Parts,
  key: string,
  use: Parameters<Release>[1]
): Effect.Effect<void> =>
  Effect.catch(
    tryRelease(parts, key, use),
    ({ message }) =>
      Effect.logWarning(`The upstream tokens of an ended grant could not be removed from the store: ${message}`)
  )

const tryRelease = (
  parts: Parts,
  key: string,
  { areCodesBlocked, living }: Parameters<Release>[1]
): Effect.Effect<void, RecordStoreUnavailable> =>
  Effect.gen(function*() {
    const { name, records, requests, scope } = parts
    const found = yield* records.get(key)
    if (found === undefined) return
    const rest = (found.tokens.signedInAt ?? 0) + codeTime - (yield* Clock.currentTimeMillis)
    if (!areCodesBlocked && rest > 0) {
      // A code of this sign-in can still become a grant, which then needs the tokens.
      const later = Effect.suspend(() => release(parts, key, { areCodesBlocked: true, living }))
      return yield* Effect.asVoid(Effect.forkIn(Effect.andThen(Effect.sleep(rest), later), scope))
    }
    const used = yield* living
    if (used.includes(key) || !(yield* records.remove(key, found.version)) || used.length > 0) return
    // Some providers revoke all tokens of a person and a client at once, so no other grant of the person may need them.
    yield* Effect.catch(
      requests.revoke(found.tokens),
      ({ message }) => Effect.logWarning(`The upstream ${name} did not revoke the tokens of a person: ${message}`)
    )
  })
