import { assert, describe, it } from "@effect/vitest"
import * as Titles from "../../tools/titles.ts"

/** The ids are built from parts, so that the reporter does not take the titles in this file for proofs. */
const one = ["JWT", "01"].join("-")
const two = ["JWT", "02"].join("-")
const threat = ["T", "JWT", "01"].join("-")

const catalogues: Titles.Catalogues = {
  cases: [
    { id: one, area: "JWT", level: "must", given: "a token", expect: "401" },
    { id: two, area: "JWT", level: "should", given: "a token", expect: "401" }
  ],
  differences: [],
  threats: [threat],
  threatReasons: [],
  promises: { "Tokens are verified.": [one, threat, "rejects a token"] }
}

const test = (title: string, isPassed = true): Titles.Test => ({ file: "test/a.test.ts", title, isPassed })
const proofs = [test(`${one} rejects a token without exp`), test(`[${threat}] rejects a token`)]

const faults = (tests: ReadonlyArray<Titles.Test>, changes: Partial<Titles.Catalogues> = {}) =>
  Titles.check(tests, { ...catalogues, ...changes }).faults

describe("the check of titles", () => {
  it("finds nothing if every case, threat and promise has a test that passed", () => {
    assert.deepStrictEqual(faults(proofs), [])
  })

  it("does not count tests that were skipped or failed", () => {
    const found = faults(proofs.map(({ title }) => test(title, false)))
    assert.lengthOf(found, 5)
    assert.match(found[0]!, /has no test that passed/)
  })

  it("requires `must` cases only, and accepts differences instead", () => {
    const [, other] = proofs
    const promised = { promises: {} }
    assert.lengthOf(faults([other!], promised), 1)
    assert.deepStrictEqual(faults([other!], { ...promised, differences: [one] }), [])
  })

  it("reports a difference that has a test, and a reason whose threat has a test", () => {
    assert.match(faults(proofs, { differences: [one] }).join(), /no longer a difference/)
    assert.match(faults(proofs, { threatReasons: [threat] }).join(), /outdated/)
  })

  it("reports ids that do not exist, also in titles of skipped tests", () => {
    const found = faults([...proofs, test(`${one.replace("01", "99")} is open`, false), test(`${threat}a is open`)])
    assert.lengthOf(found, 2)
    for (const fault of found) assert.match(fault, /does not exist: test\/a\.test\.ts: /)
  })

  it("takes the id of a threat for the id of neither another threat nor a case", () => {
    assert.deepStrictEqual(Titles.caseIds(`[${threat}] rejects`), [])
    assert.deepStrictEqual(Titles.threatIds(`[${threat}b] rejects`), [`${threat}b`])
    const found = faults([proofs[0]!, test(`[${threat}b] rejects a token`)], { threats: [threat, `${threat}b`] })
    assert.lengthOf(found, 2)
    assert.include(found[0], `threat ${threat} has no test`)
    assert.include(found[1], "no test that passed has")
  })

  it("finds every attack on the proxy that a title names", () => {
    const [attack, other] = [["attack", "31"].join(" "), ["attack", "A5"].join(" ")]
    assert.deepStrictEqual(Titles.threatIds(`${attack} and ${other}: a code is used twice`), [attack, other])
    const found = faults([...proofs, test(`${attack}: a code is used twice`)], { threats: [threat, attack, other] })
    assert.lengthOf(found, 1)
    assert.include(found[0], `threat ${other} has no test`)
  })

  it("looks for the words of a promise where its proof is not an id", () => {
    assert.match(faults([test(`${one} ${threat} checks a token`)]).join(), /no test that passed has "rejects a token"/)
  })
})
