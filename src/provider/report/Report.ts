/**
 * The report about an authorization server, an MCP server or a token: one value with an outcome and a finding for each rule.
 *
 * @since 0.1.0
 */
import { sanitizeLines } from "../../protocol/RemoteText.ts"
import { shown } from "./Json.ts"
import { getLevel, getSentence, type Level, type Revision, type RuleResult, type Verdict } from "./Rule.ts"

/**
 * The verdict on one rule, with its reason.
 *
 * @category models
 * @since 0.1.0
 */
export interface Finding {
  readonly rule: string
  readonly title: string
  readonly level: Level
  readonly verdict: Verdict
  readonly why: string
  readonly standard: string
  readonly sentence: string
  /** The change that makes the rule pass. Set only if the rule fails. */
  readonly change?: string
}

/**
 * The outcome of a report. `"fail"`: a rule with the level MUST fails. `"inconclusive"`: no such rule fails, but at least one
 * is inconclusive. `"pass"`: otherwise.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "pass" | "fail" | "inconclusive"

/**
 * The result of a check: the outcome, and one finding for each rule.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** `"server"` is a server whose kind could not be detected. */
  readonly kind: "authorization-server" | "mcp-server" | "access-token" | "server"
  /** The URL that was checked, or a description of what was checked. Never a token. */
  readonly subject: string
  readonly revision: Revision
  /** The time of the report, in ISO 8601. */
  readonly at: string
  readonly outcome: Outcome
  /** The outcome in one sentence. */
  readonly summary: string
  /** The name of the identity provider, if it is known. */
  readonly provider?: string
  readonly findings: ReadonlyArray<Finding>
  readonly notes: ReadonlyArray<string>
  /** The `AuthLayer` options with which a server accepts the token, as TypeScript code. */
  readonly options?: string
  /** For an MCP server, the reports about its authorization servers. */
  readonly parts: ReadonlyArray<Report>
}

/**
 * The input of `make`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly kind: Report["kind"]
  readonly subject: string
  readonly revision: Revision
  /** In milliseconds since 1970. */
  readonly now: number
  readonly results: ReadonlyArray<RuleResult>
  readonly provider?: string | undefined
  readonly notes?: ReadonlyArray<string> | undefined
  readonly options?: string | undefined
  readonly parts?: ReadonlyArray<Report> | undefined
}

/**
 * Creates a report from the results of rules. Leaves out rules that the revision does not have.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = ({ kind, now, options, parts = [], results, revision, subject, ...rest }: Options): Report => {
  const findings = results.flatMap((result): ReadonlyArray<Finding> => {
    const { rule, verdict, why } = result
    const level = getLevel(rule, revision)
    if (level === undefined) return []
    const { id, title } = rule
    const standard = rule.derived === true ? `${rule.standard} (level set by this library)` : rule.standard
    const sentence = getSentence(rule, revision)
    const change = verdict === "fail" ? { change: shown(result.change ?? rule.change, 600) } : {}
    return [{ rule: id, title, level, verdict, why: shown(why, 600), standard, sentence, ...change }]
  })
  const outcome = getOutcome(findings)
  return {
    kind,
    subject: shown(subject, 2048),
    revision,
    at: new Date(now).toISOString(),
    outcome,
    summary: summarize(outcome, findings),
    ...(rest.provider === undefined ? {} : { provider: shown(rest.provider) }),
    findings,
    notes: (rest.notes ?? []).map((note) => shown(note, 600)),
    ...(options === undefined ? {} : { options: sanitizeLines(options) }),
    parts
  }
}

const getOutcome = (findings: ReadonlyArray<Finding>): Outcome => {
  const must = findings.filter(({ level }) => level === "MUST")
  return must.some(({ verdict }) => verdict === "fail")
    ? "fail"
    : must.some(({ verdict }) => verdict === "inconclusive")
    ? "inconclusive"
    : "pass"
}

const rules = (count: number, level: Level, singular: string, plural: string): string =>
  count === 1 ? `1 ${level} rule ${singular}` : `${count} ${level} rules ${plural}`

const summarize = (outcome: Outcome, findings: ReadonlyArray<Finding>): string => {
  const count = (level: Level, verdict: Verdict) =>
    findings.filter((_) => _.level === level && _.verdict === verdict).length
  const recommended = count("SHOULD", "fail")
  const advice = recommended === 0 ? "" : `, and ${rules(recommended, "SHOULD", "fails", "fail")}`
  switch (outcome) {
    case "pass": {
      const skipped = count("MUST", "skipped")
      const rest = [
        ...(skipped === 0 ? [] : [`${rules(skipped, "MUST", "was", "were")} not checked`]),
        ...(recommended === 0 ? [] : [rules(recommended, "SHOULD", "fails", "fail")])
      ]
      return `Pass: ${rest.length === 0 ? "no problems found" : rest.join(", and ")}`
    }
    case "fail":
      return `Fail: ${rules(count("MUST", "fail"), "MUST", "fails", "fail")}${advice}`
    case "inconclusive":
      return `Inconclusive: ${rules(count("MUST", "inconclusive"), "MUST", "is", "are")} inconclusive${advice}`
  }
}

/**
 * Adds reports to another report as its parts. The new outcome is the worst of all outcomes. The order, with the
 * worst first, is `"fail"`, `"inconclusive"`, `"pass"`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withParts = (self: Report, parts: ReadonlyArray<Report>): Report => {
  const all = [self, ...parts].map(({ outcome }) => outcome)
  const outcome = all.find((_) => _ === "fail") ?? all.find((_) => _ === "inconclusive") ?? "pass"
  return {
    ...self,
    outcome,
    parts: [...self.parts, ...parts],
    ...(outcome === self.outcome ? {} : { summary: `${self.summary}. A part does not pass: see below` })
  }
}

/**
 * Returns the exit code for a report: 0 for `"pass"`, 1 for `"fail"`, 2 for `"inconclusive"`.
 *
 * **Example** (In a build)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Check, Report } from "effect-mcp-auth/provider"
 *
 * const code = Check.run("https://auth.example.com").pipe(Effect.map(Report.toExitCode))
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const toExitCode = ({ outcome }: Report): 0 | 1 | 2 => outcome === "pass" ? 0 : outcome === "fail" ? 1 : 2
