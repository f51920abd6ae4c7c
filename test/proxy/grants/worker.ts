/**
 * A Worker that derives the keys of a proxy, and signs a person in and refreshes with a store in memory. `workerd.test.ts` bundles
 * this file.
 */
import { Effect, Redacted } from "effect"
import { MemoryStore } from "effect-mcp-auth/store"
import * as base64url from "../../../src/crypto/Base64Url.ts"
import { sha256 } from "../../../src/crypto/Sha256.ts"
import * as GrantService from "../../../src/proxy/grants/GrantService.ts"
import * as ProxyKeys from "../../../src/proxy/keys/ProxyKeys.ts"

const run = (secret: string, issuer: string) =>
  Effect.gen(function*() {
    const keys = yield* ProxyKeys.make(Redacted.make(secret))
    const store = yield* MemoryStore.make()
    const grants = yield* GrantService.make({ issuer, keys, store, offeredScopes: ["read"] })
    const verifier = base64url.encode(crypto.getRandomValues(new Uint8Array(32)))
    const client = { clientId: "client", redirectUri: "http://localhost/callback" }
    const approved = { ...client, challenge: yield* sha256(verifier), resource: `${issuer}/mcp`, scopes: ["read"] }
    const code = yield* grants.issueCode(approved, { subject: "github|1", display: undefined }, "upstream-key")
    const first = yield* grants.redeem({ code, verifier, ...client })
    const request = { refreshToken: Redacted.value(first.refreshToken), clientId: client.clientId }
    const second = yield* grants.refresh(request, () => Effect.succeed({ outcome: "alive" }))
    yield* grants.revoke(Redacted.value(second.accessToken), client.clientId)
    return {
      publicKeys: keys.publicKeys,
      kid: keys.mac("refresh", "token").kid,
      access: Redacted.value(second.accessToken),
      refresh: Redacted.value(second.refreshToken),
      left: (yield* grants.list("github|1")).length
    }
  })

export default {
  fetch: async (request: Request): Promise<Response> => {
    const { searchParams } = new URL(request.url)
    return Response.json(await Effect.runPromise(run(searchParams.get("secret")!, searchParams.get("issuer")!)))
  }
}
