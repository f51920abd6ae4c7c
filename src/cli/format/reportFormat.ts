/**
 * The formats of a report.
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
 * A format: for a terminal, a program, a text or a build.
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
 * Writes a report. The layout counts for `table` alone.
 *
 * @category encoding
 * @since 0.1.0
 */
export const write = (format: Format, report: Report, layout: TerminalLayout): string => writers[format](report, layout)
