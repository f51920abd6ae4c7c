/**
 * Formats reports as Markdown, for issues, wikis and pull requests.
 *
 * @since 0.1.0
 */
import { sanitizeLines } from "../../protocol/RemoteText.ts"
import type { Report } from "../../provider/report/Report.ts"
import { kinds, safe, symbolFor, wordFor } from "./labels.ts"
import { markdownTable } from "./markdownTable.ts"

/** Escapes Markdown characters, because text from a checked server must not become markup. */
const escape = (text: string): string => safe(text).replace(/[\\`*_{}[\]<>#|~]/g, "\\$&").replace(/\s+/g, " ")

/**
 * Writes a report as Markdown, with a table of its findings.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toMarkdown = (report: Report): string => {
  const rows = report.findings.map((finding) => {
    const change = finding.change === undefined ? "" : `. **Change:** ${escape(finding.change)}`
    return [
      `${symbolFor(finding)} ${wordFor(finding)}`,
      finding.level,
      escape(finding.title),
      `${escape(finding.why)}${change}`,
      escape(finding.standard)
    ]
  })
  const provider = report.provider === undefined ? "" : ` (${escape(report.provider)})`
  return [
    `## ${escape(report.subject)}${provider}`,
    "",
    `**${escape(report.summary)}** (${kinds[report.kind]}, MCP ${report.revision}, ${report.at})`,
    "",
    markdownTable(["", "Level", "Rule", "Why", "Standard"], rows),
    ...(report.options === undefined ? [] : ["", "```ts", sanitizeLines(report.options), "```"]),
    ...(report.notes.length === 0 ? [] : ["", ...report.notes.map((note) => `- ${escape(note)}`)]),
    ...report.parts.flatMap((part) => ["", toMarkdown(part)])
  ].join("\n")
}
