/** Compares PROVIDERS.md with the result of `check` for a running server. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { Facts } from "effect-mcp-auth/provider"
import { readFileSync } from "node:fs"
import * as ProviderList from "../../src/cli/format/providerList.ts"
import { checkRunning } from "./list.ts"

const list = readFileSync(new URL("../../PROVIDERS.md", import.meta.url), "utf8").split("\n")

/** Returns the cells of the row of a provider. */
const getCells = (name: string): ReadonlyArray<string> =>
  list.find((line) => line.startsWith(`| ${name} `))!.split("|").slice(1, -1).map((_) => _.trim())

/** Asserts that a running server has the result of its provider in the list. `id` names the facts of the provider. */
export const assertListed: (id: string, issuer: string) => Effect.Effect<void> = Effect.fnUntraced(
  function*(id: string, issuer: string) {
    const fact = Facts.get(id)!
    const { needs, supports } = ProviderList.makeEntry(fact, yield* checkRunning(issuer))
    const [, newest, middle, oldest] = getCells(fact.name)
    assert.deepStrictEqual(supports, { "2026-07-28": newest, "2025-11-25": middle, "2025-06-18": oldest })
    assert.strictEqual(needs, getCells(fact.name).at(-1))
  }
)
