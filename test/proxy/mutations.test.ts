import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { mutate, readMutations, root, titlePattern } from "../../tools/mutations/Mutation.ts"
import threats from "../threats.json" with { type: "json" }
import { reasons } from "./mutationReasons.ts"

const mutations = await readMutations()

describe("the mutations of the proxy", () => {
  it.each(mutations)("$attack: the check is in $file once: $find", (mutation) => {
    assert.notStrictEqual(mutate(mutation), readFileSync(join(root, mutation.file), "utf8"))
    assert.isTrue(existsSync(join(root, mutation.test)), mutation.test)
    const text = readFileSync(join(root, mutation.test), "utf8")
    assert.match(text, new RegExp(titlePattern(mutation)), `${mutation.test} has no test of the attack`)
  })

  it("exist for every attack of the catalogue that has no reason", () => {
    const attacks = threats.flatMap(({ id }) => id.startsWith("attack ") ? [id.slice("attack ".length)] : [])
    const mutated = new Set(mutations.map(({ attack }) => attack))
    assert.lengthOf(attacks, 88)
    assert.deepStrictEqual(attacks.filter((attack) => !mutated.has(attack) && !Object.hasOwn(reasons, attack)), [])
    assert.deepStrictEqual([...mutated].filter((attack) => !attacks.includes(attack)), [])
    assert.deepStrictEqual(
      Object.keys(reasons).filter((attack) => mutated.has(attack) || !attacks.includes(attack)),
      []
    )
  })

  it("are rejected if the text to find is missing or not unique", () => {
    const mutation = { attack: "0", file: "a.ts", find: "check", replace: "", test: "a.test.ts" }
    assert.throws(() => mutate(mutation, "nothing"), /a\.ts contains 0 times/)
    assert.throws(() => mutate(mutation, "check check"), /2 times/)
    assert.strictEqual(mutate({ ...mutation, replace: "$&" }, "a check"), "a $&")
  })
})
