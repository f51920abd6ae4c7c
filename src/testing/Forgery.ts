/**
 * Common forgeries of JWT access tokens. Each passes a verifier that omits one check.
 *
 * **Details**
 *
 * Each forgery has the reason for which it must be rejected. The security tests of this library use the same table as
 * `TestIssuer.mintBroken`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import { base64url, exportSPKI } from "jose"
import type { Algorithm } from "../crypto/Algorithm.ts"
import type { InvalidTokenReason } from "../protocol/AuthError.ts"
import { defined, type KeyPair, segment, signSegments } from "./internal/keys.ts"

/**
 * The input of a forgery: a valid token, and the keys.
 *
 * @category models
 * @since 0.1.0
 */
export interface ForgeryInput {
  readonly issuer: string
  readonly resource: string
  readonly algorithm: Algorithm
  /** The time of the issuer, in seconds since 1970. */
  readonly now: number
  /** The header and the claims of the valid token. */
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
  /** The key of the issuer. A forger knows only the public key; faulty tokens of the issuer use the private key. */
  readonly key: KeyPair
  /** A key of the forger, for the same algorithm. */
  readonly untrustedKey: Effect.Effect<KeyPair>
}

/**
 * A forgery.
 *
 * @category models
 * @since 0.1.0
 */
export interface Forgery {
  /** The fault, in one line. */
  readonly title: string
  /** The reason for which a verifier must reject it. */
  readonly reason: InvalidTokenReason
  readonly forge: (workshop: ForgeryInput) => Effect.Effect<string>
}

type Members = Readonly<Record<string, unknown>>

/** Letters that resemble Latin letters. */
const cyrillic: Readonly<Record<string, string>> = {
  a: "\u0430",
  c: "\u0441",
  e: "\u0435",
  o: "\u043e",
  p: "\u0440",
  s: "\u0455"
}

/** Signs other members with the key of the issuer; `undefined` removes a member. */
const issued =
  (change: (workshop: ForgeryInput) => { readonly header?: Members; readonly claims?: Members }) =>
  (workshop: ForgeryInput): Effect.Effect<string> => {
    const { claims, header } = change(workshop)
    return signSegments(
      workshop.key,
      segment(defined({ ...workshop.header, ...header })),
      segment(defined({ ...workshop.claims, ...claims }))
    )
  }

/**
 * Issued two minutes ago, before the verifier last fetched the keys. The key of a newer token could have been published since, and
 * the server answers 503 to it during the cooldown.
 */
const old = ({ claims, now }: ForgeryInput): Members => typeof claims["iat"] === "number" ? { iat: now - 120 } : {}

/** Signs with the key of the forger. */
const forged = (header: (untrustedKey: KeyPair) => Members) => (workshop: ForgeryInput): Effect.Effect<string> =>
  Effect.flatMap(workshop.untrustedKey, (untrustedKey) =>
    signSegments(
      untrustedKey,
      segment(defined({ ...workshop.header, ...header(untrustedKey) })),
      segment({ ...workshop.claims, ...old(workshop), sub: "admin" })
    ))

/** Creates the parts of the valid token. */
const good = (workshop: ForgeryInput): Effect.Effect<readonly [string, string, string]> =>
  Effect.map(
    signSegments(workshop.key, segment(workshop.header), segment(workshop.claims)),
    (token) => token.split(".") as [string, string, string]
  )

const edited =
  (edit: (parts: readonly [string, string, string], workshop: ForgeryInput) => string) =>
  (workshop: ForgeryInput): Effect.Effect<string> => Effect.map(good(workshop), (parts) => edit(parts, workshop))

/** Signs with HS256, or with the HMAC algorithm in the header. */
const withHmac =
  (secret: (key: KeyPair) => Promise<string | Uint8Array>) => (workshop: ForgeryInput): Effect.Effect<string> =>
    Effect.promise(async () => {
      const named = String(workshop.header["alg"])
      const alg = named.startsWith("HS") ? named : "HS256"
      const input = `${segment({ ...workshop.header, alg })}.${segment({ ...workshop.claims, sub: "admin" })}`
      const bytes = new TextEncoder()
      const chosen = await secret(workshop.key)
      const key = await crypto.subtle.importKey(
        "raw",
        typeof chosen === "string" ? bytes.encode(chosen) : chosen as Uint8Array<ArrayBuffer>,
        { name: "HMAC", hash: `SHA-${alg.slice(2)}` },
        false,
        ["sign"]
      )
      const signature = await crypto.subtle.sign("HMAC", key, bytes.encode(input))
      return `${input}.${base64url.encode(new Uint8Array(signature))}`
    })

const unsigned = (alg: string) => ({ claims, header }: ForgeryInput): Effect.Effect<string> =>
  Effect.succeed(`${segment({ ...header, alg })}.${segment({ ...claims, sub: "admin" })}.`)

const otherFamily = (algorithm: Algorithm): Algorithm => algorithm.startsWith("RS") ? "ES256" : "RS256"

/** Pads a JSON text until its Base64url has unused bits, and sets one of them. */
const nonCanonical = (value: Members): string => {
  let text = JSON.stringify(value)
  while (new TextEncoder().encode(text).length % 3 === 0) text += " "
  const encoded = base64url.encode(text)
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  return encoded.slice(0, -1) + alphabet[alphabet.indexOf(encoded.at(-1)!) | 1]
}

/** Converts an ECDSA signature of a JWS (RFC 7518 §3.4) to DER (RFC 3279 §2.2.3). */
const der = (signature: Uint8Array): Uint8Array => {
  const middle = signature.length / 2
  return element(0x30, [...integer(signature.subarray(0, middle)), ...integer(signature.subarray(middle))])
}

/** Encodes a positive integer in as few bytes as possible. The first bit of the first byte is the sign. */
const integer = (bytes: Uint8Array): Uint8Array => {
  const first = bytes.findIndex((byte) => byte !== 0)
  const digits = first === -1 ? Uint8Array.of(0) : bytes.subarray(first)
  return element(0x02, digits[0]! < 0x80 ? digits : [0, ...digits])
}

const element = (tag: number, content: ArrayLike<number> & Iterable<number>): Uint8Array => {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Uint8Array.of(tag, ...size, ...content)
}

const flipped = (text: string): string => (text.startsWith("A") ? "B" : "A") + text.slice(1)

const table = {
  // The algorithm (RFC 8725 §2.1, §3.1)
  "alg-none": { title: "unsigned, alg none", reason: "algorithm", forge: unsigned("none") },
  "alg-none-spelled-otherwise": { title: "unsigned, alg nOnE", reason: "algorithm", forge: unsigned("nOnE") },
  "alg-none-signed": {
    title: "alg none, with the signature of a valid token",
    reason: "algorithm",
    forge: edited(([, claims, signature], { header }) =>
      `${segment({ ...header, alg: "none" })}.${claims}.${signature}`
    )
  },
  "alg-missing": {
    title: "no alg",
    reason: "algorithm",
    forge: issued(() => ({ header: { alg: undefined } }))
  },
  "hmac-with-public-key": {
    title: "HS256, with the issuer's public key (PEM) as the secret",
    reason: "algorithm",
    forge: withHmac(({ publicKey }) => exportSPKI(publicKey))
  },
  "hmac-with-jwk": {
    title: "HS256, with the issuer's public JWK as the secret",
    reason: "algorithm",
    forge: withHmac(({ publicJwk }) => Promise.resolve(JSON.stringify(publicJwk)))
  },
  "hmac-with-der": {
    title: "HS256, with the issuer's public key (DER) as the secret",
    reason: "algorithm",
    forge: withHmac(async ({ publicKey }) => new Uint8Array(await crypto.subtle.exportKey("spki", publicKey as never)))
  },
  "hmac-with-number": {
    title: "HS256, with the modulus or the x coordinate of the issuer's public key as the secret",
    reason: "algorithm",
    forge: withHmac(({ publicJwk }) => Promise.resolve(base64url.decode(publicJwk.n ?? publicJwk.x ?? "")))
  },
  "hmac-with-number-as-text": {
    title: "HS256, with that number as the JWK encodes it",
    reason: "algorithm",
    forge: withHmac(({ publicJwk }) => Promise.resolve(publicJwk.n ?? publicJwk.x ?? ""))
  },
  "alg-swapped": {
    title: "an algorithm of another family than the key",
    reason: "unknown-key",
    forge: issued(({ algorithm }) => ({ header: { alg: otherFamily(algorithm) } }))
  },

  // The signature
  "signature-missing": {
    title: "a valid token without its signature",
    reason: "signature",
    forge: edited(([header, claims]) => `${header}.${claims}.`)
  },
  "signature-changed": {
    title: "one character of the signature changed",
    reason: "signature",
    forge: edited(([header, claims, signature]) => `${header}.${claims}.${flipped(signature)}`)
  },
  "signature-zero": {
    title: "a signature of zeros (\"psychic signature\")",
    reason: "signature",
    forge: edited(([header, claims, signature]) =>
      `${header}.${claims}.${base64url.encode(new Uint8Array(base64url.decode(signature).length))}`
    )
  },
  "signature-der": {
    title: "a valid signature encoded in DER, as other protocols write it",
    reason: "signature",
    forge: edited(([header, claims, signature]) =>
      `${header}.${claims}.${base64url.encode(der(base64url.decode(signature)))}`
    )
  },
  "claims-changed": {
    title: "the subject changed under a valid signature",
    reason: "signature",
    forge: edited(([header, , signature], { claims }) =>
      `${header}.${segment({ ...claims, sub: "admin" })}.${signature}`
    )
  },
  "header-changed": {
    title: "the header changed under a valid signature",
    reason: "signature",
    forge: edited(([, claims, signature], { header }) =>
      `${segment({ ...header, forged: true })}.${claims}.${signature}`
    )
  },

  // The key (RFC 8725 §2.6, §3.10; RFC 7515 §4.1.2–4.1.8)
  "stranger-same-kid": {
    title: "an attacker's key under the issuer's kid",
    reason: "signature",
    forge: forged(() => ({}))
  },
  "stranger-own-kid": {
    title: "an attacker's key under another kid",
    reason: "unknown-key",
    forge: forged(({ kid }) => ({ kid }))
  },
  "stranger-no-kid": {
    title: "an attacker's key without a kid",
    reason: "signature",
    forge: forged(() => ({ kid: undefined }))
  },
  "embedded-jwk": {
    title: "an attacker's key in the jwk header",
    reason: "signature",
    forge: forged(({ publicJwk }) => ({ kid: undefined, jwk: publicJwk }))
  },
  "embedded-jwk-same-kid": {
    title: "an attacker's key in the jwk header, under the issuer's kid",
    reason: "signature",
    forge: (workshop) => forged(({ publicJwk }) => ({ jwk: { ...publicJwk, kid: workshop.key.kid } }))(workshop)
  },
  "jku": {
    title: "a jku header that names an attacker's key set",
    reason: "unknown-key",
    forge: forged(({ kid }) => ({ kid, jku: "https://stranger.test/jwks" }))
  },
  "x5u": {
    title: "an x5u header that names an attacker's certificate",
    reason: "unknown-key",
    forge: forged(({ kid }) => ({ kid, x5u: "https://stranger.test/chain.pem" }))
  },
  "x5c": {
    title: "an attacker's certificate in the x5c header",
    reason: "unknown-key",
    forge: forged(({ kid }) => ({ kid, x5c: ["MIIBgTCCASegAwIBAgIUQ2VydGlmaWNhdGUgb2YgYSBzdHJhbmdlcg=="] }))
  },
  "kid-path": {
    title: "a kid with a path traversal",
    reason: "unknown-key",
    forge: forged(() => ({ kid: "../../../../../../dev/null" }))
  },
  "kid-query": {
    title: "a kid with an SQL injection",
    reason: "unknown-key",
    forge: forged(() => ({ kid: "x' UNION SELECT 'key' -- " }))
  },
  "kid-url": {
    title: "a kid that is a URL",
    reason: "unknown-key",
    forge: forged(() => ({ kid: "https://stranger.test/jwks" }))
  },
  "kid-line-break": {
    title: "a kid that begins another header",
    reason: "unknown-key",
    forge: forged(() => ({ kid: "x\r\nset-cookie: a=b" }))
  },
  "kid-long": {
    title: "a kid of ten thousand characters",
    reason: "unknown-key",
    forge: forged(() => ({ kid: "k".repeat(10_000) }))
  },
  "kid-prototype": {
    title: "a kid named like a member of every object",
    reason: "unknown-key",
    forge: forged(() => ({ kid: "constructor" }))
  },
  "kid-not-a-string": {
    title: "a kid that is a list",
    reason: "malformed",
    forge: issued(({ key }) => ({ header: { kid: [key.kid] } }))
  },

  // Headers that change what is signed (RFC 7515 §4.1.11, RFC 7797, RFC 7516)
  "crit": {
    title: "an unknown critical header",
    reason: "critical-header",
    forge: issued(() => ({ header: { crit: ["policy"], policy: "strict" } }))
  },
  "crit-empty": {
    title: "an empty list of critical headers",
    reason: "critical-header",
    forge: issued(() => ({ header: { crit: [] } }))
  },
  "crit-known": {
    title: "alg as a critical header",
    reason: "critical-header",
    forge: issued(() => ({ header: { crit: ["alg"] } }))
  },
  "crit-b64": {
    title: "claims without encoding (b64: false)",
    reason: "critical-header",
    forge: issued(() => ({ header: { crit: ["b64"], b64: false } }))
  },
  "zip": { title: "compressed content", reason: "critical-header", forge: issued(() => ({ header: { zip: "DEF" } })) },

  // The form (RFC 7515 §7.1)
  "opaque": { title: "not a JWT", reason: "malformed", forge: () => Effect.succeed("b3BhcXVlLXRva2Vu") },
  "two-parts": {
    title: "only header and claims",
    reason: "malformed",
    forge: edited(([header, claims]) => `${header}.${claims}`)
  },
  "four-parts": {
    title: "one segment too many",
    reason: "malformed",
    forge: edited((parts) => `${parts.join(".")}.${parts[2]}`)
  },
  "encrypted": {
    title: "five parts, as if encrypted",
    reason: "malformed",
    forge: edited(([, claims, signature]) =>
      `${segment({ alg: "RSA-OAEP", enc: "A256GCM" })}.${signature}.${signature}.${claims}.${signature}`
    )
  },
  "nested": {
    title: "a token inside a token",
    reason: "malformed",
    forge: (workshop) =>
      Effect.flatMap(good(workshop), (parts) =>
        signSegments(
          workshop.key,
          segment({ ...workshop.header, cty: "JWT" }),
          segment(new TextEncoder().encode(parts.join(".")))
        ))
  },
  "dot-behind": {
    title: "a dot after the signature",
    reason: "malformed",
    forge: edited((parts) => `${parts.join(".")}.`)
  },
  "padded": {
    title: "Base64 padding after the signature",
    reason: "malformed",
    forge: edited((parts) => `${parts.join(".")}==`)
  },
  "not-canonical": {
    title: "a valid signature in a non-canonical base64url spelling",
    reason: "malformed",
    forge: ({ claims, header, key }) => signSegments(key, nonCanonical(header), segment(claims))
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
    forge: issued(() => ({ claims: { padding: "x".repeat(16 * 1024) } }))
  },

  // Another kind of token (RFC 8725 §3.11, RFC 9068 §4)
  "id-token": {
    title: "an ID token whose client has the identifier of the resource",
    reason: "id-token",
    forge: issued(({ now }) => ({
      header: { typ: "JWT" },
      claims: { client_id: undefined, scope: undefined, nonce: "n-0S6_WzA2Mj", auth_time: now }
    }))
  },
  "id-token-with-scope": {
    title: "an ID token with a scope",
    reason: "id-token",
    forge: issued(() => ({ header: { typ: "JWT" }, claims: { at_hash: "MTIzNDU2Nzg5MDEyMzQ1Ng", scope: "openid" } }))
  },
  "refresh-token": {
    title: "a refresh token with claims of an access token",
    reason: "token-type",
    forge: issued(() => ({ header: { typ: "JWT" }, claims: { token_use: "refresh" } }))
  },
  "refresh-token-of-keycloak": {
    title: "a refresh token by its claim typ",
    reason: "token-type",
    forge: issued(() => ({ header: { typ: "JWT" }, claims: { typ: "Refresh" } }))
  },
  "logout-token": {
    title: "a logout token",
    reason: "token-type",
    forge: issued(() => ({
      header: { typ: "logout+jwt" },
      claims: { events: { "http://schemas.openid.net/event/backchannel-logout": {} } }
    }))
  },
  "identity-assertion": {
    title: "an ID-JAG, which is for authorization servers",
    reason: "token-type",
    forge: issued(() => ({ header: { typ: "oauth-id-jag+jwt" } }))
  },
  "typ-missing": {
    title: "no typ, and no claim of an access token",
    reason: "token-type",
    forge: issued(() => ({ header: { typ: undefined }, claims: { client_id: undefined, scope: undefined } }))
  },
  "typ-not-a-string": {
    title: "a typ that is a list",
    reason: "token-type",
    forge: issued(() => ({ header: { typ: ["at+jwt"] } }))
  },

  // The times (RFC 7519 §4.1.4–4.1.6)
  "expired": {
    title: "expired a moment ago",
    reason: "expired",
    forge: issued(({ now }) => ({ claims: { iat: now - 300, exp: now } }))
  },
  "exp-missing": { title: "never expires", reason: "expiry", forge: issued(() => ({ claims: { exp: undefined } })) },
  "exp-not-a-number": {
    title: "an exp that is a string",
    reason: "expiry",
    forge: issued(({ now }) => ({ claims: { exp: String(now + 300) } }))
  },
  "exp-infinite": {
    title: "an exp that is not finite",
    reason: "expiry",
    forge: ({ claims, header, key }) =>
      signSegments(
        key,
        segment(header),
        base64url.encode(JSON.stringify({ ...claims, exp: 0 }).replace("\"exp\":0", "\"exp\":1e400"))
      )
  },
  "exp-null": { title: "an exp that is null", reason: "expiry", forge: issued(() => ({ claims: { exp: null } })) },
  "not-yet-valid": {
    title: "valid in five minutes",
    reason: "not-yet-valid",
    forge: issued(({ now }) => ({ claims: { nbf: now + 300, exp: now + 600 } }))
  },
  "issued-in-the-future": {
    title: "issued in five minutes",
    reason: "issued-in-the-future",
    forge: issued(({ now }) => ({ claims: { iat: now + 300, exp: now + 600 } }))
  },

  // The audience (RFC 9068 §4, RFC 8707)
  "audience-other": {
    title: "issued for another server",
    reason: "audience",
    forge: issued(() => ({ claims: { aud: "https://other.test/mcp" } }))
  },
  "audience-missing": {
    title: "no audience",
    reason: "audience",
    forge: issued(() => ({ claims: { aud: undefined } }))
  },
  "audience-empty": { title: "an empty audience", reason: "audience", forge: issued(() => ({ claims: { aud: [] } })) },
  "audience-client": {
    title: "issued for its client, as an ID token is",
    reason: "audience",
    forge: issued(({ claims }) => ({ claims: { aud: claims["client_id"] } }))
  },
  "audience-longer": {
    title: "an audience that starts with the resource",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: `${resource}.evil.test` } }))
  },
  "audience-shorter": {
    title: "an audience that is a prefix of the resource",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: resource.slice(0, -1) } }))
  },
  "audience-slash": {
    title: "a slash after the resource",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: `${resource}/` } }))
  },
  "audience-upper-case": {
    title: "the resource in capital letters",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: resource.toUpperCase() } }))
  },
  "audience-space": {
    title: "a space after the resource",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: `${resource} ` } }))
  },
  "audience-zero-width": {
    title: "an invisible character after the resource",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: `${resource}\u200b` } }))
  },
  "audience-percent": {
    title: "the resource with a letter of its path percent-encoded",
    reason: "audience",
    forge: issued(({ resource }) => ({
      claims: { aud: resource.slice(0, -1) + `%${resource.charCodeAt(resource.length - 1).toString(16)}` }
    }))
  },
  "audience-origin": {
    title: "the origin of the resource",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: new URL(resource).origin } }))
  },
  "audience-object": {
    title: "an object that resembles a list",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: { 0: resource, length: 1, includes: 1 } } }))
  },
  "audience-not-strings": {
    title: "a list with the resource and an object",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: [resource, {}] } }))
  },
  "audience-nested": {
    title: "a list within a list",
    reason: "audience",
    forge: issued(({ resource }) => ({ claims: { aud: [[resource]] } }))
  },

  // The issuer (RFC 8725 §3.8, RFC 9068 §4)
  "issuer-other": {
    title: "another issuer, under the keys of this one",
    reason: "unknown-issuer",
    forge: issued(() => ({ claims: { iss: "https://stranger.test" } }))
  },
  "issuer-missing": {
    title: "no issuer",
    reason: "unknown-issuer",
    forge: issued(() => ({ claims: { iss: undefined } }))
  },
  "issuer-slash": {
    title: "the issuer with one slash more or less",
    reason: "unknown-issuer",
    forge: issued(({ issuer }) => ({ claims: { iss: issuer.endsWith("/") ? issuer.slice(0, -1) : `${issuer}/` } }))
  },
  "issuer-list": {
    title: "a list with the issuer",
    reason: "unknown-issuer",
    forge: issued(({ issuer }) => ({ claims: { iss: [issuer] } }))
  },
  "issuer-longer": {
    title: "an issuer that starts with the valid one",
    reason: "unknown-issuer",
    forge: issued(({ issuer }) => ({ claims: { iss: `${issuer}.evil.test` } }))
  },
  "issuer-upper-case": {
    title: "the issuer in capital letters",
    reason: "unknown-issuer",
    forge: issued(({ issuer }) => ({ claims: { iss: issuer.toUpperCase() } }))
  },
  "issuer-port": {
    title: "the issuer with the default port",
    reason: "unknown-issuer",
    forge: issued(({ issuer }) => {
      const { host, pathname, protocol } = new URL(issuer)
      return { claims: { iss: `${protocol}//${host}:443${pathname}` } }
    })
  },
  "issuer-user": {
    title: "the issuer as the user of another host",
    reason: "unknown-issuer",
    forge: issued(({ issuer }) => ({ claims: { iss: `https://${new URL(issuer).host}@evil.test` } }))
  },
  "issuer-look-alike": {
    title: "the issuer with a Cyrillic letter",
    reason: "unknown-issuer",
    // Every issuer has one of these letters: it begins with "http".
    forge: issued(({ issuer }) => ({
      claims: { iss: issuer.replace(/[aceops](?=[^aceops]*$)/, (letter) => cyrillic[letter]!) }
    }))
  },
  "issuer-prototype": {
    title: "an issuer named like a member of every object",
    reason: "unknown-issuer",
    forge: issued(() => ({ claims: { iss: "constructor" } }))
  },

  // The subject
  "subject-missing": { title: "no subject", reason: "subject", forge: issued(() => ({ claims: { sub: undefined } })) },
  "subject-empty": { title: "an empty subject", reason: "subject", forge: issued(() => ({ claims: { sub: "" } })) },
  "subject-not-a-string": {
    title: "a subject that is a number",
    reason: "subject",
    forge: issued(() => ({ claims: { sub: 1 } }))
  },
  "subject-null": {
    title: "a subject that is null",
    reason: "subject",
    forge: issued(() => ({ claims: { sub: null } }))
  },
  "subject-control": {
    title: "a subject with a NUL character",
    reason: "subject",
    forge: issued(() => ({ claims: { sub: "admin\u0000" } }))
  },
  "subject-from-prototype": {
    title: "a subject inside __proto__",
    reason: "subject",
    forge: ({ claims, header, key }) => {
      const text = JSON.stringify(defined({ ...claims, sub: undefined }))
      return signSegments(key, segment(header), base64url.encode(`{"__proto__":{"sub":"admin"},${text.slice(1)}`))
    }
  },
  "client-not-a-string": {
    title: "a client identifier that is a list",
    reason: "client-id",
    forge: issued(({ claims }) => ({ claims: { client_id: [claims["client_id"]] } }))
  },
  "scope-not-a-string": {
    title: "a scope that is an object",
    reason: "scope",
    forge: issued(() => ({ claims: { scope: { admin: true } } }))
  },
  "bound-to-key": {
    title: "a token bound to a key, stolen and sent as a bearer token",
    reason: "bound-to-key",
    forge: issued(() => ({ claims: { cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } } }))
  }
} as const satisfies Readonly<Record<string, Forgery>>

/**
 * The name of a forgery.
 *
 * @category models
 * @since 0.1.0
 */
export type Kind = keyof typeof table

/**
 * The forgeries, by name.
 *
 * **Example** (All forgeries)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Forgery, TestIssuer } from "effect-mcp-auth/testing"
 *
 * const tokens = Effect.gen(function*() {
 *   const issuer = yield* TestIssuer.TestIssuer
 *   return yield* Effect.forEach(Forgery.kinds, (kind) => issuer.mintBroken(kind))
 * })
 * ```
 *
 * @category constants
 * @since 0.1.0
 */
export const forgeries: Readonly<Record<Kind, Forgery>> = table

/**
 * The names of the forgeries, in the order of the table.
 *
 * @category constants
 * @since 0.1.0
 */
export const kinds: ReadonlyArray<Kind> = Object.keys(table) as Array<Kind>
