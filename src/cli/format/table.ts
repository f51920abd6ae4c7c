/**
 * Formats reports for a terminal.
 *
 * @since 0.1.0
 */
import { sanitizeLines } from "../../protocol/RemoteText.ts"
import type { Finding, Report } from "../../provider/report/Report.ts"
import { isFailure, kinds, safe, symbolFor, wordFor } from "./labels.ts"

/**
 * Configures the layout of a report at a terminal.
 *
 * @category models
 * @since 0.1.0
 */
export interface TerminalLayout {
  readonly color: boolean
  /** The width in columns. A width below 40 counts as 40, and a width above 120 as 120. */
  readonly width: number
  /**
   * Also explains the rules that pass or are skipped, quotes the standard for every rule that fails or is inconclusive, and
   * tells how to satisfy a MAY that fails. Default: `false`.
   */
  readonly verbose?: boolean | undefined
}

const escape = "\u001b["
const paint = (code: string, text: string, color: boolean) => color ? `${escape}${code}m${text}${escape}0m` : text

const colorFor = (finding: Finding): string => {
  switch (finding.verdict) {
    case "pass":
      return "32"
    case "fail":
      return finding.level === "MUST" ? "31;1" : finding.level === "SHOULD" ? "33" : "2"
    case "inconclusive":
      return "36"
    case "skipped":
      return "2"
  }
}

const outcomes: Readonly<Record<Report["outcome"], { readonly symbol: string; readonly color: string }>> = {
  pass: { symbol: "✓", color: "32;1" },
  fail: { symbol: "✗", color: "31;1" },
  inconclusive: { symbol: "?", color: "33;1" }
}

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

/**
 * Writes a report as lines for a terminal. Symbols and words repeat what the colors express, for readers and terminals without
 * colors.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toTable = (report: Report, layout: TerminalLayout): string => {
  const { color, verbose = false } = layout
  const width = Math.max(40, Math.min(layout.width, 120))
  const lines: Array<string> = []
  const indented = (text: string, first: string, rest: string, code?: string) =>
    wrap(safe(text), width - rest.length).forEach((line, index) =>
      lines.push((index === 0 ? first : rest) + (code === undefined ? line : paint(code, line, color)))
    )
  const title = safe(`${report.subject}${report.provider === undefined ? "" : ` (${report.provider})`}`)
  lines.push(paint("1", title, color))
  lines.push(paint("2", `${kinds[report.kind]}, checked against MCP ${safe(report.revision)}`, color), "")
  for (const finding of report.findings) {
    const open = finding.verdict === "fail" || finding.verdict === "inconclusive"
    const head = `${symbolFor(finding)} ${finding.level.padEnd(6)} `
    const word = open ? ` — ${wordFor(finding)}` : ""
    lines.push(paint(colorFor(finding), `${head}${safe(finding.title)}${word}`, color))
    if (open || verbose) indented(finding.why, "           ", "           ")
    if (finding.verdict === "fail" && (finding.level !== "MAY" || verbose)) {
      indented(finding.change ?? "", "         → ", "           ", "1")
    }
    if (isFailure(finding) || (open && verbose)) {
      indented(`${finding.standard}: “${finding.sentence}”`, "           ", "           ", "2")
    }
  }
  if (report.options !== undefined) {
    lines.push("", paint("1", "Options that accept it:", color), "", sanitizeLines(report.options))
  }
  if (report.notes.length > 0) {
    lines.push("")
    for (const note of report.notes) indented(note, "• ", "  ")
  }
  const outcome = outcomes[report.outcome]
  lines.push("", paint(outcome.color, `${outcome.symbol} ${safe(report.summary)}`, color))
  for (const part of report.parts) lines.push("", toTable(part, layout))
  return lines.join("\n")
}
