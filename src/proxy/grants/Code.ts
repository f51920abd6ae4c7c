import * as Effect from "effect/Effect"
import type { Mac } from "../keys/ProxyKeys.ts"
import * as grantRecords from "./GrantRecords.ts"

/*
 * The format of codes: 32 random bytes, the id of the secret, and a tag, joined by dots. The tag lets the token endpoint reject an
 * invented code without a request to the store. The record of a code, and its grant, are named by the random part.
 */

const format = /^([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{8})\.([A-Za-z0-9_-]{43})$/

/** A new code, and its random part. */
export interface Created {
  readonly code: string
  readonly name: string
}

/** Creates a code. */
export const make = (mac: Mac): Effect.Effect<Created> =>
  Effect.suspend(() => {
    const name = grantRecords.makeCode()
    return Effect.map(mac.sign(mac.kid, name), (tag) => ({ name, code: `${name}.${mac.kid}.${tag}` }))
  })

/** Returns the random part of a code that this server created, with a secret that is still listed. */
export const read = (mac: Mac, code: string): Effect.Effect<string | undefined> => {
  const [, name, kid, tag] = format.exec(code) ?? []
  return tag === undefined
    ? Effect.undefined
    : Effect.map(mac.verify(kid!, name!, tag), (isOurs) => isOurs ? name : undefined)
}
