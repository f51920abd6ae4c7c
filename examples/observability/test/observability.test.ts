import { assert, it } from "@effect/vitest"
import { start } from "../../shared/test/Program.ts"
import { shownOutput } from "../../shared/test/readme.ts"

it("exports what its README shows", async () => {
  const { code, stderr, stdout } = await start("observability/main.ts").ended
  assert.strictEqual(code, 0, stderr)
  assert.deepStrictEqual([stdout.trim()], shownOutput("observability"))
  assert.strictEqual(stderr, "")
})
