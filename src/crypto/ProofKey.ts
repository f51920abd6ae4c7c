import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Algorithm } from "./Algorithm.ts"
import * as dpopProof from "./DpopProof.ts"

/* Creates the keys with which clients prove that a token is theirs (RFC 9449). Loads jose when the first key is created. */

/** A key of a client. */
export interface ProofKey {
  /** The JWK thumbprint of the key (RFC 7638), which is the `jkt` of tokens that are bound to the key. */
  readonly thumbprint: string
  /** The private key as text, for a store. `undefined` if the key cannot leave the process. */
  readonly stored: Redacted.Redacted | undefined
  /** Creates a proof for one request. */
  readonly prove: (target: dpopProof.ProofTarget) => Effect.Effect<string>
}

/** Creates a key. Only a key that can be stored is extractable. */
export const generate = (
  algorithm: Algorithm,
  { isStored }: { readonly isStored: boolean }
): Effect.Effect<ProofKey> =>
  Effect.promise(async () => {
    const jose = await load()
    const { privateKey, publicKey } = await jose.generateKeyPair(algorithm, { extractable: isStored })
    const stored = isStored ? JSON.stringify({ ...await jose.exportJWK(privateKey), alg: algorithm }) : undefined
    return toKey(jose, algorithm, privateKey, await jose.exportJWK(publicKey), stored)
  })

/** Reads a stored key. Returns `undefined` for a text that is not a key with this algorithm. */
export const restore = (stored: Redacted.Redacted, algorithm: Algorithm): Effect.Effect<ProofKey | undefined> =>
  Effect.promise(async () => {
    const text = Redacted.value(stored)
    const jose = await load()
    try {
      const jwk = JSON.parse(text)
      if (jwk.alg !== algorithm) return undefined
      const key = await jose.importJWK(jwk, algorithm, { extractable: false })
      if (key instanceof Uint8Array || key.type !== "private") return undefined
      const { crv, e, kty, n, x, y } = jwk
      const publicJwk = Object.fromEntries(
        Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined)
      )
      return await toKey(jose, algorithm, key, publicJwk, text)
    } catch {
      return undefined
    }
  })

const load = () => import("./internal/joseSign.ts")

type Jose = Awaited<ReturnType<typeof load>>

const toKey = async (
  jose: Jose,
  algorithm: Algorithm,
  privateKey: CryptoKey,
  publicJwk: Parameters<Jose["calculateJwkThumbprint"]>[0],
  stored: string | undefined
): Promise<ProofKey> => ({
  thumbprint: await jose.calculateJwkThumbprint(publicJwk),
  stored: stored === undefined ? undefined : Redacted.make(stored, { label: "proof-key" }),
  prove: (target) =>
    Effect.flatMap(
      dpopProof.contentOf({ algorithm, publicJwk }, target),
      ({ claims, header }) =>
        Effect.promise(() => new jose.SignJWT({ ...claims }).setProtectedHeader(header).sign(privateKey))
    )
})
