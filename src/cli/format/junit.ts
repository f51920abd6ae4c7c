/**
 * Formats reports as JUnit XML, for continuous integration.
 *
 * @since 0.1.0
 */
import type { Report } from "../../provider/report/Report.ts"
import { isFailure, safe, wordFor } from "./labels.ts"

const escape = (text: string): string =>
  safe(text).replace(/[\ufffe\uffff]/g, "?").replace(
    /[&<>"'\n]/g,
    (character) => `&#${character.charCodeAt(0)};`
  )

/**
 * Writes a report as JUnit XML, with one test case for each rule.
 *
 * **Details**
 *
 * A MUST that fails becomes a failure. Every other rule that does not pass becomes a skipped test case with the reason: a
 * SHOULD or a MAY that fails, and a rule that is inconclusive or skipped.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toJunit = (report: Report): string => {
  const suites = withParts(report).map((one) => {
    const cases = one.findings.map((finding) => {
      const head = `    <testcase classname="${escape(one.subject)}" name="${
        escape(`${finding.level} ${finding.rule}: ${finding.title}`)
      }"`
      const text = `${finding.why}${finding.change === undefined ? "" : `. ${finding.change}`} (${finding.standard})`
      if (finding.verdict === "pass") return `${head}/>`
      return isFailure(finding)
        ? `${head}><failure message="${escape(finding.why)}">${escape(text)}</failure></testcase>`
        : `${head}><skipped message="${escape(`${wordFor(finding)}: ${text}`)}"/></testcase>`
    })
    const failures = one.findings.filter(isFailure).length
    const skipped = one.findings.filter((_) => _.verdict !== "pass" && !isFailure(_)).length
    return [
      `  <testsuite name="${escape(one.subject)}" tests="${one.findings.length}" failures="${failures}" errors="0" ` +
      `skipped="${skipped}" timestamp="${one.at}">`,
      ...cases,
      "  </testsuite>"
    ].join("\n")
  })
  return [
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "<testsuites name=\"effect-mcp-auth\">",
    ...suites,
    "</testsuites>"
  ].join("\n")
}

const withParts = (report: Report): ReadonlyArray<Report> => [report, ...report.parts.flatMap(withParts)]
