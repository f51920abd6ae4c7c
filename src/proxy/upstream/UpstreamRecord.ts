import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { isRecord, type JsonObject, own } from "../../protocol/Json.ts"
import type { RecordStoreUnavailable, Store, Version } from "../../store/records/RecordStore.ts"
import * as SealedStore from "../../store/records/SealedStore.ts"
import type { RecordKeys } from "../keys/RecordKeys.ts"
import type { UpstreamToken } from "./UpstreamLeg.ts"
import { toUpstreamToken } from "./UpstreamRequests.ts"

/* Stores the tokens of the people of an upstream. The grants of a person with the same upstream scopes share one record. */

/** The tokens of a person at the upstream. */
export interface Tokens {
  readonly subject: string
  readonly accessToken: UpstreamToken
  readonly refreshToken: Redacted.Redacted | undefined
  /** The end of the access token, in milliseconds since 1970. */
  readonly expiresAt: number | undefined
  /** The requested upstream scopes that the sign-in granted. They are part of the key of the record. */
  readonly granted: ReadonlyArray<string>
  /** Those of the granted scopes that the latest refresh still granted. Default: all. */
  readonly remaining?: ReadonlyArray<string> | undefined
  /** The claims of the latest ID token. */
  readonly claims: JsonObject | undefined
  /** The time of the latest successful check, in milliseconds since 1970. It grows with each check. */
  readonly checkedAt: number
  /** The time of the latest sign-in, in milliseconds since 1970. */
  readonly signedInAt?: number | undefined
}

/** Tokens, and the version of the record that contains them. */
export interface Found {
  readonly tokens: Tokens
  readonly version: Version
}

/** The records of one upstream. */
export interface UpstreamRecords {
  readonly keyOf: (subject: string, granted: ReadonlyArray<string>) => Effect.Effect<string>
  readonly leaseOf: (key: string) => Effect.Effect<string>
  /** Returns the tokens of a key. A record that cannot be opened, or that belongs to another key, is absent. */
  readonly get: (key: string) => Effect.Effect<Found | undefined, RecordStoreUnavailable>
  readonly put: (
    key: string,
    tokens: Tokens,
    expected: Version | "absent"
  ) => Effect.Effect<Version | undefined, RecordStoreUnavailable>
  readonly remove: (key: string, version: Version) => Effect.Effect<boolean, RecordStoreUnavailable>
}

/** A record outlives the grants of its person, which end after 90 days. Each check writes it again. */
const lifetime = Duration.days(91)

/** Creates the records. `seal` encrypts them once more than the store of the proxy does, for example with a key management service. */
export const make = (store: Store, recordKeys: RecordKeys, seal: SealedStore.Seal | undefined): UpstreamRecords => {
  const sealed = seal === undefined ? store : SealedStore.make(store, seal)
  const keyOf: UpstreamRecords["keyOf"] = (subject, granted) =>
    recordKeys("upstream", [subject, ...[...new Set(granted)].sort()].join("\n"))
  return {
    keyOf,
    leaseOf: (key) => recordKeys("lease", key),
    get: Effect.fnUntraced(function*(key) {
      const found = yield* sealed.get(key)
      const tokens = found && decode(found.value)
      if (found === undefined || tokens === undefined) return undefined
      // The key is a hash of the subject, so this binds the content to its person, also if an author's `seal` binds nothing.
      return (yield* keyOf(tokens.subject, tokens.granted)) === key ? { tokens, version: found.version } : undefined
    }),
    put: (key, tokens, expected) => sealed.put(key, encode(tokens), { lifetime, expected }),
    remove: sealed.remove
  }
}

const encode = ({ accessToken, refreshToken, ...rest }: Tokens): string =>
  JSON.stringify({
    ...rest,
    accessToken: Redacted.value(accessToken),
    refreshToken: refreshToken && Redacted.value(refreshToken)
  })

/** Reads a record. The seal proves that the proxy wrote it, so only the form of this version is checked. */
const decode = (text: string): Tokens | undefined => {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const subject = own(value, "subject")
  const accessToken = own(value, "accessToken")
  const refreshToken = own(value, "refreshToken")
  const expiresAt = own(value, "expiresAt")
  const granted = own(value, "granted")
  const remaining = own(value, "remaining")
  const claims = own(value, "claims")
  const checkedAt = own(value, "checkedAt")
  const signedInAt = own(value, "signedInAt")
  if (
    typeof subject !== "string" || typeof accessToken !== "string" || typeof checkedAt !== "number" ||
    !Array.isArray(granted) || !granted.every((scope) => typeof scope === "string")
  ) return undefined
  return {
    subject,
    accessToken: toUpstreamToken(accessToken),
    refreshToken: typeof refreshToken === "string"
      ? Redacted.make(refreshToken, { label: "upstream-refresh-token" })
      : undefined,
    expiresAt: typeof expiresAt === "number" ? expiresAt : undefined,
    granted,
    remaining: Array.isArray(remaining) ? granted.filter((scope) => remaining.includes(scope)) : undefined,
    claims: isRecord(claims) ? claims : undefined,
    checkedAt,
    signedInAt: typeof signedInAt === "number" ? signedInAt : undefined
  }
}
