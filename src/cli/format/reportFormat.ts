/**
 * Lists the formats of a report, and selects the function for each.
 *
 * @since 0.1.0
 */
import type { Report } from "../../provider/report/Report.ts"
import { toJson } from "./json.ts"
import { toJunit } from "./junit.ts"
import { toMarkdown } from "./markdown.ts"
import { type TerminalLayout, toTable } from "./table.ts"

/**
 * Lists the names of the formats.
 *
 * @category constants
 * @since 0.1.0
 */
export const formats = ["table", "json", "markdown", "junit"] as const

/**
 * Names a format: `table` for a terminal, `json` for a program, `markdown` for a document, or `junit` for a build.
 *
 * @category models
 * @since 0.1.0
 */
export type Format = typeof formats[number]

const writers: Readonly<Record<Format, (report: Report, layout: TerminalLayout) => string>> = {
  table: toTable,
  json: toJson,
  markdown: toMarkdown,
  junit: toJunit
}

/**
 * Formats a report. `layout` applies to `table` only.
 *
 * @category encoding
 * @since 0.1.0
 */
export const write = (format: Format, report: Report, layout: TerminalLayout): string => writers[format](report, layout)
