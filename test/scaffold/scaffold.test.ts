import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { type Clone, clone } from "../clone.ts"

/** Compiling the copy takes most of the time. The limit is many times what a test needs on a busy machine. */
const timeout = 600_000

describe("scaffolding", () => {
  let repository: Clone
  const scaffold = (...args: ReadonlyArray<string>) => repository.run("npm", "run", "--silent", ...args)
  const runTests = (...args: ReadonlyArray<string>) =>
    repository.expect("npx", "vitest", "run", "--project", "unit", ...args)

  beforeAll(() => {
    repository = clone()
  })

  afterAll(() => repository?.remove())

  it.each([
    [["new:rule"], /The group is undefined\. Give one of: discovery, client/],
    [["new:rule", "discovery", "Service Page"], /The name is "Service Page"\. Give one in lower case with hyphens/],
    [["new:provider", "acme-id"], /The display name is undefined/],
    [["new:provider", "okta", "Okta"], /src\/provider\/profiles\/Okta\.ts exists\. Choose another name/],
    [["new:host", "fetch"], /src\/servers\/fetch\/index\.ts exists/],
    [["new:host", "../fetch"], /The name is "\.\.\/fetch"/]
  ])("rejects the arguments %j, and writes nothing", (args, message) => {
    const { output, status } = scaffold(...args)
    assert.strictEqual(status, 1, output)
    assert.match(output, message)
    assert.strictEqual(repository.expect("git", "status", "--porcelain"), "")
  })

  it(
    "adds files that compile, have the format and the words of the repository, and fit their floors",
    () => {
      for (
        const args of [
          ["new:rule", "discovery", "service-page"],
          ["new:rule", "browser", "cors-of-all"],
          ["new:provider", "acme-id", "Acme ID"],
          ["new:host", "lambda"]
        ]
      ) {
        const { output, status } = scaffold(...args)
        assert.strictEqual(status, 0, output)
        assert.match(output, /^Written:\n[\s\S]*\nNext:\n/)
      }
      repository.expect("npm", "run", "--silent", "check")
      const changed = repository.expect("git", "ls-files", "--modified", "--others", "--exclude-standard").trim().split(
        "\n"
      )
      assert.include(changed, "src/servers/lambda/McpAuthLambda.ts")
      const sources = changed.filter((file) => file.endsWith(".ts"))
      repository.expect("npx", "oxlint", ...sources)
      repository.expect("npx", "dprint", "check", ...changed)
      repository.expect("node", "tools/prose/run.ts", ...sources)
    },
    timeout
  )

  it("adds a rule with a test that passes, and a place in the list of rules", () => {
    const output = runTests("test/provider/Rules.test.ts", "test/provider/check/")
    assert.include(output, "CheckServicePage.test.ts")
    assert.include(output, "CheckCorsOfAll.test.ts")
  })

  it("adds a provider with a fact, and tokens that the profile admits and rejects", () => {
    runTests("test/provider/facts/Facts.test.ts")
    const output = runTests(
      "test/provider/tokenShapes.test.ts",
      "--testNamePattern",
      "Acme ID",
      "--reporter",
      "verbose"
    )
    assert.match(output, /✓.*Acme ID.* admits its access token/)
    assert.match(output, /✓.*Acme ID.* rejects an ID token \(T-CLAIM-05\): token-type/)
  })

  it("adds a host that passes every case of the table of hosts", () => {
    runTests("test/servers/lambda")
    const output = runTests("test/servers/hosts/hosts.test.ts", "--testNamePattern", "lambda")
    assert.match(output, /\n2\d\d passed, 0 failed\n/)
  }, timeout)
})
