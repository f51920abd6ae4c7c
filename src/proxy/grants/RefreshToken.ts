import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Mac } from "../keys/ProxyKeys.ts"
import type { GrantRecord } from "./GrantRecord.ts"

/*
 * The format of refresh tokens: grant, generation, id of the secret, and tag, joined by dots. The tag authenticates the other parts
 * and the seed of the grant. The store contains no token and no hash of one.
 */

/** A refresh token in its parts. Its tag is not verified. */
export interface Presented {
  readonly grant: string
  readonly generation: number
  readonly kid: string
  readonly tag: string
}

const format = /^([A-Za-z0-9_-]{22})\.(0|[1-9][0-9]{0,14})\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]{43})$/

/** Reads a refresh token. Returns `undefined` for a text of another form. */
export const parse = (token: string): Presented | undefined => {
  const [, grant, generation, kid, tag] = format.exec(token) ?? []
  return tag === undefined ? undefined : { grant: grant!, generation: Number(generation), kid: kid!, tag }
}

const textOf = (grant: string, generation: number, seed: string): string => ["rt", grant, generation, seed].join(".")

/** Creates the current refresh token of a grant. Returns `undefined` if its secret is no longer listed. */
export const make = (
  mac: Mac,
  grant: string,
  { generation, kid, seed }: Pick<GrantRecord, "generation" | "kid" | "seed">
): Effect.Effect<Redacted.Redacted | undefined> =>
  Effect.map(
    mac.sign(kid, textOf(grant, generation, seed)),
    (tag) =>
      tag === undefined ? undefined : Redacted.make(`${grant}.${generation}.${kid}.${tag}`, { label: "refresh-token" })
  )

/** Returns whether this server issued a refresh token for the grant with this seed, with a secret that is still listed. */
export const verify = (mac: Mac, { generation, grant, kid, tag }: Presented, seed: string): Effect.Effect<boolean> =>
  mac.verify(kid, textOf(grant, generation, seed), tag)
