import * as Result from "effect/Result"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as JwkSet from "../../verification/keys/JwkSet.ts"
import type { Reading } from "../probe/Probe.ts"
import { isObject, type Json, member, shown } from "../report/Json.ts"
import { fail, inconclusive, pass, type RuleResult } from "../report/Rule.ts"
import * as AccessTokenRules from "./AccessTokenRules.ts"

/**
 * The maximum number of keys that are checked. The verifier of this library rejects larger sets, so further keys are only
 * counted.
 */
const maximumKeys = 100

/** Checks a key set. Checks each key in the same way as the verifier of this library. */
export const checkKeySet = (reading: Reading): ReadonlyArray<RuleResult> => {
  const { url } = reading
  if (reading._tag === "NoDocument") {
    const why = `${shown(url)} ${reading.detail}`
    return [
      reading.kind === "no-response" || reading.kind === "server-error"
        ? inconclusive(AccessTokenRules.keySet, why)
        : fail(AccessTokenRules.keySet, why, "Serve the key set as JSON with status 200 at jwks_uri")
    ]
  }
  const keys = member(reading.json, "keys")
  if (!Array.isArray(keys)) return [fail(AccessTokenRules.keySet, `${shown(url)} has no member "keys"`)]
  const all = (keys as ReadonlyArray<unknown>).filter(isObject)
  const entries = all.slice(0, maximumKeys)
  // A set may contain encryption keys. They do not verify tokens.
  const signing = entries.filter((key) => member(key, "use") !== "enc")
  const usable = signing.filter((key) =>
    Result.isSuccess(ConfigOption.attempt(() => JwkSet.checkConfigured({ keys: [key] }, "keys")))
  )
  const secret = entries.filter((key) => ["d", "k", "p", "q"].some((name) => Object.hasOwn(key, name)))
  return [
    entries.length === 0
      ? fail(AccessTokenRules.keySet, `${shown(url)} has no key`)
      : all.length > maximumKeys
      ? fail(AccessTokenRules.keySet, `${all.length} keys: the verifier rejects sets of more than ${maximumKeys}`)
      : usable.length === 0
      ? fail(
        AccessTokenRules.keySet,
        `${entries.length} keys, none of which can verify a signature: ${describeFaults(signing)}`
      )
      : pass(AccessTokenRules.keySet, `${usable.length} usable: ${usable.map(describeKey).join(", ")}`),
    secret.length === 0
      ? pass(AccessTokenRules.keySetPublic, "public keys only")
      : fail(
        AccessTokenRules.keySetPublic,
        `private or symmetric key material in ${secret.map(describeKey).join(", ")}`
      ),
    checkKeyMembers(entries, signing, usable)
  ]
}

const checkKeyMembers = (
  entries: ReadonlyArray<Json>,
  signing: ReadonlyArray<Json>,
  usable: ReadonlyArray<Json>
): RuleResult => {
  const ids = entries.map((key) => member(key, "kid")).filter((kid) => kid !== undefined)
  const hasEncryption = entries.length > signing.length
  const faults = [
    ...signing.filter((key) => !usable.includes(key)).map((key) => `${describeKey(key)} ${describeFault(key)}`),
    ...usable.filter((key) => member(key, "kid") === undefined && entries.length > 1).map((key) =>
      `${describeKey(key)} has no kid`
    ),
    ...usable.filter((key) => member(key, "alg") === undefined && member(key, "kty") === "RSA").map((key) =>
      `${describeKey(key)} has no alg`
    ),
    ...usable.filter((key) => hasEncryption && member(key, "use") === undefined).map((key) =>
      `${describeKey(key)} has no use`
    ),
    ...new Set(
      ids.filter((kid, index) => ids.indexOf(kid) !== index).map((kid) => `kid ${shown(kid, 40)} occurs twice`)
    )
  ]
  return faults.length === 0
    ? pass(AccessTokenRules.keySetTidy, "every key has the members that it needs")
    : fail(AccessTokenRules.keySetTidy, faults.join("; "))
}

const describeKey = (key: Json): string => {
  const { alg, crv, kid, kty } = key
  return `${kid === undefined ? "a key" : shown(kid, 40)} (${
    [kty, crv, alg, describeSize(key)].filter((_) => _ !== undefined).map((_) => shown(_, 20)).join(" ")
  })`
}

const describeSize = ({ n }: Json): string | undefined => typeof n === "string" ? `${countBits(n)} bit` : undefined

/** Returns the size of an RSA modulus in bits, rounded down to whole bytes. A Base64url character encodes six bits. */
const countBits = (n: string): number => Math.floor(n.replace(/=+$/, "").length * 6 / 8) * 8

const describeFaults = (keys: ReadonlyArray<Json>): string =>
  keys.length === 0
    ? "no key is for signatures"
    : keys.map((key) => `${describeKey(key)} ${describeFault(key)}`).join("; ")

const describeFault = (key: Json): string => {
  const { alg, d, e, k, kty, n, use } = key
  if (k !== undefined || kty === "oct") return "is symmetric"
  if (d !== undefined) return "is private"
  if (use !== undefined && use !== "sig") return `has use ${shown(use, 20)}`
  if (kty === "RSA" && typeof n === "string" && countBits(n) < 2048) return "is shorter than 2048 bits"
  if (kty === "RSA" && typeof n === "string" && countBits(n) > 8192) return "is longer than 8192 bits"
  if (kty === "RSA" && e !== "AQAB") return "has an unusual exponent, or is malformed"
  if (typeof alg === "string" && /^(?:HS|none)/.test(alg)) return `names the algorithm ${alg}`
  return "has a type that access tokens are not signed with"
}
