/** Ten thousand requests without a sign-in: the store stays empty, and memory flat. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Admit from "../../../src/proxy/Admit.ts"
import * as OAuthProxy from "../../../src/proxy/OAuthProxy.ts"
import * as Upstream from "../../../src/proxy/upstream/Upstream.ts"
import { challengeOf, secret, verifier } from "../front/world.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

const origin = "http://127.0.0.1:9"

/** Returns the size of the heap after a garbage collection, in bytes. */
const heap = async () => {
  for (let time = 0; time < 3; time++) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    collect()
  }
  return process.memoryUsage().heapUsed
}

const makeProxy = (store: RecordStore.Store) =>
  OAuthProxy.make({
    resource: `${origin}/mcp`,
    scopes: ["todos:read"],
    upstream: Upstream.github({ clientId: "id", clientSecret: Redacted.make("s"), scopes: { "todos:read": [] } }),
    admit: Admit.anyone,
    secret,
    store: Layer.succeed(RecordStore.RecordStore, store)
  })

describe("requests without a sign-in", () => {
  it("attack 66 and attack 67: 10,000 leave the store empty and memory flat", async () => {
    const memory = Effect.runSync(MemoryStore.make())
    let writes = 0
    await using proxy = await makeProxy({
      ...memory,
      put: (...args) => Effect.suspend(() => (writes++, memory.put(...args)))
    })
    const authorize = (client_id: string, redirect_uri: string) =>
      proxy.fetch(
        new Request(`${origin}/authorize?${new URLSearchParams({
          response_type: "code",
          client_id,
          redirect_uri,
          code_challenge: challengeOf(verifier),
          code_challenge_method: "S256"
        })}`)
      )!
    /** Registers a client, opens its consent page, and names a document that cannot be fetched. */
    const round = async (index: number) => {
      const redirect_uri = `https://app${index}.example.com/callback`
      const body = JSON.stringify({ redirect_uris: [redirect_uri] })
      const registered = await proxy.fetch(
        new Request(`${origin}/register`, { method: "POST", headers: { "content-type": "application/json" }, body })
      )!
      const { client_id } = await registered.json() as { readonly client_id: string }
      const page = await authorize(client_id, redirect_uri)
      assert.strictEqual(page.status, 200)
      await page.text()
      const unknown = await authorize(`https://app.example${index}.invalid/client.json`, redirect_uri)
      assert.strictEqual(unknown.status, 503)
      await unknown.text()
    }
    // The first rounds fill caches whose size is bounded.
    for (let index = 0; index < 1_500; index++) await round(index)
    const before = await heap()
    for (let index = 1_500; index < 3_400; index++) await round(index)
    const growth = (await heap()) - before
    console.log(`10,200 requests: the heap grew by ${(growth / 1024).toFixed(0)} KiB in the last 5,700`)
    assert.strictEqual(writes, 0)
    assert.isBelow(growth, 2 * 1024 * 1024)
  })

  it("100,000 records in the store do not slow down the start of a proxy", async () => {
    const memory = Effect.runSync(MemoryStore.make(200_000))
    let operations = 0
    const counting: RecordStore.Store = {
      get: (...args) => Effect.suspend(() => (operations++, memory.get(...args))),
      put: (...args) => Effect.suspend(() => (operations++, memory.put(...args))),
      remove: (...args) => Effect.suspend(() => (operations++, memory.remove(...args)))
    }
    await Effect.runPromise(
      Effect.forEach(
        Array.from({ length: 100_000 }, (_, index) => index),
        (index) => memory.put(`prefix:grant:${index}`, "x".repeat(500), { lifetime: "1 day", expected: "absent" }),
        { discard: true }
      )
    )
    const before = await heap()
    await using proxy = await makeProxy(counting)
    assert.strictEqual((await proxy.fetch(new Request(`${origin}/jwks`))!).status, 200)
    // A start that reads no record cannot depend on their number.
    assert.strictEqual(operations, 0)
    assert.isBelow((await heap()) - before, 4 * 1024 * 1024)
  })
})
