/**
 * The forms in which a report is told: for people, for programs, for a text, for a build.
 *
 * @since 0.1.0
 */
import { sanitize, sanitizeLines } from "../../protocol/RemoteText.ts"
import type { Finding, Report } from "../../provider/report/Report.ts"
import type { Verdict } from "../../provider/report/Rule.ts"

/**
 * The names of the forms.
 *
 * @category constants
 * @since 0.1.0
 */
export const all = ["table", "json", "markdown", "junit"] as const

/**
 * How a report may be written.
 *
 * @category models
 * @since 0.1.0
 */
export type ReportFormat = typeof all[number]

/**
 * How a table is drawn.
 *
 * @category models
 * @since 0.1.0
 */
export interface TableOptions {
  readonly color: boolean
  /** In columns. */
  readonly width: number
  /** With what is kept, too, explained at length. */
  readonly verbose?: boolean | undefined
}

/**
 * For programs: the report as it is.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toJson = (report: Report): string => JSON.stringify(report, undefined, 2)

const symbols: Readonly<Record<Verdict, string>> = { passed: "✓", failed: "✗", unknown: "?", skipped: "–" }
const words: Readonly<Record<Verdict, string>> = {
  passed: "kept",
  failed: "not kept",
  unknown: "cannot tell",
  skipped: "not looked at"
}

/** What is only recommended is no alarm. */
const symbolOf = ({ level, verdict }: Finding): string =>
  verdict === "failed" && level !== "MUST" ? level === "SHOULD" ? "!" : "·" : symbols[verdict]

const escape = "\u001b["
const paint = (code: string, text: string, color: boolean) => color ? `${escape}${code}m${text}${escape}0m` : text
const colorOf = (finding: Finding): string =>
  finding.verdict === "passed"
    ? "32"
    : finding.verdict === "failed"
    ? finding.level === "MUST" ? "31;1" : finding.level === "SHOULD" ? "33" : "2"
    : finding.verdict === "unknown"
    ? "36"
    : "2"

/** Longer than any text of a report. */
const longest = 4_096

const safe = (text: string): string => sanitize(text, longest)

const wrap = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === "" ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}

const kinds: Readonly<Record<Report["kind"], string>> = {
  "authorization-server": "authorization server",
  "mcp-server": "MCP server",
  "access-token": "access token"
}

/**
 * For people at a terminal. Symbols and words say everything that colours say. Control characters are escaped, also in a
 * report that was read from a file.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toTable = (report: Report, options: TableOptions): string => {
  const { color, verbose = false } = options
  const width = Math.max(40, Math.min(options.width, 120))
  const lines: Array<string> = []
  const indented = (text: string, first: string, rest: string, code?: string) =>
    wrap(safe(text), width - rest.length).forEach((line, index) =>
      lines.push((index === 0 ? first : rest) + (code === undefined ? line : paint(code, line, color)))
    )
  const title = safe(`${report.subject}${report.provider === undefined ? "" : ` (${report.provider})`}`)
  lines.push(paint("1", title, color))
  lines.push(paint("2", `${kinds[report.kind]}, against MCP ${safe(report.revision)}`, color), "")
  for (const finding of report.findings) {
    const open = finding.verdict === "failed" || finding.verdict === "unknown"
    const head = `${symbolOf(finding)} ${finding.level.padEnd(6)} `
    const words = finding.verdict === "failed" || finding.verdict === "unknown" ? ` — ${wordOf(finding)}` : ""
    lines.push(paint(colorOf(finding), `${head}${safe(finding.title)}${words}`, color))
    if (open || verbose) indented(finding.why, "           ", "           ")
    if (finding.verdict === "failed" && (finding.level !== "MAY" || verbose)) {
      indented(finding.change ?? "", "         → ", "           ", "1")
    }
    if ((finding.verdict === "failed" && finding.level === "MUST") || (open && verbose)) {
      indented(`${finding.standard}: “${finding.sentence}”`, "           ", "           ", "2")
    }
  }
  if (report.options !== undefined) {
    lines.push("", paint("1", "What accepts it:", color), "", sanitizeLines(report.options))
  }
  if (report.notes.length > 0) {
    lines.push("")
    for (const note of report.notes) indented(note, "• ", "  ")
  }
  const result = report.outcome === "fits" ? "32;1" : report.outcome === "does-not-fit" ? "31;1" : "33;1"
  const symbol = report.outcome === "fits" ? "✓" : report.outcome === "does-not-fit" ? "✗" : "?"
  lines.push("", paint(result, `${symbol} ${safe(report.summary)}`, color))
  for (const part of report.parts) lines.push("", toTable(part, options))
  return lines.join("\n")
}

const wordOf = (finding: Finding): string =>
  finding.verdict === "failed" && finding.level === "MAY" ? "not offered" : words[finding.verdict]

/** Text of others must not become markup. */
const md = (text: string): string => safe(text).replace(/[\\`*_{}[\]<>#|~]/g, "\\$&").replace(/\s+/g, " ")

/**
 * For an issue, a wiki, a pull request.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toMarkdown = (report: Report): string => {
  const rows = report.findings.map((finding) => {
    const change = finding.change === undefined ? "" : `. **Change:** ${md(finding.change)}`
    return `| ${symbolOf(finding)} ${wordOf(finding)} | ${finding.level} | ${md(finding.title)} | ` +
      `${md(finding.why)}${change} | ${md(finding.standard)} |`
  })
  const provider = report.provider === undefined ? "" : ` (${md(report.provider)})`
  return [
    `## ${md(report.subject)}${provider}`,
    "",
    `**${md(report.summary)}** (${kinds[report.kind]}, MCP ${report.revision}, ${report.at})`,
    "",
    "| | Level | Rule | Why | Standard |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    ...(report.options === undefined ? [] : ["", "```ts", sanitizeLines(report.options), "```"]),
    ...(report.notes.length === 0 ? [] : ["", ...report.notes.map((note) => `- ${md(note)}`)]),
    ...report.parts.flatMap((part) => ["", toMarkdown(part)])
  ].join("\n")
}

const xml = (text: string): string =>
  safe(text).replace(/[\ufffe\uffff]/g, "?").replace(
    /[&<>"'\n]/g,
    (character) => `&#${character.charCodeAt(0)};`
  )

/**
 * For a build: one test case for each rule. A MUST that is not kept is a failure; what is only recommended, or could not be
 * told, is skipped with its reason.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toJunit = (report: Report): string => {
  const suites = allOf(report).map((one) => {
    const cases = one.findings.map((finding) => {
      const head = `    <testcase classname="${xml(one.subject)}" name="${
        xml(`${finding.level} ${finding.rule}: ${finding.title}`)
      }"`
      const text = `${finding.why}${finding.change === undefined ? "" : `. ${finding.change}`} (${finding.standard})`
      if (finding.verdict === "passed") return `${head}/>`
      return finding.verdict === "failed" && finding.level === "MUST"
        ? `${head}><failure message="${xml(finding.why)}">${xml(text)}</failure></testcase>`
        : `${head}><skipped message="${xml(`${wordOf(finding)}: ${text}`)}"/></testcase>`
    })
    const failures = one.findings.filter(isFailure).length
    const skipped = one.findings.filter((_) => _.verdict !== "passed" && !isFailure(_)).length
    return [
      `  <testsuite name="${xml(one.subject)}" tests="${one.findings.length}" failures="${failures}" errors="0" ` +
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
  ]
    .join("\n")
}

const isFailure = ({ level, verdict }: Finding) => verdict === "failed" && level === "MUST"

const allOf = (report: Report): ReadonlyArray<Report> => [report, ...report.parts.flatMap(allOf)]
