import * as base64url from "../Base64Url.ts"
import { publicMembers } from "../PublicJwk.ts"
import * as platform from "./nodeCrypto.ts"
import type { KeyInput, NodeCrypto } from "./nodeCrypto.ts"

/* Verifies signatures with `node:crypto`, synchronously. WebCrypto passes each signature to another thread and back. */

const edwards = ["EdDSA", "Ed25519"]

/**
 * The algorithms that need less CPU time here than with WebCrypto. On Node and Bun, ES384 and ES512 need the same time, and would
 * block the thread of the server for a millisecond. On Deno, only EdDSA is faster with `node:crypto`. A trial call would not show
 * this, so the name of the platform decides.
 */
const preferred: ReadonlySet<string> = new Set(
  platform.isDeno ? edwards : ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", ...edwards]
)

/** The algorithms with which a trial signature was verified without an exception. */
const proven = new Set<string>()

const trial = new Uint8Array(64)

/**
 * Creates the function that verifies a compact JWS with a key and an algorithm. Returns `undefined` if `node:crypto` does not
 * exist, is not preferred, or fails. Then WebCrypto is used. The caller must check that the key can be used with the algorithm.
 */
export const prepare = (
  jwk: Readonly<Record<string, unknown>>,
  algorithm: string
): ((token: string) => boolean) | undefined => {
  const { decodeNatively, crypto } = platform
  if (crypto === undefined || decodeNatively === undefined || !preferred.has(algorithm)) return undefined
  const hash = edwards.includes(algorithm) ? null : `sha${algorithm.slice(-3)}`
  let key: KeyInput
  try {
    key = toKey(jwk, algorithm, crypto)
    // workerd has the module, but rejects a key inside options. One trial for each algorithm finds this out.
    if (!proven.has(algorithm)) {
      crypto.verify(hash, trial, key, trial)
      proven.add(algorithm)
    }
  } catch {
    return undefined
  }
  return (token) => {
    const first = token.indexOf(".")
    const end = token.indexOf(".", first + 1)
    if (first < 0 || end < 0) return false
    const signature = token.slice(end + 1)
    if (!base64url.isCanonical(signature)) return false
    try {
      return crypto.verify(
        hash,
        decodeNatively(token.slice(0, end), "latin1"),
        key,
        decodeNatively(signature, "base64url")
      )
    } catch {
      return false
    }
  }
}

/** Creates the key with the options of an algorithm (RFC 7518 §3.3–3.5, RFC 8037). */
const toKey = (jwk: Readonly<Record<string, unknown>>, algorithm: string, crypto: NodeCrypto): KeyInput => {
  const key = crypto.createPublicKey({ key: publicMembers(jwk), format: "jwk" })
  switch (algorithm.slice(0, 2)) {
    case "PS":
      return { key, padding: crypto.constants["RSA_PKCS1_PSS_PADDING"], saltLength: Number(algorithm.slice(-3)) / 8 }
    case "ES":
      return { key, dsaEncoding: "ieee-p1363" }
    // A key without options if possible: for an object with options, Node needs longer than for some signatures. PKCS #1 v1.5 is
    // its default for RSA.
    default:
      return key
  }
}
