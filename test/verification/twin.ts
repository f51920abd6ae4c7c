/** Computes the second valid form of an ECDSA signature. Anyone with the token can do that, without the key. */
import { base64url } from "jose"

const orders = {
  ES256: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  ES384: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n
}

/** Returns the same token with the signature `(r, n − s)`, where `n` is the order of the curve. */
export const twinOf = (token: string, algorithm: keyof typeof orders): string => {
  const end = token.lastIndexOf(".") + 1
  const signature = base64url.decode(token.slice(end))
  const half = signature.length / 2
  const s = BigInt(`0x${Buffer.from(signature.subarray(half)).toString("hex")}`)
  const other = (orders[algorithm] - s).toString(16).padStart(half * 2, "0")
  return token.slice(0, end) + base64url.encode(Buffer.concat([signature.subarray(0, half), Buffer.from(other, "hex")]))
}
