import * as Effect from "effect/Effect"
import type { Algorithm } from "./Algorithm.ts"

/** Signs claims as a compact JWT. */
export type Sign = (claims: Readonly<Record<string, unknown>>) => Effect.Effect<string>

/**
 * Creates a signer of JWTs from a private JSON Web Key, for client assertions (RFC 7523) and access tokens (RFC 9068). The header
 * contains the `kid` of the key, if it has one, and the `typ`. Default: `JWT`. Returns `undefined` if the key cannot be used with the algorithm. Loads jose.
 */
export const make = (
  jwk: Readonly<Record<string, unknown>>,
  algorithm: Algorithm,
  typ = "JWT"
): Effect.Effect<Sign | undefined> =>
  Effect.promise(async () => {
    const { importJWK, SignJWT } = await import("./internal/joseSign.ts")
    const key = await importJWK(jwk as Parameters<typeof importJWK>[0], algorithm).catch(() => undefined)
    if (key === undefined || key instanceof Uint8Array) return undefined
    const header = { typ, alg: algorithm, ...(typeof jwk["kid"] === "string" ? { kid: jwk["kid"] } : {}) }
    return (claims) => Effect.promise(() => new SignJWT({ ...claims }).setProtectedHeader(header).sign(key))
  })
