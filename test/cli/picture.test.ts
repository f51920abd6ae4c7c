import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { toSvg } from "./picture.ts"
import { run } from "./run.ts"

const file = fileURLToPath(new URL("../../examples/providers/pictures/check.svg", import.meta.url))

it.effect("the picture of check shows the current output (WRITE_PICTURES=1 writes it)", () =>
  Effect.gen(function*() {
    const issuer = "https://auth.example.com"
    const { code, stdout } = yield* run(["check", issuer], {
      issuer,
      color: true,
      prepare: (_) => _.publishMetadata({ code_challenge_methods_supported: undefined })
    })
    assert.strictEqual(code, 1)
    const picture = toSvg(`check ${issuer}, in a terminal`, `$ npx effect-mcp-auth check ${issuer}\n\n${stdout}`)
    if (process.env["WRITE_PICTURES"] !== undefined) writeFileSync(file, picture)
    assert.strictEqual(readFileSync(file, "utf8"), picture)
  }))
