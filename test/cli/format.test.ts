import { assert, describe, it } from "@effect/vitest"
import { Report } from "effect-mcp-auth/provider"
import { CliOutput } from "effect/cli"
import { markdownTable } from "../../src/cli/format/markdownTable.ts"
import { formats, write } from "../../src/cli/format/reportFormat.ts"
import * as AccessTokenRules from "../../src/provider/check/AccessTokenRules.ts"
import * as BrowserRules from "../../src/provider/check/BrowserRules.ts"
import * as ClientRules from "../../src/provider/check/ClientRules.ts"
import * as DiscoveryRules from "../../src/provider/check/DiscoveryRules.ts"
import * as DoctorRules from "../../src/provider/doctor/DoctorRules.ts"
import { fail, inconclusive, pass, revisions, type Rule, skip } from "../../src/provider/report/Rule.ts"
import * as ServerReport from "../../src/provider/report/ServerReport.ts"
import * as TokenRules from "../../src/provider/token/TokenRules.ts"

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

describe("a report in a narrow terminal", () => {
  const rules = [
    AccessTokenRules,
    BrowserRules,
    ClientRules,
    DiscoveryRules,
    DoctorRules,
    ServerReport,
    TokenRules
  ].flatMap((set) => Object.values(set)).filter((_): _ is Rule => typeof _ === "object" && "id" in _)
  const long = `https://auth.example.com/${"tenant/".repeat(30)}mcp?${"x".repeat(100)}`
  const verdicts = [pass, (rule: Rule, why: string) => fail(rule, why, `Replace ${why}`), inconclusive, skip]

  const getWidest = (text: string): string =>
    text.split("\n").reduce((a, b) => CliOutput.displayWidth(a) < CliOutput.displayWidth(b) ? b : a)

  it.each(
    [
      ["the texts of all rules", rules, "the server returns 404 without Access-Control-Allow-Origin"],
      ["long URLs", rules.slice(0, 3), `resource is ${long}, which covers ${long}`],
      ["full-width characters", rules.slice(0, 3), "漢字".repeat(100)],
      ["emoji", rules.slice(0, 3), `${"👩‍👩‍👧‍👦".repeat(40)} and text`],
      ["combining characters", rules.slice(0, 3), "e\u0301".repeat(200)]
    ] as const
  )("fits its width with %s", (_, rules, why) => {
    assert.isAbove(rules.length, 2)
    for (const revision of revisions) {
      const part = Report.make({ kind: "access-token", subject: long, revision, now: 0, results: [pass(must, why)] })
      const made = Report.make({
        kind: "mcp-server",
        subject: long,
        revision,
        now: 0,
        provider: "An identity provider with a rather long name, which does not fit the line",
        results: rules.flatMap((rule) => verdicts.map((verdict) => verdict(rule, why))),
        notes: [why, long],
        parts: [part]
      })
      for (const width of [40, 60]) {
        const widest = getWidest(write("table", made, { color: false, width, verbose: true }))
        assert.isAtMost(CliOutput.displayWidth(widest), width, widest)
      }
    }
  })

  it("contains all of a long URL, on several lines", () => {
    const made = Report.make({ kind: "server", subject: long, revision: "2026-07-28", now: 0, results: [] })
    const lines = write("table", made, { color: false, width: 60 }).split("\n")
    assert.include(lines.join(""), long)
    assert.strictEqual(JSON.parse(write("json", made, { color: false, width: 60 })).subject, long)
  })

  it("keeps the options of a token as they are, because they are code", () => {
    const options = `authorizationServers: ["${long}"]`
    const made = Report.make({
      kind: "access-token",
      subject: "a",
      revision: "2026-07-28",
      now: 0,
      results: [],
      options
    })
    assert.include(write("table", made, { color: false, width: 60 }).split("\n"), options)
  })
})

it("reports a MUST that is inconclusive as an error of JUnit, and a SHOULD as skipped", () => {
  const text = write("junit", report(inconclusive(must, "silent"), inconclusive(should, "silent"), fail(must, "bad")), {
    color: false,
    width: 100
  })
  assert.include(text, `tests="3" failures="1" errors="1" skipped="1"`)
  assert.include(text, `<error message="inconclusive: silent">`)
})
