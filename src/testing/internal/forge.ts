import * as Effect from "effect/Effect"
import type { Algorithm } from "../../crypto/Algorithm.ts"
import type { InvalidTokenReason } from "../../protocol/AuthError.ts"
import { defined, type KeyPair, segment, signSegments } from "./keys.ts"

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
  /**
   * The key of the issuer. Forgeries by an attacker use only the public key, or change a valid token that the private key
   * signed. Faulty tokens of the issuer use the private key.
   */
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
  /** The reason for which a verifier must reject the token. */
  readonly reason: InvalidTokenReason
  readonly forge: (input: ForgeryInput) => Effect.Effect<string>
}

/** Forgeries by name. */
export type Forgeries = Readonly<Record<string, Forgery>>

export type Members = Readonly<Record<string, unknown>>

/** Changes members of the valid token, and signs it with the key of the issuer; `undefined` removes a member. */
export const issueWith =
  (change: (input: ForgeryInput) => { readonly header?: Members; readonly claims?: Members }) =>
  (input: ForgeryInput): Effect.Effect<string> => {
    const { claims, header } = change(input)
    return signSegments(
      input.key,
      segment(defined({ ...input.header, ...header })),
      segment(defined({ ...input.claims, ...claims }))
    )
  }

/**
 * Sets an existing `iat` to two minutes ago, so that the token is older than the key set that the verifier fetched. During the
 * cooldown, the server answers 503 to a newer token with an unknown key, because the issuer may have published the key since
 * the fetch.
 */
const backdate = ({ claims, now }: ForgeryInput): Members => typeof claims["iat"] === "number" ? { iat: now - 120 } : {}

/** Changes members of the header, sets the subject to `admin`, and signs with the key of the forger. */
export const forgeWith = (header: (untrustedKey: KeyPair) => Members) => (input: ForgeryInput): Effect.Effect<string> =>
  Effect.flatMap(input.untrustedKey, (untrustedKey) =>
    signSegments(
      untrustedKey,
      segment(defined({ ...input.header, ...header(untrustedKey) })),
      segment({ ...input.claims, ...backdate(input), sub: "admin" })
    ))

/** Signs the valid token, and returns its three segments. */
export const signValid = (input: ForgeryInput): Effect.Effect<readonly [string, string, string]> =>
  Effect.map(
    signSegments(input.key, segment(input.header), segment(input.claims)),
    (token) => token.split(".") as [string, string, string]
  )

/** Edits the segments of the valid token. */
export const editSegments =
  (edit: (parts: readonly [string, string, string], input: ForgeryInput) => string) =>
  (input: ForgeryInput): Effect.Effect<string> => Effect.map(signValid(input), (parts) => edit(parts, input))
