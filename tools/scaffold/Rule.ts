/** `npm run new:rule -- <group> <id>`: a rule of `check`, its place in the report, the function that checks it, and a test. */
import { camel, type Files, pascal, ScaffoldError, wordsOf } from "./Files.ts"

/** The modules of the rules, by the name of their group. */
const modules: Readonly<Record<string, string>> = {
  discovery: "DiscoveryRules",
  client: "ClientRules",
  "access-token": "AccessTokenRules",
  browser: "BrowserRules"
}

const ruleOf = (id: string, name: string): string =>
  `/**
 * @category rules
 * @since 0.1.0
 */
export const ${name}: Rule = {
  id: "${id}",
  title: "TODO: state what is true if the rule passes",
  level: "MAY",
  derived: true,
  standard: "TODO: the standard and its section",
  sentence: "TODO: a verbatim quotation",
  change: "TODO: name the change that makes the rule pass"
}
`

const checkOf = (module: string, name: string, check: string): string =>
  `import { text } from "../report/Json.ts"
import { fail, pass, type RuleResult } from "../report/Rule.ts"
import * as ${module} from "./${module}.ts"
import type { MetadataDocument } from "./Observations.ts"

/** Checks one member of the metadata. Replace the member, and what it must contain. */
export const ${check} = ({ metadata }: MetadataDocument): RuleResult => {
  const value = text(metadata, "service_documentation")
  return value === undefined
    ? fail(${module}.${name}, "the metadata have no service_documentation")
    : pass(${module}.${name}, value)
}
`

const testOf = (id: string): string =>
  `import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Check } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"

const issuer = "https://issuer.test"

/** Checks an authorization server with these metadata, and returns the verdict on the rule. */
const verdictOf = (metadata: Readonly<Record<string, unknown>>) =>
  Effect.gen(function*() {
    const { findings } = yield* Check.run(issuer)
    return findings.find(({ rule }) => rule === "${id}")?.verdict
  }).pipe(Effect.provide(TestIssuer.layer({ issuer, metadata })))

describe("the rule ${id}", () => {
  it.effect("passes if the metadata name the page", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* verdictOf({ service_documentation: "https://issuer.test/help" }), "pass")
    }))

  it.effect("fails if the metadata do not name the page", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* verdictOf({}), "fail")
    }))
})
`

/** Adds the rule, and returns what remains to do. */
export const addRule = (files: Files, [group, id]: ReadonlyArray<string>): ReadonlyArray<string> => {
  const module = modules[group ?? ""]
  if (module === undefined) {
    throw new ScaffoldError(`The group is ${JSON.stringify(group)}. Give one of: ${Object.keys(modules).join(", ")}`)
  }
  const words = wordsOf(id, "refresh-rotation")
  const check = `check${pascal(words)}`
  const file = `Check${pascal(words)}.ts`
  const folder = "src/provider/check"

  files.append(`${folder}/${module}.ts`, ruleOf(id!, camel(words)))
  // The list ends with the rules of browsers. Those of another group end where the next group begins.
  const lines = files.read(`${folder}/CheckRules.ts`).split("\n")
  const following = lines[lines.findLastIndex((line) => line.startsWith(`  ${module}.`)) + 1]!
  const last = lines.findLast((line) => line.startsWith(`  ${module}.`))!
  files.replace(
    `${folder}/CheckRules.ts`,
    `${last}\n${following}`,
    `${last.replace(/,$/, "")},\n  ${module}.${camel(words)}${following === "]" ? "" : ","}\n${following}`
  )
  files.add(`${folder}/${file}`, checkOf(module, camel(words), check))
  const server = `${folder}/CheckServer.ts`
  files.insertBefore(server, `import type { Observations }`, `import { ${check} } from "./${file}"\n`)
  files.insertBefore(server, `      ...checkCors(used, observations)`, `      ${check}(used),\n`)
  files.add(`test/provider/check/Check${pascal(words)}.test.ts`, testOf(id!))
  return [
    `Write the rule in ${folder}/${module}.ts: the sentence of the standard, its level, and the change.`,
    `Check it in ${folder}/${file}, only by what was fetched, and extend its test: one server for each way to fail.`,
    "Add a line to Check.test.ts if a server that supports everything must have it. Run npm run docs and npm run change."
  ]
}
