/**
 * Formats reports as JUnit XML, for continuous integration.
 *
 * @since 0.1.0
 */
import type { Finding, Report } from "../../provider/report/Report.ts"
import { isFailure, safe, wordFor } from "./labels.ts"

const escape = (text: string): string =>
  safe(text).replace(/[\ufffe\uffff]/g, "?").replace(
    /[&<>"'\n]/g,
    (character) => `&#${character.charCodeAt(0)};`
  )

const isError = ({ level, verdict }: Finding): boolean => verdict === "inconclusive" && level === "MUST"

/**
 * Writes a report as JUnit XML, with one test case for each rule.
 *
 * **Details**
 *
 * A MUST that fails becomes a failure, and a MUST that is inconclusive an error, as in the exit code. Every other rule that does
 * not pass becomes a skipped test case with the reason.
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
      const tag = isFailure(finding) ? "failure" : isError(finding) ? "error" : undefined
      return tag !== undefined
        ? `${head}><${tag} message="${escape(tag === "error" ? `${wordFor(finding)}: ${finding.why}` : finding.why)}">${
          escape(text)
        }</${tag}></testcase>`
        : `${head}><skipped message="${escape(`${wordFor(finding)}: ${text}`)}"/></testcase>`
    })
    const failures = one.findings.filter(isFailure).length
    const errors = one.findings.filter(isError).length
    const skipped = one.findings.filter((_) => _.verdict !== "pass").length - failures - errors
    return [
      `  <testsuite name="${
        escape(one.subject)
      }" tests="${one.findings.length}" failures="${failures}" errors="${errors}" ` +
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
