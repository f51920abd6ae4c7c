import { assert, it } from "@effect/vitest"
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import { createPublicKey, verify } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, "../../../docs/proxy-formats.json"), "utf8"))

it("derives the same keys in workerd, and issues, refreshes and revokes there without Node's modules", async () => {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, "worker.ts")],
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
    compatibilityDate: "2026-07-01",
    host: "127.0.0.1",
    port: 0
  })
  try {
    const url = new URL("/", await worker.ready)
    url.search = String(new URLSearchParams({ secret: vectors.secret, issuer: vectors.issuer }))
    const answer = await (await fetch(url)).json() as Record<string, any>
    assert.deepStrictEqual(answer["publicKeys"], [vectors.keys.publicJwk])
    assert.strictEqual(answer["kid"], vectors.keys.kid)
    assert.strictEqual(answer["refresh"].split(".")[1], "1")
    assert.strictEqual(answer["left"], 0)
    const [header, claims, signature] = answer["access"].split(".")
    const key = createPublicKey({ key: vectors.keys.publicJwk, format: "jwk" })
    const data = Buffer.from(`${header}.${claims}`)
    assert.isTrue(verify("sha256", data, { key, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url")))
  } finally {
    await worker.dispose()
  }
})
