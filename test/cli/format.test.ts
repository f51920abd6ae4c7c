import { assert, describe, it } from "@effect/vitest"
import { Report } from "effect-mcp-auth/provider"
import { markdownTable } from "../../src/cli/format/markdownTable.ts"
import { formats, write } from "../../src/cli/format/reportFormat.ts"
import { fail, inconclusive, pass, type Rule, skip } from "../../src/provider/report/Rule.ts"

const rule = (id: string, level: Rule["level"]): Rule => ({
  id,
  title: `Title of ${id}`,
  level,
  standard: "RFC 0000 §1",
  sentence: "It MUST be so.",
  change: `Change ${id}`
})

const report = (...results: Report.Options["results"]) =>
  Report.make({ kind: "mcp-server", subject: "https://a.test/mcp", revision: "2026-07-28", now: 0, results })

const [must, should, may] = [rule("must", "MUST"), rule("should", "SHOULD"), rule("may", "MAY")] as const

describe("markdownTable", () => {
  it("writes a line for the head, the rule and each row", () => {
    assert.strictEqual(markdownTable(["a", "b"], [["1", "2"]]), "| a | b |\n| --- | --- |\n| 1 | 2 |")
  })

  it("pads cells to the width of their column with the option padded", () => {
    assert.strictEqual(
      markdownTable(["a", "long head"], [["1", "2"]], { padded: true }),
      "| a   | long head |\n| --- | --------- |\n| 1   | 2         |"
    )
  })

  it("aligns columns to the right", () => {
    assert.include(markdownTable(["a", "b"], [], { alignRight: (column) => column > 0 }), "| --- | --: |")
  })

  it("keeps a cell in its column: escapes a bar once, and joins lines", () => {
    const cells = ["a|b", "a\\|b", "a\\\\|b", "a\n  b"]
    assert.strictEqual(
      markdownTable(["1", "2", "3", "4"], [cells]).split("\n")[2],
      "| a\\|b | a\\|b | a\\\\\\|b | a b |"
    )
  })
})

describe("the summary of a report", () => {
  it.each(
    [
      ["pass", [pass(must, "")], "Pass: no problems found"],
      ["pass", [pass(must, ""), fail(should, "")], "Pass: 1 SHOULD rule fails"],
      ["pass", [pass(must, ""), fail(may, "")], "Pass: no problems found"],
      ["pass", [skip(must, ""), fail(should, "")], "Pass: 1 MUST rule was not checked, and 1 SHOULD rule fails"],
      ["fail", [fail(must, ""), inconclusive(must, "")], "Fail: 1 MUST rule fails"],
      ["fail", [fail(must, ""), fail(must, ""), fail(should, "")], "Fail: 2 MUST rules fail, and 1 SHOULD rule fails"],
      ["inconclusive", [inconclusive(must, "")], "Inconclusive: 1 MUST rule is inconclusive"]
    ] as const
  )("has outcome %s, and counts the rules (%#)", (outcome, results, summary) => {
    const made = report(...results)
    assert.deepStrictEqual([made.outcome, made.summary], [outcome, summary])
  })

  it("names the worst outcome of the parts", () => {
    const whole = Report.withParts(report(pass(must, "")), [report(fail(must, ""))])
    assert.deepStrictEqual([whole.outcome, Report.toExitCode(whole)], ["fail", 1])
    assert.strictEqual(whole.summary, "Pass: no problems found. A part does not pass: see below")
  })
})

describe("a report", () => {
  const made = report(pass(must, "good"), fail(should, "bad"), fail(may, "absent"), inconclusive(must, "unclear"))

  it.each(formats)("names each rule and its verdict as %s", (format) => {
    const text = write(format, made, { color: false, width: 100 })
    for (const { rule } of made.findings) assert.include(text, `Title of ${rule}`)
    assert.include(text, "inconclusive")
    assert.notInclude(text, "\u001b")
  })

  it("calls an option that is not offered by that name, not a failure", () => {
    assert.include(write("table", made, { color: false, width: 100 }), "· MAY    Title of may — not offered")
  })
})
