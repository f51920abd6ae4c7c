import { assert, it } from "@effect/vitest"
import { start } from "../../shared/test/Program.ts"
import { comparable, shownOutput } from "../../shared/test/readme.ts"

it("the demo runs all of its steps", async () => {
  const { code, stderr, stdout } = await start("todo-manager/demo.ts").ended
  assert.strictEqual(stderr, "")
  const lines = stdout.trimEnd().split("\n")
  assert.match(lines.at(-1) ?? "", /^Shown: a client that the identity provider does not know/)
  assert.deepStrictEqual(
    lines.flatMap((line) => /^(?:(\d+)|(Act \d))\. /.exec(line)?.slice(1).join("") ?? []),
    [
      "Act 1",
      "1",
      "2",
      "3",
      "4",
      "5",
      "6",
      "7",
      "8",
      "9",
      "10",
      "11",
      "Act 2",
      "12",
      "13",
      "14",
      "15",
      "16",
      "17",
      "18"
    ]
  )
  // People copy the output, for example into issues, so it must not contain a complete token.
  assert.notMatch(stdout, /eyJ[\w-]+\.[\w-]+\./)
  assert.notMatch(stdout, /token: [\w-]{20}/)
  assert.strictEqual(code, 0)

  const shown = shownOutput("todo-manager").filter((block) => /^(\d+\. |Shown)/.test(block))
  assert.strictEqual(shown.length, 10)
  for (const block of shown) assert.include(comparable(stdout), block)
})
