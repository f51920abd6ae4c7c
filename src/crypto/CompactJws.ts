import * as base64url from "./Base64Url.ts"

/** Contains the parts of a signed JWT. The header and the claims are decoded, but nothing is verified. */
export interface CompactJws {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  readonly signature: string
}

/**
 * Decodes a signed JWT in compact form (RFC 7515 §7.1). Returns `undefined` unless the text has three canonical segments and
 * the first two contain JSON objects.
 */
export const decode = (text: string): CompactJws | undefined => {
  const [first = "", second = "", signature, ...others] = text.split(".", 4)
  if (signature === undefined || others.length > 0 || !base64url.isCanonical(signature)) return undefined
  const header = base64url.decodeJsonObject(first)
  const claims = header === undefined ? undefined : base64url.decodeJsonObject(second)
  return header === undefined || claims === undefined ? undefined : { header, claims, signature }
}

/**
 * Tells whether a header has a parameter that is not supported. `crit` lists extensions that a recipient must understand (RFC
 * 7515 §4.1.11), `b64` changes the signed content (RFC 7797 §7), and `zip` and `enc` belong to encrypted tokens.
 */
export const hasUnsupportedHeader = (header: Readonly<Record<string, unknown>>): boolean =>
  ["crit", "b64", "zip", "enc"].some((name) => Object.hasOwn(header, name))
