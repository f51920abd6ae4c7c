import * as base64url from "../Base64Url.ts"
import { publicMembers } from "../PublicJwk.ts"
import * as platform from "./nodeCrypto.ts"
import type { KeyInput, NodeCrypto } from "./nodeCrypto.ts"

/*
 * Verifies signatures with `node:crypto`, synchronously. WebCrypto would pass each signature to another thread and back, which
 * costs CPU time.
 */

const edwards = ["EdDSA", "Ed25519"]

/**
 * The algorithms that need less CPU time with `node:crypto` than with WebCrypto. On Node and Bun, ES384 and ES512 are not among
 * them: they need the same time with either, and `node:crypto` would block the thread of the server for a millisecond. On Deno,
 * only EdDSA is faster with `node:crypto`. Speed cannot be detected with one call, so the name of the platform decides.
 */
const preferred: ReadonlySet<string> = new Set(
  platform.isDeno ? edwards : ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", ...edwards]
)

/** The algorithms for which a first call of `crypto.verify` threw no exception. */
const proven = new Set<string>()

const trial = new Uint8Array(64)

/**
 * Creates the function that verifies a compact JWS with a key and an algorithm. Returns `undefined` if `node:crypto` does not
 * exist, is not preferred for the algorithm, or fails. WebCrypto is used instead. The caller must check that the key can be
 * used with the algorithm.
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
    // workerd has the module, but throws if the key has options. One call for each algorithm detects this.
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
    // The other algorithms need no options: for RSA, PKCS #1 v1.5 is the default. A key without options is faster, because Node
    // takes longer to read the options than to verify some signatures.
    default:
      return key
  }
}
