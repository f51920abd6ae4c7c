import * as Result from "effect/Result"
import * as JwkSet from "../../verification/keys/JwkSet.ts"
import type { Reading } from "../probe/Probe.ts"
import { isObject, type Json, member, shown } from "../report/Json.ts"
import { failed, type Judgement, passed, unknown } from "../report/Rule.ts"
import * as Rules from "./CheckRules.ts"

/** The verifier of this library reads no set with more keys. What follows them is counted and not examined. */
const maximumKeys = 100

/** Judges a key set: each of its keys as the verifier of this library would. */
export const checkKeySet = (reading: Reading): ReadonlyArray<Judgement> => {
  const { url } = reading
  if (reading._tag === "NoDocument") {
    const why = `${shown(url)} ${reading.detail}`
    return [
      reading.kind === "not-reached" || reading.kind === "server-error"
        ? unknown(Rules.keySet, why)
        : failed(Rules.keySet, why, "Serve the key set as JSON with status 200 at jwks_uri")
    ]
  }
  const keys = member(reading.json, "keys")
  if (!Array.isArray(keys)) return [failed(Rules.keySet, `${shown(url)} has no member "keys"`)]
  const all = (keys as ReadonlyArray<unknown>).filter(isObject)
  const entries = all.slice(0, maximumKeys)
  // Keys for encryption are none of ours, and no fault.
  const signing = entries.filter((key) => member(key, "use") !== "enc")
  const usable = signing.filter((key) => Result.isSuccess(JwkSet.checkConfigured({ keys: [key] }, "keys")))
  const secret = entries.filter((key) => ["d", "k", "p", "q"].some((name) => Object.hasOwn(key, name)))
  return [
    entries.length === 0
      ? failed(Rules.keySet, `${shown(url)} holds no key`)
      : all.length > maximumKeys
      ? failed(Rules.keySet, `${all.length} keys: sets of more than ${maximumKeys} are not read`)
      : usable.length === 0
      ? failed(Rules.keySet, `${entries.length} keys, none of which can verify a signature: ${faultsOf(signing)}`)
      : passed(Rules.keySet, `${usable.length} usable: ${usable.map(nameOf).join(", ")}`),
    secret.length === 0
      ? passed(Rules.keySetPublic, "public keys only")
      : failed(Rules.keySetPublic, `private or symmetric key material in ${secret.map(nameOf).join(", ")}`),
    judgeTidiness(entries, signing, usable)
  ]
}

const judgeTidiness = (
  entries: ReadonlyArray<Json>,
  signing: ReadonlyArray<Json>,
  usable: ReadonlyArray<Json>
): Judgement => {
  const ids = entries.map((key) => member(key, "kid")).filter((kid) => kid !== undefined)
  const hasEncryption = entries.length > signing.length
  const faults = [
    ...signing.filter((key) => !usable.includes(key)).map((key) => `${nameOf(key)} ${faultOf(key)}`),
    ...usable.filter((key) => member(key, "kid") === undefined && entries.length > 1).map((key) =>
      `${nameOf(key)} has no kid`
    ),
    ...usable.filter((key) => member(key, "alg") === undefined && member(key, "kty") === "RSA").map((key) =>
      `${nameOf(key)} has no alg`
    ),
    ...usable.filter((key) => hasEncryption && member(key, "use") === undefined).map((key) =>
      `${nameOf(key)} has no use`
    ),
    ...new Set(
      ids.filter((kid, index) => ids.indexOf(kid) !== index).map((kid) => `kid ${shown(kid, 40)} occurs twice`)
    )
  ]
  return faults.length === 0
    ? passed(Rules.keySetTidy, "kid, alg and use are as they should be")
    : failed(Rules.keySetTidy, faults.join("; "))
}

const nameOf = (key: Json): string => {
  const { alg, crv, kid, kty } = key
  return `${kid === undefined ? "a key" : shown(kid, 40)} (${
    [kty, crv, alg, sizeOf(key)].filter((_) => _ !== undefined).map((_) => shown(_, 20)).join(" ")
  })`
}

const sizeOf = ({ n }: Json): string | undefined => typeof n === "string" ? `${bitsOf(n)} bit` : undefined

/** Close enough to be told: six bits for a character, and a modulus begins with a one. */
const bitsOf = (n: string): number => Math.floor(n.replace(/=+$/, "").length * 6 / 8) * 8

const faultsOf = (keys: ReadonlyArray<Json>): string =>
  keys.length === 0 ? "there is no key for signatures" : keys.map((key) => `${nameOf(key)} ${faultOf(key)}`).join("; ")

const faultOf = (key: Json): string => {
  const { alg, d, e, k, kty, n, use } = key
  if (k !== undefined || kty === "oct") return "is symmetric"
  if (d !== undefined) return "is private"
  if (use !== undefined && use !== "sig") return `has the use ${shown(use, 20)}`
  if (kty === "RSA" && typeof n === "string" && bitsOf(n) < 2048) return "is shorter than 2048 bits"
  if (kty === "RSA" && typeof n === "string" && bitsOf(n) > 8192) return "is longer than 8192 bits"
  if (kty === "RSA" && e !== "AQAB") return "has an unusual exponent, or is broken"
  if (typeof alg === "string" && /^(?:HS|none)/.test(alg)) return `names the algorithm ${alg}`
  return "is of a kind that access tokens are not signed with"
}
