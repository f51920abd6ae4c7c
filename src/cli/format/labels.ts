/**
 * The words and symbols of a report, shared by its formats.
 *
 * @since 0.1.0
 */
import { sanitize } from "../../protocol/RemoteText.ts"
import type { Finding, Report } from "../../provider/report/Report.ts"
import type { Verdict } from "../../provider/report/Rule.ts"

const symbols: Readonly<Record<Verdict, string>> = { pass: "✓", fail: "✗", inconclusive: "?", skipped: "–" }

/**
 * Names what a report is about.
 *
 * @category constants
 * @since 0.1.0
 */
export const kinds: Readonly<Record<Report["kind"], string>> = {
  "authorization-server": "authorization server",
  "mcp-server": "MCP server",
  "access-token": "access token"
}

/**
 * Returns the symbol of a finding. A recommendation that is not followed is a warning, and an option that is not offered is
 * neither.
 *
 * @category getters
 * @since 0.1.0
 */
export const symbolFor = ({ level, verdict }: Finding): string =>
  verdict === "fail" && level !== "MUST" ? level === "SHOULD" ? "!" : "·" : symbols[verdict]

/**
 * Returns the word of a finding.
 *
 * @category getters
 * @since 0.1.0
 */
export const wordFor = ({ level, verdict }: Finding): string =>
  verdict === "fail" && level === "MAY" ? "not offered" : verdict

/**
 * Whether a finding is a failure of the whole: a MUST that fails.
 *
 * @category getters
 * @since 0.1.0
 */
export const isFailure = ({ level, verdict }: Finding): boolean => verdict === "fail" && level === "MUST"

/** In characters. Longer than any text of a report. */
const longest = 4_096

/**
 * Escapes control characters, which a report that was read from a file can hold.
 *
 * @category encoding
 * @since 0.1.0
 */
export const safe = (text: string): string => sanitize(text, longest)
