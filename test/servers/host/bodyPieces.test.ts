/** Tests bodies that arrive piece by piece: how long the gate waits for them, and how much memory they take. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { type Begun, hosts, type Running, workerd } from "./bodyHosts.ts"

const message = `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{
  "io.modelcontextprotocol/protocolVersion":"2026-07-28",
  "io.modelcontextprotocol/clientCapabilities":{},
  "io.modelcontextprotocol/clientInfo":{"name":"client","version":"1.0.0"}}}}`

// Only a context that is created after the flag is set has the function `gc`.
setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

const retained = async () => {
  for (let turn = 0; turn < 5; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const megabyte = 1024 * 1024

describe.each([...Object.entries(hosts), ["workerd", workerd] as const])("%s", (_, start) => {
  let running: Running
  beforeAll(async () => {
    running = await start({ bodyTimeout: "50 millis" })
  })
  afterAll(() => running.stop())

  it("[T-AUD-07e] rejects an incomplete body with 408, and closes the connection", async () => {
    // Of the body of the first request, no byte arrives. Of the second body, all bytes except the last one arrive.
    for (const pieces of [[], [message.slice(0, -1)]]) {
      const slow: Begun = running.begin()
      for (const piece of pieces) await slow.write(piece)
      const { closes = true, status } = await slow.answer
      assert.deepStrictEqual([status, closes], [408, true])
    }
  })

  it("[T-AUD-07e] does not read or wait for a body before the other checks pass", async () => {
    for (
      const [others, expected] of [
        [[["origin", "https://evil.test"]], 403],
        [[["mcp-session-id", "made-up"]], 404]
      ] as const
    ) {
      const unread = running.begin(others)
      const { status } = await unread.answer
      assert.deepStrictEqual([status, unread.pulls()], [expected, 0])
    }
  })
})

describe.each(Object.entries(hosts))("%s", (_, start) => {
  it("[T-AUD-06b] rejects a body in chunks with 413 as soon as it is over the limit", async () => {
    const { begin, stop } = await start({})
    const large = begin()
    for (let count = 0; count < 8; count++) {
      await Promise.race([large.write(" ".repeat(megabyte)), large.answer])
    }
    assert.strictEqual((await large.answer).status, 413)
    await stop()
  })

  it("[T-AUD-06b] stores a body in chunks of one byte in about its size", async () => {
    const { begin, stop } = await start({})
    const warm = begin()
    warm.end(message)
    const { status } = await warm.answer
    assert.notInclude([400, 401, 403, 408], status)
    const before = await retained()
    const slow = begin()
    await slow.trickle(megabyte / 4)
    const kept = await retained() - before
    assert.isBelow(kept, 8 * megabyte)
    slow.end(message)
    assert.strictEqual((await slow.answer).status, status)
    await stop()
  })
})
