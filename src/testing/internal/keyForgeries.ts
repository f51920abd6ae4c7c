import { type Forgeries, forgeWith, issueWith } from "./forge.ts"

/**
 * Tokens whose header contains or names a key of an attacker, and tokens with a malformed key identifier (RFC 8725 §2.6, §3.10;
 * RFC 7515 §4.1.2–4.1.8).
 */
export const keyForgeries = {
  "attacker-same-kid": {
    title: "an attacker's key under the issuer's kid",
    reason: "signature",
    forge: forgeWith(() => ({}))
  },
  "attacker-other-kid": {
    title: "an attacker's key under another kid",
    reason: "unknown-key",
    forge: forgeWith(({ kid }) => ({ kid }))
  },
  "attacker-no-kid": {
    title: "an attacker's key without a kid",
    reason: "signature",
    forge: forgeWith(() => ({ kid: undefined }))
  },
  "embedded-jwk": {
    title: "an attacker's key in the jwk header",
    reason: "signature",
    forge: forgeWith(({ publicJwk }) => ({ kid: undefined, jwk: publicJwk }))
  },
  "embedded-jwk-same-kid": {
    title: "an attacker's key in the jwk header, under the issuer's kid",
    reason: "signature",
    forge: (input) => forgeWith(({ publicJwk }) => ({ jwk: { ...publicJwk, kid: input.key.kid } }))(input)
  },
  "jku": {
    title: "a jku header that names an attacker's key set",
    reason: "unknown-key",
    forge: forgeWith(({ kid }) => ({ kid, jku: "https://attacker.test/jwks" }))
  },
  "x5u": {
    title: "an x5u header that names an attacker's certificate",
    reason: "unknown-key",
    forge: forgeWith(({ kid }) => ({ kid, x5u: "https://attacker.test/chain.pem" }))
  },
  "x5c": {
    title: "an attacker's certificate in the x5c header",
    reason: "unknown-key",
    forge: forgeWith(({ kid }) => ({ kid, x5c: ["MIIBgTCCASegAwIBAgIUQ2VydGlmaWNhdGUgb2YgYSBzdHJhbmdlcg=="] }))
  },
  "kid-path": {
    title: "a kid with a path traversal",
    reason: "unknown-key",
    forge: forgeWith(() => ({ kid: "../../../../../../dev/null" }))
  },
  "kid-query": {
    title: "a kid with an SQL injection",
    reason: "unknown-key",
    forge: forgeWith(() => ({ kid: "x' UNION SELECT 'key' -- " }))
  },
  "kid-url": {
    title: "a kid that is a URL",
    reason: "unknown-key",
    forge: forgeWith(() => ({ kid: "https://attacker.test/jwks" }))
  },
  "kid-line-break": {
    title: "a kid that begins another header",
    reason: "unknown-key",
    forge: forgeWith(() => ({ kid: "x\r\nset-cookie: a=b" }))
  },
  "kid-long": {
    title: "a kid of ten thousand characters",
    reason: "unknown-key",
    forge: forgeWith(() => ({ kid: "k".repeat(10_000) }))
  },
  "kid-prototype": {
    title: "a kid named like a member of every object",
    reason: "unknown-key",
    forge: forgeWith(() => ({ kid: "constructor" }))
  },
  "kid-not-a-string": {
    title: "a kid that is a list",
    reason: "malformed",
    forge: issueWith(({ key }) => ({ header: { kid: [key.kid] } }))
  }
} as const satisfies Forgeries
