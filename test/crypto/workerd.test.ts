import { assert, describe, it } from "@effect/vitest"
import { Algorithm } from "effect-mcp-auth/verification"
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import type { Row } from "./worker.ts"

const rowsOf = async (compatibilityDate: string, compatibilityFlags: Array<string>): Promise<ReadonlyArray<Row>> => {
  const { outputFiles } = await build({
    entryPoints: [new URL("worker.ts", import.meta.url).pathname],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["effect-mcp-auth/source", "workerd", "import", "default"]
  })
  const worker = new Miniflare({
    modules: true,
    script: outputFiles[0]!.text,
    compatibilityDate,
    compatibilityFlags,
    host: "127.0.0.1",
    port: 0
  })
  try {
    return await (await fetch(await worker.ready)).json() as ReadonlyArray<Row>
  } finally {
    await worker.dispose()
  }
}

const waysOf = (rows: ReadonlyArray<Row>) => {
  assert.deepStrictEqual(rows.map(({ algorithm }) => algorithm), [...Algorithm.all])
  for (const { accepted, acceptedAltered, algorithm } of rows) {
    assert.isTrue(accepted, algorithm)
    assert.isFalse(acceptedAltered, algorithm)
  }
  return rows.filter(({ way }) => way === "node:crypto").map(({ algorithm }) => algorithm)
}

describe("signatures in workerd", () => {
  it("are verified by node:crypto where it takes a bare key, and by jose where the key needs options", async () => {
    const ways = waysOf(await rowsOf("2026-07-01", ["nodejs_compat"]))
    assert.deepStrictEqual(ways, ["RS256", "RS384", "RS512", "EdDSA", "Ed25519"])
  })

  it.each([
    ["without nodejs_compat", "2026-07-01", []],
    ["with a compatibility date before node:crypto was complete", "2024-09-01", ["nodejs_compat"]]
  ])("are verified by jose %s", async (_, date, flags) => {
    assert.deepStrictEqual(waysOf(await rowsOf(date, [...flags])), [])
  })
})
