import { assert, it } from "@effect/vitest"
import { showsItsFiles } from "../../shared/test/page.ts"
import { start } from "../../shared/test/Program.ts"
import { shownOutput } from "../../shared/test/readme.ts"

it("the page shows the files of the example", () => showsItsFiles("tenants", 3))

it("what the page shows is what is printed", async () => {
  const { code, stderr, stdout } = await start("tenants/main.ts").ended
  assert.strictEqual(code, 0, stderr)
  assert.deepStrictEqual([stdout.trim()], shownOutput("tenants"))
}, 60_000)
