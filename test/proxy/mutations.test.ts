import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { mutate, readMutations, root, titlePattern } from "../../tools/mutations/Mutation.ts"

const mutations = await readMutations()

describe("the mutations of the proxy", () => {
  it.each(mutations)("attack $attack: its check is in $file once: $find", (mutation) => {
    assert.notStrictEqual(mutate(mutation), readFileSync(join(root, mutation.file), "utf8"))
    assert.isTrue(existsSync(join(root, mutation.test)), mutation.test)
    const text = readFileSync(join(root, mutation.test), "utf8")
    assert.match(text, new RegExp(titlePattern(mutation)), `${mutation.test} has no test of the attack`)
  })

  it("are rejected if the text to find is missing or not unique", () => {
    const mutation = { attack: "0", file: "a.ts", find: "check", replace: "", test: "a.test.ts" }
    assert.throws(() => mutate(mutation, "nothing"), /a\.ts contains 0 times/)
    assert.throws(() => mutate(mutation, "check check"), /2 times/)
    assert.strictEqual(mutate({ ...mutation, replace: "$&" }, "a check"), "a $&")
  })
})
