import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bearer, call, mint } from "../hosts/cases.ts"
import { makeIssuer, optionsOf } from "../hosts/Host.ts"
import { workerd } from "../hosts/hosts.ts"

/** Starts a Worker and an issuer that answers slowly, so that requests overlap. */
const setUp = async () => {
  const { client, issuer } = await makeIssuer()
  const run = Effect.runPromise
  await run(issuer.fail({ _tag: "Slow", by: "100 millis" }))
  const running = await workerd.start(optionsOf(issuer.issuer, {}), client)
  const statuses = (tokens: ReadonlyArray<string>) =>
    Promise.all(tokens.map(async (token) => (await running.send(call(bearer(token), "list_todos"))).status))
  const fetched = async () => (await run(issuer.takeRequests)).filter(({ url }) => url.endsWith("/jwks")).length
  return { ...running, issuer, tokens: () => mint(issuer), statuses, fetched, [Symbol.asyncDispose]: running.stop }
}

// In workerd, I/O belongs to the request that started it, and ends with that request. A request that waits for the I/O of
// another one is terminated.
describe("in a Worker no request waits for another", () => {
  it("if no document is cached", async () => {
    await using worker = await setUp()
    const { reader } = await worker.tokens()
    assert.deepStrictEqual(await worker.statuses(Array(6).fill(reader)), Array(6).fill(200))
    assert.isAbove(await worker.fetched(), 0)
    assert.deepStrictEqual(await worker.statuses(Array(6).fill(reader)), Array(6).fill(200))
    assert.strictEqual(await worker.fetched(), 0, "what was fetched serves all")
  })

  it("if the first one disconnects before its fetch is over", async () => {
    await using worker = await setUp()
    const { reader } = await worker.tokens()
    const left = worker.leave(call(bearer(reader), "list_todos"))
    while ((await Effect.runPromise(worker.issuer.requests)).length === 0) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    left()
    assert.deepStrictEqual(await worker.statuses([reader, reader]), [200, 200])
  })

  it("if the keys have changed", async () => {
    await using worker = await setUp()
    const { reader } = await worker.tokens()
    await worker.statuses([reader])
    await Effect.runPromise(worker.issuer.rotateKeys)
    const fresh = await worker.tokens()
    assert.deepStrictEqual(await worker.statuses([fresh.reader, fresh.reader, fresh.reader]), [200, 200, 200])
  })

  it("invented keys cause few fetches", async () => {
    await using worker = await setUp()
    const { reader } = await worker.tokens()
    await worker.statuses([reader])
    await worker.fetched()
    const forged = await Effect.runPromise(Effect.forEach(
      Array.from({ length: 24 }, (_, index) => `made-up-${index}`),
      (kid) => worker.issuer.mint({ scopes: ["todos:read"], header: { kid } })
    ))
    // The status is 401 if a fetch of the keys did not find the key. It is 503 if no further fetch is allowed yet: the key may
    // be new, so the token is not rejected as invalid.
    const statuses = await worker.statuses(forged)
    assert.deepStrictEqual(statuses.filter((_) => _ !== 401 && _ !== 503), [])
    const fetched = await worker.fetched()
    assert.isTrue(fetched > 0 && fetched <= 8, `${fetched} fetches`)
    assert.deepStrictEqual(await worker.statuses(forged), forged.map(() => 503))
    assert.strictEqual(await worker.fetched(), 0)
    assert.deepStrictEqual(await worker.statuses([reader]), [200])
  })
})
