/** A Worker that verifies signatures of every algorithm, and reports the result and the way. Bundled by its test. */
import { Effect } from "effect"
import { SigningKey } from "effect-mcp-auth/testing"
import { Algorithm, Signature } from "effect-mcp-auth/verification"
import * as nodeSignature from "../../src/crypto/internal/nodeSignature.ts"

export interface Row {
  readonly algorithm: string
  readonly way: "jose" | "node:crypto"
  readonly accepted: boolean
  readonly acceptedAltered: boolean
}

const rowOf = (algorithm: Algorithm.Algorithm) =>
  Effect.gen(function*() {
    const signer = yield* SigningKey.make({ algorithm })
    const token = yield* signer.sign({}, { sub: "alice" })
    const other = yield* signer.sign({}, { sub: "bob" })
    const jwk = { ...signer.publicJwk }
    const key = yield* Signature.importKey(jwk, algorithm)
    const [header, , signature] = token.split(".")
    const row: Row = {
      algorithm,
      way: nodeSignature.prepare(jwk, algorithm) === undefined ? "jose" : "node:crypto",
      accepted: yield* key!.verify(token),
      acceptedAltered: yield* key!.verify(`${header}.${other.split(".")[1]}.${signature}`)
    }
    return row
  })

export default {
  fetch: async (): Promise<Response> =>
    Response.json(await Effect.runPromise(Effect.forEach(Algorithm.all, (algorithm) => rowOf(algorithm))))
}
