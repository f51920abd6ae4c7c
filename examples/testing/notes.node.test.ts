import { assert, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"

it("the kit works with node:test, in a separate process", async () => {
  const file = fileURLToPath(new URL("notes.node.ts", import.meta.url))
  const output = await new Promise<string>((resolve, reject) =>
    execFile(
      process.execPath,
      ["--conditions=effect-mcp-auth/source", "--test", "--test-reporter=tap", file],
      { env: { ...process.env, NODE_TEST_CONTEXT: undefined } },
      (error, stdout, stderr) => error === null ? resolve(stdout) : reject(new Error(stdout + stderr))
    )
  )
  assert.match(output, /^# tests 4$/m)
  assert.match(output, /^# pass 4$/m)
})
