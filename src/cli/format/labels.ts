/**
 * Defines the words and symbols that the formats of a report share.
 *
 * @since 0.1.0
 */
import { sanitize } from "../../protocol/RemoteText.ts"
import type { Finding, Report } from "../../provider/report/Report.ts"
import type { Verdict } from "../../provider/report/Rule.ts"

const symbols: Readonly<Record<Verdict, string>> = { pass: "✓", fail: "✗", inconclusive: "?", skipped: "–" }

/**
 * Maps each kind of report to the words that people read.
 *
 * @category constants
 * @since 0.1.0
 */
export const kinds: Readonly<Record<Report["kind"], string>> = {
  "authorization-server": "authorization server",
  "mcp-server": "MCP server",
  "access-token": "access token",
  server: "server"
}

/**
 * Returns the symbol of a finding. A SHOULD that fails has `!`, and a MAY that fails has `·`, because neither makes the report
 * fail. Every other finding has the symbol of its verdict.
 *
 * @category getters
 * @since 0.1.0
 */
export const symbolFor = ({ level, verdict }: Finding): string =>
  verdict === "fail" && level !== "MUST" ? level === "SHOULD" ? "!" : "·" : symbols[verdict]

/**
 * Returns the verdict of a finding as words. A MAY that fails is `not offered`.
 *
 * @category getters
 * @since 0.1.0
 */
export const wordFor = ({ level, verdict }: Finding): string =>
  verdict === "fail" && level === "MAY" ? "not offered" : verdict

/**
 * Tells whether a finding makes the whole report fail: a MUST that fails.
 *
 * @category getters
 * @since 0.1.0
 */
export const isFailure = ({ level, verdict }: Finding): boolean => verdict === "fail" && level === "MUST"

/** The length at which `safe` cuts a text, in characters. The texts of a report are shorter. */
const longest = 4_096

/**
 * Escapes control characters. A report can come from a file, so its texts may contain them.
 *
 * @category encoding
 * @since 0.1.0
 */
export const safe = (text: string): string => sanitize(text, longest)
