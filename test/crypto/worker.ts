/**
 * A Worker that verifies signatures of every algorithm, and seals and opens texts. For each signature, it reports the result
 * and the implementation that verified it. `workerd.test.ts` bundles this file.
 */
import { Effect, Redacted } from "effect"
import { SigningKey } from "effect-mcp-auth/testing"
import { Algorithm, Signature } from "effect-mcp-auth/verification"
import * as nodeSignature from "../../src/crypto/internal/nodeSignature.ts"
import * as Seal from "../../src/crypto/Seal.ts"

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

/** Created once for all requests, as a Worker creates its services. */
const { open, seal } = Seal.make(Redacted.make("0123456789abcdef0123456789abcdef"), "test")

export default {
  fetch: async (request: Request): Promise<Response> => {
    const { searchParams } = new URL(request.url)
    const sealed = searchParams.get("open")
    if (sealed !== null) return Response.json(await Effect.runPromise(open(sealed, "context")) ?? null)
    const text = searchParams.get("seal")
    if (text !== null) return Response.json(await Effect.runPromise(seal(text, "context")))
    return Response.json(await Effect.runPromise(Effect.forEach(Algorithm.all, (algorithm) => rowOf(algorithm))))
  }
}
