/** The rows of `npm run faults:client`, with the client of this library and with the control of the oracles. */
import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { clients, controlClient, ownClient } from "../../bench/faults/clients/Clients.ts"
import { rows } from "../../bench/faults/clients/Rows.ts"
import { run, sentenceOf } from "../../bench/faults/clients/Scenario.ts"

const named = rows.map((row) => [row.number, sentenceOf(row), row] as const)

describe("a client before a fault", () => {
  it.concurrent.each(named)("%d: %s The client of this library is safe", async (_number, _sentence, row) => {
    const { saw, verdict } = await run(row, ownClient)
    assert.strictEqual(verdict, "safe", saw)
  })

  it.concurrent.each(named)(
    "%d: %s The oracle reports a client that makes every mistake",
    async (_number, _sentence, row) => {
      const { saw, verdict } = await run(row, controlClient)
      assert.notStrictEqual(verdict, "safe", saw)
    }
  )
})

describe("the page with the results", () => {
  const page = readFileSync(new URL("../../docs/comparison.md", import.meta.url), "utf8")

  it("names each client with its version, and the date", () => {
    for (const { name, version } of clients) {
      assert.include(page, version)
      assert.include(page, name)
    }
    assert.match(page, /^As of \d{4}-\d{2}-\d{2}:/m)
  })

  it("contains each row, and shows the client of this library as safe", () => {
    const results = page.split("\n").filter((line) => /^\| *\d+ /.test(line))
    assert.lengthOf(results, rows.length)
    for (const [index, line] of results.entries()) {
      const [, number, sentence, own] = line.split("|").map((cell) => cell.trim())
      assert.strictEqual(number, String(rows[index]!.number))
      assert.strictEqual(sentence, sentenceOf(rows[index]!))
      assert.match(own!, /^\*\*safe\*\*/)
    }
  })
})
