import * as Effect from "effect/Effect"
import { base64url } from "jose"
import { editSegments, type Forgeries, issueWith, type Members, signValid } from "./forge.ts"
import { segment, signSegments } from "./keys.ts"

/** Pads a JSON text until its Base64url has unused bits, and sets one of them. */
const encodeNonCanonically = (value: Members): string => {
  let text = JSON.stringify(value)
  while (new TextEncoder().encode(text).length % 3 === 0) text += " "
  const encoded = base64url.encode(text)
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  return encoded.slice(0, -1) + alphabet[alphabet.indexOf(encoded.at(-1)!) | 1]
}

/** Tokens with headers that change what is signed, and tokens in another format. */
export const formatForgeries = {
  // Headers that change what is signed (RFC 7515 §4.1.11, RFC 7797, RFC 7516)
  "crit": {
    title: "an unknown critical header",
    reason: "critical-header",
    forge: issueWith(() => ({ header: { crit: ["policy"], policy: "strict" } }))
  },
  "crit-empty": {
    title: "an empty list of critical headers",
    reason: "critical-header",
    forge: issueWith(() => ({ header: { crit: [] } }))
  },
  "crit-known": {
    title: "alg as a critical header",
    reason: "critical-header",
    forge: issueWith(() => ({ header: { crit: ["alg"] } }))
  },
  "crit-b64": {
    title: "claims without encoding (b64: false)",
    reason: "critical-header",
    forge: issueWith(() => ({ header: { crit: ["b64"], b64: false } }))
  },
  "zip": {
    title: "compressed content",
    reason: "critical-header",
    forge: issueWith(() => ({ header: { zip: "DEF" } }))
  },

  // The form (RFC 7515 §7.1)
  "opaque": { title: "not a JWT", reason: "malformed", forge: () => Effect.succeed("b3BhcXVlLXRva2Vu") },
  "two-parts": {
    title: "only header and claims",
    reason: "malformed",
    forge: editSegments(([header, claims]) => `${header}.${claims}`)
  },
  "four-parts": {
    title: "one segment too many",
    reason: "malformed",
    forge: editSegments((parts) => `${parts.join(".")}.${parts[2]}`)
  },
  "encrypted": {
    title: "five parts, as if encrypted",
    reason: "malformed",
    forge: editSegments(([, claims, signature]) =>
      `${segment({ alg: "RSA-OAEP", enc: "A256GCM" })}.${signature}.${signature}.${claims}.${signature}`
    )
  },
  "nested": {
    title: "a token inside a token",
    reason: "malformed",
    forge: (input) =>
      Effect.flatMap(signValid(input), (parts) =>
        signSegments(
          input.key,
          segment({ ...input.header, cty: "JWT" }),
          segment(new TextEncoder().encode(parts.join(".")))
        ))
  },
  "dot-behind": {
    title: "a dot after the signature",
    reason: "malformed",
    forge: editSegments((parts) => `${parts.join(".")}.`)
  },
  "padded": {
    title: "Base64 padding after the signature",
    reason: "malformed",
    forge: editSegments((parts) => `${parts.join(".")}==`)
  },
  "not-canonical": {
    title: "a valid signature in a non-canonical base64url spelling",
    reason: "malformed",
    forge: ({ claims, header, key }) => signSegments(key, encodeNonCanonically(header), segment(claims))
  },
  "claims-not-an-object": {
    title: "claims that are a list",
    reason: "malformed",
    forge: ({ claims, header, key }) => signSegments(key, segment(header), segment([claims]))
  },
  "not-utf8": {
    title: "claims that are not UTF-8",
    reason: "malformed",
    forge: ({ header, key }) =>
      signSegments(key, segment(header), segment(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])))
  },
  "too-large": {
    title: "more than 16 KiB",
    reason: "too-large",
    forge: issueWith(() => ({ claims: { padding: "x".repeat(16 * 1024) } }))
  }
} as const satisfies Forgeries
