/**
 * Formats reports for a terminal.
 *
 * @since 0.1.0
 */
import { sanitizeLines } from "../../protocol/RemoteText.ts"
import type { Finding, Report } from "../../provider/report/Report.ts"
import { isFailure, kinds, safe, symbolFor, wordFor } from "./labels.ts"
import { toWidth, wrap } from "./wrap.ts"

/**
 * Configures the layout of a report at a terminal.
 *
 * @category models
 * @since 0.1.0
 */
export interface TerminalLayout {
  readonly color: boolean
  /** The width in columns. A width below 40 counts as 40, a width above 120 as 120, and 0 as 100. */
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

/**
 * Writes a report as lines for a terminal. Symbols and words repeat what the colors express, for readers and terminals without
 * colors. No line is longer than the width, except lines of the options of a token: they are code to copy.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toTable = (report: Report, layout: TerminalLayout): string => {
  const { color, verbose = false } = layout
  const width = toWidth(layout.width)
  const lines: Array<string> = []
  const add = (text: string, { code, first = "", rest = "" }: Indentation = {}) =>
    wrap(safe(text), width - rest.length).forEach((line, index) => {
      const indentation = index === 0 ? first : rest
      lines.push(indentation + (code === undefined ? line : paint(code, line, color)))
    })
  const explanation = " ".repeat(11)
  add(`${report.subject}${report.provider === undefined ? "" : ` (${report.provider})`}`, { code: "1" })
  add(`${kinds[report.kind]}, checked against MCP ${report.revision}`, { code: "2" })
  lines.push("")
  for (const finding of report.findings) {
    const open = finding.verdict === "fail" || finding.verdict === "inconclusive"
    const head = `${symbolFor(finding)} ${finding.level.padEnd(6)} `
    const word = open ? ` — ${wordFor(finding)}` : ""
    wrap(safe(`${finding.title}${word}`), width - head.length).forEach((line, index) =>
      lines.push(paint(colorFor(finding), `${index === 0 ? head : " ".repeat(head.length)}${line}`, color))
    )
    if (open || verbose) add(finding.why, { first: explanation, rest: explanation })
    if (finding.verdict === "fail" && (finding.level !== "MAY" || verbose)) {
      add(finding.change ?? "", { first: "         → ", rest: explanation, code: "1" })
    }
    if (isFailure(finding) || (open && verbose)) {
      add(`${finding.standard}: “${finding.sentence}”`, { first: explanation, rest: explanation, code: "2" })
    }
  }
  if (report.options !== undefined) {
    lines.push("", paint("1", "Options that accept it:", color), "", sanitizeLines(report.options))
  }
  if (report.notes.length > 0) {
    lines.push("")
    for (const note of report.notes) add(note, { first: "• ", rest: "  " })
  }
  const outcome = outcomes[report.outcome]
  lines.push("")
  add(`${outcome.symbol} ${report.summary}`, { code: outcome.color })
  for (const part of report.parts) lines.push("", toTable(part, layout))
  return lines.join("\n")
}

interface Indentation {
  /** The indentation of the first line, as wide as that of the others. Default: none. */
  readonly first?: string
  /** The indentation of every other line. Default: none. */
  readonly rest?: string
  /** The ANSI code of the color. */
  readonly code?: string
}
