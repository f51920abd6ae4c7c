import * as Effect from "effect/Effect"
import { sha256 } from "../../crypto/Sha256.ts"

/* Names the records of the OAuth proxy. */

/**
 * The kinds of records: a code, a grant, the grants of a person, a finished sign-in (`spent`), the upstream tokens of a person, and
 * the lease of those tokens.
 */
export type Kind = "code" | "grant" | "person" | "spent" | "upstream" | "lease"

/** Returns the key of the record of a kind with a name. The key contains only a hash of the name, so the name may be a secret. */
export type RecordKeys = (kind: Kind, name: string) => Effect.Effect<string>

/** The separator of hashed parts. Neither an issuer nor a kind contains it. */
const separator = "\n"

/**
 * Creates the names of the records of one proxy. They begin with a hash of its issuer, so two proxies can share a store. The hash of
 * the name also covers the issuer and the kind.
 */
export const make = (issuer: string): Effect.Effect<RecordKeys> =>
  Effect.map(sha256(issuer), (hash) => {
    const prefix = hash.slice(0, 16)
    return (kind, name) =>
      Effect.map(sha256([issuer, kind, name].join(separator)), (hashed) => `${prefix}:${kind}:${hashed}`)
  })
