import * as Effect from "effect/Effect"
import type { RecordStoreUnavailable } from "../../store/records/RecordStore.ts"
import type { GrantRecord, PersonRecord } from "./GrantRecord.ts"
import { contended, type GrantRecords, mostAttempts } from "./GrantRecords.ts"

/*
 * Keeps the list of the grants of each person, for administration and for the limit. The list is written before a grant and may
 * name grants that no longer exist. A search by prefix would visit every record of a store.
 */

/** A grant that exists. */
export interface Existing {
  readonly id: string
  readonly record: GrantRecord
}

/** The grants of persons. */
export interface PersonGrants {
  /**
   * Lists a grant. If the person has as many grants as the limit, first calls `end` for the least recently used one. Returns `false`
   * if the grants of the person were revoked after `issuedAt` (in milliseconds since 1970). Call it before and after the grant is
   * written: before, so that no grant is missing in a list, and after, because the grants can be revoked in between.
   */
  readonly add: (
    subject: string,
    id: string,
    issuedAt: number,
    end: (grant: Existing) => Effect.Effect<void, RecordStoreUnavailable>
  ) => Effect.Effect<boolean, RecordStoreUnavailable>
  /** Returns whether the grants of a person were revoked at or after a time, in milliseconds since 1970. */
  readonly isRevoked: (subject: string, createdAt: number) => Effect.Effect<boolean, RecordStoreUnavailable>
  /** Writes the list of a person again, so that the current secret seals it. Lists the grant if the list was lost. */
  readonly renew: (subject: string, id: string) => Effect.Effect<void, RecordStoreUnavailable>
  /** Returns the grants of a person that exist, the most recently used first. */
  readonly list: (subject: string) => Effect.Effect<ReadonlyArray<Existing>, RecordStoreUnavailable>
  /** Blocks the codes of a person that were issued up to `now`. Returns the ids of the list, whose grants the caller ends. */
  readonly block: (subject: string, now: number) => Effect.Effect<ReadonlyArray<string>, RecordStoreUnavailable>
}

const empty: PersonRecord = { grants: [], revokedAt: -1 }

/** Creates the lists. `lifetime` is the lifetime of a list in milliseconds, which is longer than the one of a grant. */
export const make = ({ grants, persons }: GrantRecords, limit: number, lifetime: number): PersonGrants => {
  const existing = (ids: ReadonlyArray<string>) =>
    Effect.map(
      Effect.forEach(ids, (id) =>
        Effect.map(grants.get(id), (found): ReadonlyArray<Existing> =>
          found === undefined ? [] : [{ id, record: found.record }])),
      (found) =>
        found.flat().sort((one, other) =>
          other.record.usedAt - one.record.usedAt
        )
    )

  /** Writes the next list of a person. `next` returns `undefined` to write nothing. */
  const change = <A>(
    subject: string,
    next: (
      known: PersonRecord
    ) => Effect.Effect<readonly [record: PersonRecord | undefined, result: A], RecordStoreUnavailable>
  ): Effect.Effect<A, RecordStoreUnavailable> =>
    Effect.gen(function*() {
      for (let attempt = 0; attempt < mostAttempts; attempt++) {
        const found = yield* persons.get(subject)
        const [record, result] = yield* next(found?.record ?? empty)
        if (record === undefined) return result
        if (yield* persons.put(subject, record, lifetime, found?.version ?? "absent")) return result
      }
      return yield* contended
    })

  return {
    add: (subject, id, issuedAt, end) =>
      change(subject, (known) =>
        Effect.gen(function*() {
          if (issuedAt <= known.revokedAt) return [undefined, false]
          if (known.grants.includes(id)) return [undefined, true]
          let listed = known.grants
          if (listed.length >= limit) {
            const alive = yield* existing(listed)
            for (const grant of alive.slice(limit - 1)) yield* end(grant)
            const kept = new Set(alive.slice(0, limit - 1).map((each) => each.id))
            listed = listed.filter((each) => kept.has(each))
          }
          return [{ ...known, grants: [...listed, id] }, true]
        })),
    isRevoked: (subject, createdAt) =>
      Effect.map(persons.get(subject), (found) => found !== undefined && createdAt <= found.record.revokedAt),
    renew: (subject, id) =>
      change(subject, (known) =>
        Effect.succeed([
          { ...known, grants: known.grants.includes(id) ? known.grants : [...known.grants, id] },
          undefined
        ])),
    list: (subject) => Effect.flatMap(persons.get(subject), (found) => existing(found?.record.grants ?? [])),
    // The ids stay listed, so that an administrator can try again if the process ends before it has ended all grants.
    block: (subject, now) =>
      change(subject, (known) => Effect.succeed([{ grants: known.grants, revokedAt: now }, known.grants]))
  }
}
