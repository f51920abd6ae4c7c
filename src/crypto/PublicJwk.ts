import * as base64url from "./Base64Url.ts"

/* Checks public keys (RFC 7517) before they are imported. */

const rsa = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
const curves: Readonly<Record<string, ReadonlyArray<string>>> = Object.assign(Object.create(null), {
  "EC P-256": ["ES256"],
  "EC P-384": ["ES384"],
  "EC P-521": ["ES512"],
  "OKP Ed25519": ["EdDSA", "Ed25519"]
})

/**
 * Returns the signature algorithms for which a key may be used. The list is empty for a symmetric or private key, a key for
 * encryption, a weak key, a key of an unknown type or curve, a key whose `kid` is not a
 * string, and a key whose `alg` does not fit its type.
 */
export const usableAlgorithms = (jwk: Readonly<Record<string, unknown>>): ReadonlyArray<string> => {
  const { alg, crv, kid, kty, use } = jwk
  const operations = jwk["key_ops"]
  if (kid !== undefined && typeof kid !== "string") return []
  if (use !== undefined && use !== "sig") return []
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) return []
  if (Object.hasOwn(jwk, "d") || Object.hasOwn(jwk, "k")) return [] // private or symmetric: it was published, so it is not secret
  const usable = kty === "RSA"
    ? isStrongRsa(jwk["n"], jwk["e"]) ? rsa : []
    : (typeof kty === "string" && typeof crv === "string" && curves[`${kty} ${crv}`]) || []
  if (alg === undefined) return usable
  if (typeof alg !== "string" || !usable.includes(alg)) return []
  return alg === "EdDSA" || alg === "Ed25519" ? usable : [alg]
}

const isStrongRsa = (n: unknown, e: unknown): boolean => {
  if (typeof n !== "string" || typeof e !== "string" || n.length > 2048) return false
  const modulus = base64url.decode(n)
  const exponent = base64url.decode(e)
  if (modulus === undefined || exponent === undefined || exponent.length === 0 || exponent.length > 8) return false
  const bits = bitLength(modulus)
  const value = exponent.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return bits >= 2048 && bits <= 8192 && value >= 65537n && (value & 1n) === 1n && !isRoca(modulus)
}

const smallPrimes = (
  "3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71 73 79 83 89 97 101 103 107 109 113 127 131 137 139 149 151 157 163 167"
).split(" ").map(Number)

/** Returns the powers of 65537 modulo a prime. */
const powersOf = (prime: number): ReadonlySet<number> => {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * 65537) % prime) powers.add(power)
  return powers
}

/**
 * Recognizes a modulus with the ROCA vulnerability (CVE-2017-15361), which can be factored: modulo each small prime, it is a
 * power of 65537. About one in 240 million other moduli has this property by chance.
 */
const isRoca = (modulus: Uint8Array): boolean =>
  smallPrimes.every((prime) =>
    powersOf(prime).has(modulus.reduce((remainder, byte) => (remainder * 256 + byte) % prime, 0))
  )

const bitLength = (bytes: Uint8Array): number => {
  const first = bytes.findIndex((byte) => byte !== 0)
  return first === -1 ? 0 : (bytes.length - first) * 8 - Math.clz32(bytes[first]!) + 24
}

/** Returns the members that define the key. Only these are passed to a cryptographic library. */
export const publicMembers = ({ crv, e, kty, n, x, y }: Readonly<Record<string, unknown>>) =>
  Object.fromEntries(Object.entries({ kty, n, e, crv, x, y }).filter(([, value]) => value !== undefined))

/** The members that are registered for keys of every type. */
const commonMembers = ["kty", "use", "key_ops", "alg", "kid", "ext", "x5u", "x5c", "x5t", "x5t#S256"]

/** The members that define a key, by its `kty`. */
const ownMembers: Readonly<Record<string, ReadonlyArray<string>>> = {
  RSA: ["n", "e"],
  EC: ["crv", "x", "y"],
  OKP: ["crv", "x"]
}

/**
 * Reads the public key in the header of a DPoP proof (RFC 9449 §4.2). Returns its public members, and the text whose SHA-256 is
 * its thumbprint (RFC 7638). Returns `undefined` for a key that cannot be used with the algorithm, for a key that is not
 * public, and for a key with unregistered members or members of another type of key.
 */
export const readEmbedded = (
  jwk: unknown,
  algorithm: string
): { readonly jwk: Readonly<Record<string, unknown>>; readonly thumbprintText: string } | undefined => {
  if (typeof jwk !== "object" || jwk === null || Array.isArray(jwk)) return undefined
  const given = jwk as Readonly<Record<string, unknown>>
  if (!usableAlgorithms(given).includes(algorithm)) return undefined
  const { kty } = given
  const allowed = [...commonMembers, ...ownMembers[kty as string]!]
  if (!Object.keys(given).every((name) => allowed.includes(name))) return undefined
  const own = publicMembers(given)
  if (
    kty !== "RSA" && ![own["x"], own["y"] ?? own["x"]].every((_) => typeof _ === "string" && base64url.isCanonical(_))
  ) {
    return undefined
  }
  const sorted = Object.keys(own).sort().map((name) => [name, own[name]])
  return { jwk: own, thumbprintText: JSON.stringify(Object.fromEntries(sorted)) }
}
