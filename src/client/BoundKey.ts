import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { Mismatch } from "./ClientError.ts"
import type { Found } from "./ServerDiscovery.ts"

/* Describes the keys that tokens are bound to (RFC 9449). `DpopKeys` creates them, so that other clients do not load its code. */

/** The key that a token is bound to. */
export interface BoundKey {
  readonly thumbprint: string
  /** The private key as text, for a store. */
  readonly stored: Redacted.Redacted | undefined
  /** Creates the proof for one request, with the nonce that its server named last. */
  readonly prove: (request: {
    readonly method: string
    readonly url: string
    readonly token?: Redacted.Redacted | undefined
  }) => Effect.Effect<string>
  /** Keeps the nonce of a response (`DPoP-Nonce`) for later requests to the same origin. */
  readonly acceptNonce: (url: string, nonce: string | undefined) => void
}

/** The keys of one client. */
export interface BoundKeys {
  readonly algorithm: string
  /** Creates a key. It can leave the process only if it is stored. */
  readonly create: (options: { readonly isStored: boolean }) => Effect.Effect<BoundKey>
  /** Reads a stored key. Returns `undefined` if the text is not the key with this thumbprint. */
  readonly restore: (stored: Redacted.Redacted, thumbprint: string) => Effect.Effect<BoundKey | undefined>
}

/** The name of the member of `DpopKeys` that creates the keys of one client. */
export const mark = "~effect-mcp-auth/DpopKeys"

/** Accepts values of `DpopKeys`. */
export const rule: ConfigOption.Rule = ConfigOption.marked(mark, "a value of DpopKeys", "Write DpopKeys.make()")

/** Creates a key for an authorization server. Fails if the server lists other algorithms only (RFC 9449 §5.1). */
export const createFor = (
  keys: BoundKeys,
  { issuer, server }: Pick<Found, "issuer" | "server">,
  options: { readonly isStored: boolean }
): Effect.Effect<BoundKey, Mismatch> => {
  const listed = server.dpop_signing_alg_values_supported
  return listed === undefined || listed.includes(keys.algorithm)
    ? keys.create(options)
    : Effect.fail(
      new Mismatch({ what: "dpop-algorithm", expected: `${keys.algorithm} at ${issuer}`, found: listed.join(", ") })
    )
}
