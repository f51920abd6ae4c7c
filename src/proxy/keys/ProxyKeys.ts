/**
 * Derives the keys of the OAuth proxy from its secrets.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as base64url from "../../crypto/Base64Url.ts"
import * as hkdf from "../../crypto/Hkdf.ts"
import * as hmacs from "../../crypto/Hmac.ts"
import type { Sign } from "../../crypto/JwtSigner.ts"
import * as seals from "../../crypto/Seal.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { problemOf } from "./SecretStrength.ts"
import * as signingKeys from "./SigningKey.ts"

/**
 * One secret, or several during a rotation. The first one signs and seals. All of them verify and open.
 *
 * @category models
 * @since 0.1.0
 */
export type Secrets = Redacted.Redacted | ReadonlyArray<Redacted.Redacted>

/**
 * The purposes that can have separate secrets.
 *
 * - `signing`: access tokens.
 * - `refresh`: refresh tokens.
 * - `registration`: the ids of registered clients.
 * - `browser`: cookies and the state of a sign-in.
 * - `records`: all records in the store, with the tokens of upstreams.
 *
 * @category models
 * @since 0.1.0
 */
export type Purpose = "signing" | "refresh" | "registration" | "browser" | "records"

/**
 * The secrets of a proxy: for all purposes, or for each purpose separately.
 *
 * **Details**
 *
 * A secret has at least 32 random bytes, for example the output of `openssl rand -base64 32`. To replace a secret, first add the new
 * one at the end of the list on every instance. Then move it to the front on every instance. In the end remove the old one, which
 * ends everything that it signed.
 *
 * @category models
 * @since 0.1.0
 */
export type ProxySecrets = Secrets | { readonly [P in Purpose]: Secrets }

/** Authenticates texts with HMAC-SHA-256. A tag is 43 characters of base64url. */
export interface Mac {
  /** The id of the first secret. */
  readonly kid: string
  /** Computes the tag of a text with the secret of an id. Returns `undefined` if the list contains no such secret. */
  readonly sign: (kid: string, text: string) => Effect.Effect<string | undefined>
  /** Checks a tag in constant time. Returns `false` for the id of a secret that the list does not contain. */
  readonly verify: (kid: string, text: string, tag: string) => Effect.Effect<boolean>
}

/** Encrypts texts with AES-256-GCM. A sealed text begins with the id of its secret and a dot. */
export interface Seal {
  /** The id of the first secret. */
  readonly kid: string
  /** Encrypts a text with the first secret. The result can be opened only with the same context. */
  readonly seal: (text: string, context: string) => Effect.Effect<string>
  /** Decrypts a text. Returns `undefined` for every text that a listed secret did not seal with this context. */
  readonly open: (sealed: string, context: string) => Effect.Effect<string | undefined>
}

/** The keys of a proxy. */
export interface ProxyKeys {
  /** Signs an access token with the first secret. */
  readonly sign: Sign
  /** The public keys of all secrets, for the key set document and for the gate. */
  readonly publicKeys: ReadonlyArray<signingKeys.PublicJwk>
  /** Returns the authentication of texts of one kind. Each kind has separate keys. */
  readonly mac: (purpose: "refresh" | "registration" | "browser", kind: string) => Mac
  /** Returns the encryption of texts of one kind. Each kind and each salt has separate keys. */
  readonly seal: (purpose: "browser" | "records", kind: string, salt?: string) => Seal
}

/** More secrets than a rotation needs would make every check of an unknown client slower. */
const mostSecrets = 4

const infoOf = (purpose: string, ...kind: ReadonlyArray<string>): string =>
  ["effect-mcp-auth/proxy", purpose, ...kind].join("/")

/**
 * Derives the keys of a proxy. Fails with `AuthConfigError` for a secret that is shorter than 32 bytes or that is not random, for an
 * empty list, and for more than four secrets.
 */
export const make = (secret: ProxySecrets): Effect.Effect<ProxyKeys, AuthConfigError> =>
  Effect.gen(function*() {
    const lists = yield* Effect.fromResult(ConfigOption.attempt(() => listSecrets(secret)))
    const rings = yield* Effect.all({
      refresh: toRing(lists.refresh),
      registration: toRing(lists.registration),
      browser: toRing(lists.browser),
      records: toRing(lists.records)
    })
    const signing = yield* Effect.forEach(lists.signing, (each) => signingKeys.derive(each, infoOf("signing")))
    return {
      sign: signing[0]!.sign,
      publicKeys: signing.map(({ publicJwk }) => publicJwk),
      mac: (purpose, kind) => toMac(rings[purpose], infoOf(purpose, kind)),
      seal: (purpose, kind, salt) => toSeal(rings[purpose], infoOf(purpose, kind), salt)
    }
  })

/** The secrets of one purpose, by their ids. The first entry is the first secret. */
type Ring = ReadonlyMap<string, Redacted.Redacted>

const toRing = (secrets: ReadonlyArray<Redacted.Redacted>): Effect.Effect<Ring> =>
  Effect.map(
    Effect.forEach(
      secrets,
      (secret) => Effect.map(signingKeys.keyId(secret, infoOf("kid")), (kid) => [kid, secret] as const)
    ),
    (entries) => new Map(entries)
  )

const firstOf = (ring: Ring): string => ring.keys().next().value!

const encoder = new TextEncoder()

const toMac = (ring: Ring, info: string): Mac => {
  const derived = new Map<string, hmacs.Hmac>()
  const find = (kid: string): Effect.Effect<hmacs.Hmac | undefined> =>
    Effect.suspend(() => {
      const secret = ring.get(kid)
      const known = derived.get(kid)
      if (secret === undefined || known !== undefined) return Effect.succeed(known)
      return Effect.map(hkdf.derive(secret, info, 32), (bytes) => {
        const hmac = hmacs.make(Redacted.make(bytes))
        derived.set(kid, hmac)
        return hmac
      })
    })
  return {
    kid: firstOf(ring),
    sign: (kid, text) =>
      Effect.flatMap(
        find(kid),
        (hmac) => hmac === undefined ? Effect.undefined : Effect.map(hmac.sign(encoder.encode(text)), base64url.encode)
      ),
    verify: (kid, text, tag) =>
      Effect.flatMap(find(kid), (hmac) => {
        const bytes = base64url.decode(tag)
        return hmac === undefined || bytes === undefined
          ? Effect.succeed(false)
          : hmac.verify(bytes, encoder.encode(text))
      })
  }
}

const toSeal = (ring: Ring, info: string, salt = ""): Seal => {
  const sealWith = (kid: string) => seals.make(ring.get(kid)!, info, salt)
  const kid = firstOf(ring)
  const current = sealWith(kid)
  const others = new Map([[kid, current]])
  return {
    kid,
    seal: (text, context) => Effect.map(current.seal(text, context), (sealed) => `${kid}.${sealed}`),
    open: (sealed, context) => {
      const dot = sealed.indexOf(".")
      const name = sealed.slice(0, Math.max(0, dot))
      if (!ring.has(name)) return Effect.undefined
      const opener = others.get(name) ?? sealWith(name)
      others.set(name, opener)
      return opener.open(sealed.slice(dot + 1), context)
    }
  }
}

/** Checks the secrets, and lists them for each purpose. Throws `AuthConfigError`. */
const listSecrets = (secret: ProxySecrets): Readonly<Record<Purpose, ReadonlyArray<Redacted.Redacted>>> => {
  if (Redacted.isRedacted(secret) || Array.isArray(secret)) {
    const list = checkList(secret as Secrets, "secret")
    return { signing: list, refresh: list, registration: list, browser: list, records: list }
  }
  // The value may be the secret itself, so the error does not show it.
  if (typeof secret !== "object" || secret === null) {
    throw ConfigOption.error("secret", `the value is not in Redacted. Write Redacted.make(secret). ${advice}`)
  }
  ConfigOption.check(secret, "secret", table)
  const separate = secret as Readonly<Record<Purpose, Secrets>>
  const listFor = (purpose: Purpose) => checkList(separate[purpose], `secret.${purpose}`)
  return {
    signing: listFor("signing"),
    refresh: listFor("refresh"),
    registration: listFor("registration"),
    browser: listFor("browser"),
    records: listFor("records")
  }
}

const table: ConfigOption.Table<Purpose> = {
  signing: true,
  refresh: true,
  registration: true,
  browser: true,
  records: true
}

const advice = "Create one with: openssl rand -base64 32"

const checkList = (secrets: unknown, option: string): ReadonlyArray<Redacted.Redacted> => {
  const list: ReadonlyArray<unknown> = Array.isArray(secrets) ? secrets : [secrets]
  if (list.length < 1 || list.length > mostSecrets) {
    throw ConfigOption.error(option, `the list has ${list.length} secrets. List 1 to ${mostSecrets}`)
  }
  const texts = list.map((each, index) => {
    const path = Array.isArray(secrets) ? `${option}[${index}]` : option
    const text = Redacted.isRedacted(each) ? Redacted.value(each) : undefined
    if (typeof text !== "string") throw ConfigOption.error(path, "the value is not a text in Redacted. " + advice)
    const problem = problemOf(text)
    if (problem !== undefined) {
      throw ConfigOption.error(path, `the secret is too weak: ${problem}. ${advice}`, "insecure")
    }
    return text
  })
  if (new Set(texts).size < texts.length) {
    throw ConfigOption.error(option, "the list contains a secret twice. Remove one of them")
  }
  return list as ReadonlyArray<Redacted.Redacted>
}
