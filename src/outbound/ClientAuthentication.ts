/**
 * Authenticates this server at an authorization server (RFC 6749 §2.3, OpenID Connect Core §9, RFC 6750).
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Algorithm from "../crypto/Algorithm.ts"
import * as JwtSigner from "../crypto/JwtSigner.ts"
import type { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"

/**
 * Authenticates with a client id and a secret, sent as HTTP Basic credentials or in the body.
 *
 * @category models
 * @since 0.1.0
 */
export interface Secret {
  /** The client id of this server at the authorization server. */
  readonly clientId: string
  /** The secret of the client. */
  readonly clientSecret: Redacted.Redacted
  /** How the secret is sent: with HTTP Basic, or in the body. Default: `client_secret_basic`. */
  readonly method?: "client_secret_basic" | "client_secret_post" | undefined
}

/**
 * Authenticates with a client id and a private key: `private_key_jwt` (RFC 7523 §2.2). No secret is sent.
 *
 * @category models
 * @since 0.1.0
 */
export interface PrivateKey {
  /** The client id of this server at the authorization server. */
  readonly clientId: string
  /** A private JSON Web Key. Its `alg` selects the algorithm. Its `kid` is sent in the header of the assertion. */
  readonly privateKey: Redacted.Redacted<Readonly<Record<string, unknown>>>
  /** How the client authenticates. Default: `private_key_jwt`, the only method for a key. */
  readonly method?: "private_key_jwt" | undefined
  /** `aud` of the assertion. Default: the issuer. */
  readonly assertionAudience?: string | undefined
}

/**
 * Authenticates with a bearer token that was issued to this server.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bearer {
  /** The token that authenticates this server. */
  readonly bearerToken: Redacted.Redacted
  /** How the server authenticates. Default: `bearer`, the only method for a token. */
  readonly method?: "bearer" | undefined
}

/**
 * Contains the credentials of this server. The property that is present (`clientSecret`, `privateKey` or `bearerToken`) selects
 * how the server authenticates. For a secret, `method` selects HTTP Basic or the request body.
 *
 * **Example** (A client id and a secret)
 *
 * ```ts
 * import type { ClientAuthentication } from "effect-mcp-auth/client"
 * import { Redacted } from "effect"
 *
 * const todos: ClientAuthentication.ClientAuthentication = {
 *   clientId: "todos",
 *   clientSecret: Redacted.make("from the place where secrets are")
 * }
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type ClientAuthentication = Secret | PrivateKey | Bearer

/**
 * Contains the headers and form parameters that authenticate one request. Treat all of them as secret.
 *
 * @category models
 * @since 0.1.0
 */
export interface Proof {
  readonly headers: Readonly<Record<string, string>>
  readonly parameters: Readonly<Record<string, string>>
}

/**
 * Checks the options. Returns an effect that creates the proof for each request. `option` is the path of these options in
 * errors.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  input: ClientAuthentication,
  { issuer, option }: { readonly issuer: string; readonly option: string }
): Effect.Effect<Effect.Effect<Proof>, AuthConfigError> =>
  Effect.gen(function*() {
    const fail = (member: string, fix: string, reason: AuthConfigError["reason"] = "malformed") =>
      ConfigOption.error(`${option}.${member}`, fix, reason)
    const given = ["clientSecret", "privateKey", "bearerToken"].filter((_) => _ in input)
    if (given.length === 0) {
      return yield* fail(
        "clientSecret",
        "the credentials of this server are missing. Give clientId with clientSecret, clientId with privateKey, or " +
          "bearerToken",
        "missing"
      )
    }
    if (given.length > 1) {
      return yield* fail(given[0]!, `${given.join(" and ")} are both set. Set one of them only`, "conflict")
    }
    const fits = "clientSecret" in input
      ? ["client_secret_basic", "client_secret_post"]
      : "privateKey" in input
      ? ["private_key_jwt"]
      : ["bearer"]
    if (input.method !== undefined && !fits.includes(input.method)) {
      return yield* fail(
        "method",
        `${OptionValue.isNot(input.method, fits.map((_) => JSON.stringify(_)).join(" or "))}, the methods for ${
          given[0]
        }. Leave it out for ${JSON.stringify(fits[0])}`
      )
    }
    if (!("bearerToken" in input) && !isText(input.clientId)) {
      return yield* fail(
        "clientId",
        `${
          OptionValue.isNot(input.clientId, "text")
        }. Write the client id that the authorization server gave to this ` +
          "server",
        "missing"
      )
    }
    if ("bearerToken" in input) {
      const token = secretOf(input.bearerToken)
      if (token === undefined || /[^\x21-\x7e]/.test(token)) {
        return yield* fail(
          "bearerToken",
          "expected a Redacted text of visible ASCII characters. Write Redacted.make(token)"
        )
      }
      return Effect.succeed<Proof>({ headers: { authorization: `Bearer ${token}` }, parameters: {} })
    }
    if ("clientSecret" in input) {
      const secret = secretOf(input.clientSecret)
      if (secret === undefined) {
        return yield* fail("clientSecret", "expected a Redacted text that is not empty. Write Redacted.make(secret)")
      }
      return Effect.succeed<Proof>(
        input.method === "client_secret_post"
          ? { headers: {}, parameters: { client_id: input.clientId, client_secret: secret } }
          // Id and secret are form-encoded (RFC 6749 §2.3.1), because a colon would end the id and `btoa` accepts only Latin-1.
          : {
            headers: { authorization: `Basic ${btoa(`${encode(input.clientId)}:${encode(secret)}`)}` },
            parameters: {}
          }
      )
    }
    const jwk = Redacted.isRedacted(input.privateKey) ? Redacted.value(input.privateKey) : undefined
    const algorithm = jwk?.["alg"]
    if (jwk === undefined || !Algorithm.isAlgorithm(algorithm) || typeof jwk["d"] !== "string") {
      return yield* fail(
        "privateKey",
        "expected a Redacted JWK of a private key, with an alg such as ES256. Write Redacted.make(jwk). A shared secret " +
          "belongs in clientSecret"
      )
    }
    if (input.assertionAudience !== undefined && !isText(input.assertionAudience)) {
      return yield* fail(
        "assertionAudience",
        `${OptionValue.isNot(input.assertionAudience, "text")}. Write the aud that the authorization server expects`
      )
    }
    const sign = yield* JwtSigner.make(jwk, algorithm)
    if (sign === undefined) {
      return yield* fail(
        "privateKey",
        `the key cannot be imported as a private key for ${algorithm}. Correct alg or the key`
      )
    }
    const audience = input.assertionAudience ?? issuer
    return Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const iat = Math.floor(now / 1000)
      return Effect.map(
        sign({
          iss: input.clientId,
          sub: input.clientId,
          aud: audience,
          jti: globalThis.crypto.randomUUID(),
          iat,
          exp: iat + 60
        }),
        (assertion): Proof => ({
          headers: {},
          parameters: {
            client_id: input.clientId,
            client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            client_assertion: assertion
          }
        })
      )
    })
  })

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

const secretOf = (value: unknown): string | undefined => {
  const secret = Redacted.isRedacted(value) ? Redacted.value(value) : undefined
  return isText(secret) ? secret : undefined
}

/** Encodes one value as `application/x-www-form-urlencoded`. */
const encode = (value: string): string => new URLSearchParams([["", value]]).toString().slice(1)
