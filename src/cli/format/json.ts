/**
 * Formats reports as JSON, for programs.
 *
 * @since 0.1.0
 */
import type { Report } from "../../provider/report/Report.ts"

/**
 * Writes a report as JSON, with all its members.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toJson = (report: Report): string => JSON.stringify(report, undefined, 2)
