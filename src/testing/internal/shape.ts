import type { Algorithm } from "../../crypto/Algorithm.ts"

/**
 * The values from which a shape creates a token.
 *
 * @category models
 * @since 0.1.0
 */
export interface Content {
  readonly issuer: string
  /** The requested audience. */
  readonly audience: string | ReadonlyArray<string>
  readonly subject: string
  readonly clientId: string
  readonly scopes: ReadonlyArray<string>
  /** In seconds since 1970, as is `expiresAt`. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly id: string
  /** Whether the token belongs to a client without a user (client credentials). */
  readonly machine: boolean
}

export type Members = Readonly<Record<string, unknown>>

/**
 * The shape of the tokens of a provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenShape {
  readonly title: string
  /**
   * The source of the shape: an observed token (`"seen"`), the documentation of the provider (`"documented"`), integrations in
   * public repositories (`"public-code"`), or none of these (`"general-knowledge"`).
   */
  readonly confidence: "seen" | "documented" | "public-code" | "general-knowledge"
  /** An issuer URL in the form of the provider. */
  readonly issuer: string
  /** The claim `iss`, if it differs from the issuer. */
  readonly tokenIssuer?: string | undefined
  readonly algorithm: Algorithm
  /** Creates an opaque token; `undefined` for JWTs. */
  readonly opaque?: ((content: Content) => string) | undefined
  /** The header members other than `alg` and `kid`. */
  readonly header: Members
  /** Creates the claims of an access token, or the introspection response of an opaque one; `undefined` omits a claim. */
  readonly claims: (content: Content) => Members
  /**
   * Creates claims for an ID token. They are added to the standard claims (`iss`, `sub`, `aud`, `iat`, `exp`, `nonce`), or
   * replace those of the same name.
   */
  readonly idToken?: ((content: Content) => Members) | undefined
  /** Members to add to the metadata or to replace in it; `undefined` omits a member. */
  readonly metadata?: Members | undefined
  /** Members to add to every public key or to replace in it; `undefined` omits a member. */
  readonly jwk?: Members | undefined
}

/** Shapes by provider. */
export type Shapes = Readonly<Record<string, TokenShape>>

export const getTimes = ({ expiresAt, issuedAt }: Content) => ({ iat: issuedAt, exp: expiresAt })

/** Returns the user, or the client if the token has no user. */
export const getSubjectOrClient = ({ clientId, machine, subject }: Content) => machine ? clientId : subject

export const getScope = ({ scopes }: Content) => scopes.length === 0 ? undefined : scopes.join(" ")

export const makeUuid = (seed: string) => {
  const hex = makeText(seed, 32, "0123456789abcdef")
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}

/** Creates random-looking text that depends only on the seed, so that tests are repeatable. Not a secret. */
export const makeText = (
  seed: string,
  length: number,
  alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
) => {
  let state = 2166136261
  for (const character of seed) state = Math.imul(state ^ character.codePointAt(0)!, 16777619)
  let text = ""
  while (text.length < length) {
    state = Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9
    text += alphabet[(state >>> 0) % alphabet.length]
  }
  return text
}

export const withoutPkce = { code_challenge_methods_supported: undefined }

/** Creates the claims of RFC 9068 §2.2. */
export const makeRfc9068Claims = (content: Content): Members => ({
  iss: content.issuer,
  sub: getSubjectOrClient(content),
  aud: content.audience,
  client_id: content.clientId,
  ...getTimes(content),
  jti: content.id,
  scope: getScope(content)
})
