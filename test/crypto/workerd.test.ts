import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Algorithm } from "effect-mcp-auth/verification"
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import * as Seal from "../../src/crypto/Seal.ts"
import type { Row } from "./worker.ts"

const start = async (compatibilityDate: string, compatibilityFlags: Array<string>) => {
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
  const url = await worker.ready
  return {
    get: async (query: Readonly<Record<string, string>>): Promise<unknown> =>
      (await fetch(new URL(`?${new URLSearchParams(query)}`, url))).json(),
    [Symbol.asyncDispose]: () => worker.dispose()
  }
}

const rowsOf = async (compatibilityDate: string, compatibilityFlags: Array<string>): Promise<ReadonlyArray<Row>> => {
  await using worker = await start(compatibilityDate, compatibilityFlags)
  return await worker.get({}) as ReadonlyArray<Row>
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

describe("sealed texts in workerd", () => {
  it("are opened by Node with the same secret, and the other way round, in overlapping requests", async () => {
    await using worker = await start("2026-07-01", [])
    const { open, seal } = Seal.make(Redacted.make("0123456789abcdef0123456789abcdef"), "test")
    const texts = ["a", "b", "c", "d"]
    const sealed = await Promise.all(texts.map((text) => worker.get({ seal: text })))
    assert.deepStrictEqual(
      await Effect.runPromise(Effect.forEach(sealed, (text) => open(String(text), "context"))),
      texts
    )
    const ours = await Effect.runPromise(Effect.forEach(texts, (text) => seal(text, "context")))
    assert.deepStrictEqual(await Promise.all(ours.map((text) => worker.get({ open: text }))), texts)
    assert.isNull(await worker.get({ open: await Effect.runPromise(seal("a", "other")) }))
  })
})
