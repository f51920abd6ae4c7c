import type { Fact } from "../facts/Facts.ts"
import type { Exchange, Reading } from "../probe/Probe.ts"
import type { Located } from "../probe/Redirect.ts"
import { type Json, member } from "../report/Json.ts"
import { inconclusive, type Rule, type RuleResult, skip } from "../report/Rule.ts"

/** A metadata document. If it is an excerpt, or the record of an observed document, only some members are known. */
export interface MetadataDocument {
  /** `"either"`: the name and the members of a saved document do not show its kind. */
  readonly kind: "oauth-authorization-server" | "openid-configuration" | "either"
  readonly url: string
  readonly metadata: Json
  /** Members that the record does not cover: the document can have them or not. */
  readonly unseen: ReadonlySet<string>
  /** `false` for an excerpt. A member that is missing in the excerpt can be in the document. */
  readonly complete: boolean
}

/** A well-known URL that clients request, and the response. */
export interface WellKnownUrl extends Located {
  readonly kind: MetadataDocument["kind"]
}

/** The responses of a server, and the provider that was identified. A response that was not fetched is `undefined`. */
export interface Observations {
  /** The issuer to check; `undefined` if only documents are checked. */
  readonly issuer: string | undefined
  readonly wellKnownUrls: ReadonlyArray<WellKnownUrl> | undefined
  /** In the order in which clients request them. */
  readonly documents: ReadonlyArray<MetadataDocument>
  readonly keySet: Reading | undefined
  readonly cors: {
    readonly metadata?: Exchange
    readonly token?: Exchange
    readonly registration?: Exchange
  }
  readonly provider: Fact | undefined
}

/** Tells whether a response is a metadata document: a JSON object with an issuer. */
export const isMetadata = (reading: Reading): reading is Extract<Reading, { readonly _tag: "Json" }> =>
  reading._tag === "Json" && typeof member(reading.json, "issuer") === "string"

export const describeReading = (reading: Reading): string =>
  reading._tag === "NoDocument" ? reading.detail : isMetadata(reading) ? "is metadata" : "has no issuer"

/**
 * Runs a check that depends on the members `names`. Skips the check if a member is missing and the record does not cover this
 * member. If the document is an excerpt without one of the members, a failed check is inconclusive.
 */
export const checkMembers = (
  { complete, metadata, unseen }: MetadataDocument,
  names: ReadonlyArray<string>,
  rule: Rule,
  check: () => RuleResult
): RuleResult => {
  const absent = names.filter((name) => member(metadata, name) === undefined)
  if (absent.some((name) => unseen.has(name))) return skip(rule, `${absent.join(", ")} was not recorded`)
  const result = check()
  return result.verdict === "fail" && !complete && absent.length > 0
    ? inconclusive(rule, `only an excerpt was observed, without ${absent.join(", ")}`)
    : result
}
