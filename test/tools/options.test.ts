import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { readAll } from "../../tools/options/Options.ts"
import { markdown } from "../../tools/options/Page.ts"

const root = join(import.meta.dirname, "../..")
const functions = await readAll(root)
const all = [...functions].flatMap(([path, options]) => options.map((option) => ({ ...option, path })))

/** The options with a constant default that no rule contains, each with the reason. */
const withoutRule: Readonly<Record<string, string>> = {
  "algorithms: `Algorithm.all`": "names the value that the code uses",
  "authority: `https://login.microsoftonline.com`": "names the value that the code uses",
  "authChallenge: `\"http\"`": "a gate without the option writes no challenge into results",
  "baseScopes: `openid`, `email` and `offline_access`": "names the value that the code uses",
  "decisions.subject: `Decision.plainSubject`": "names the value that the code uses",
  "httpClient: `FetchHttpClient.layer`": "names the value that the code uses",
  "issuer: `https://accounts.google.com`": "names the value that the code uses",
  "lifetime: 10 minutes": "an invalid value is a `RangeError` of the handler, and not an error of the setup",
  "method: `client_secret_basic`":
    "depends on the other members of the credentials, which `ClientAuthentication` checks",
  "name: `oidc`": "names the value that the code uses",
  "replay: `Dpop.memory(100_000)`": "names the value that the code uses",
  "resource: `http://localhost/mcp`": "the same check as for a real resource",
  "tokenCache: 5 minutes, and 10,000 tokens": "the defaults of the members, whose rules contain them",
  "tokenTypes: `[\"bearer\"]`": "names the value that the code uses",
  "tokenType: `TokenType.standard()`": "names the value that the code uses"
}

/** Removes the marks of code, and the commas in numbers. */
const toPlain = (text: string): string => text.replace(/[`"]/g, "").replace(/(\d),(?=\d{3})/g, "$1")

describe("the options of a function", () => {
  it("are members of the type of its parameter", () => {
    assert.isAbove(all.length, 700)
    // The function accepts the options of `RequestState.seal`, so that a program can use one value for both.
    const accepted = ["core/RequestState.open lifetime"]
    // The secret of a proxy is one value, or an object with these members.
    const isSecretOfPurpose = (name: string) => /^secret\.(?:signing|refresh|registration|browser|records)$/.test(name)
    assert.deepStrictEqual(
      all.filter(({ member, name }) => member === undefined && !isSecretOfPurpose(name)).map(({ name, path }) =>
        `${path} ${name}`
      ),
      accepted
    )
  })

  it("have a sentence that describes them, next to the default", () => {
    assert.deepStrictEqual(
      all.filter(({ member }) => member?.from === undefined && member?.sentence === undefined)
        .filter(({ member }) => member !== undefined)
        .map(({ name, path }) => `${path} ${name}`),
      []
    )
  })

  it("have the default in their doc comment that errors name", () => {
    const named = all.filter(({ member, rule }) => member?.from === undefined && rule?.otherwise !== undefined)
    assert.isAbove(named.length, 100)
    for (const { member, name, path, rule } of named) {
      const documented = toPlain(member?.otherwise ?? "")
      const stated = toPlain(rule!.otherwise!)
      assert.isTrue(
        documented === stated || documented.startsWith(`${stated},`) || documented.startsWith(`${stated}.`),
        `${path} ${name}: the error says ${stated}, the doc comment says ${documented}`
      )
    }
  })

  it("have a constant default in their rule, from which the code takes it", () => {
    const isConstant = /^(?:[`"][^`]*[`"]|[\d,.]+(?: \w+)?|true|false)(?:$|[,.;] )/
    assert.isTrue(isConstant.test("30 seconds") && isConstant.test("`\"http\"`") && isConstant.test("100, of all"))
    const others = all.filter(({ member, path, rule }) =>
      member?.from === undefined && rule?.otherwise === undefined && isConstant.test(member?.otherwise ?? "") &&
      // The testing kit has no rules, and its programs see a wrong default at once.
      !path.startsWith("testing/")
    )
    const listed = Object.keys(withoutRule)
    const texts = others.map(({ member, name }) => `${name}: ${member!.otherwise}`)
    const isListedAs = (key: string) => (text: string) => text === key || text.endsWith(`.${key}`)
    assert.deepStrictEqual(texts.filter((text) => !listed.some((key) => isListedAs(key)(text))), [])
    assert.deepStrictEqual(listed.filter((key) => !texts.some(isListedAs(key))), [])
  })

  it("have the rule that errors state", () => {
    const find = (path: string, name: string) => {
      const { member, rule } = all.find((_) => _.path === path && _.name === name)!
      return { ...rule, isRequired: member!.isRequired, documented: member!.otherwise }
    }
    assert.deepStrictEqual(find("fetch/McpAuthFetch.make", "sessionsPerCaller"), {
      expected: "a whole number from 1 to 100000",
      otherwise: "100",
      isRequired: false,
      documented: "100"
    })
    assert.deepStrictEqual(find("core/AuthLayer.make", "decisions.linesPerMinute"), {
      expected: "a whole number from 1 to 1000000",
      otherwise: "60",
      isRequired: false,
      documented: "60"
    })
    assert.deepInclude(find("core/AuthLayer.make", "scopes"), { expected: "a list of scopes", isRequired: true })
  })

  it("are on the page as they are", () => {
    const page = readFileSync(join(root, "docs/options.md"), "utf8")
    assert.strictEqual(page, markdown(functions), "Run npm run docs")
  })
})
