/**
 * The result of a check as one value.
 *
 * @since 0.1.0
 */
import { sanitizeLines } from "../../protocol/RemoteText.ts"
import { shown } from "./Json.ts"
import { type Judgement, type Level, levelOf, type Revision, sentenceOf, type Verdict } from "./Rule.ts"

/**
 * One rule, judged.
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
  /** What to change: only where the rule is not kept. */
  readonly change?: string
}

/**
 * Fits, when every MUST is kept; does not, when one is not; cannot be told, when one could not be judged.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = "fits" | "does-not-fit" | "cannot-tell"

/**
 * A report.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly kind: "authorization-server" | "mcp-server" | "access-token"
  /** The URL that was looked at, or what stands for it. Never a token. */
  readonly subject: string
  readonly revision: Revision
  /** When, in ISO 8601. */
  readonly at: string
  readonly outcome: Outcome
  /** One sentence. */
  readonly summary: string
  /** The name of the provider, where it is a known one. */
  readonly provider?: string
  readonly findings: ReadonlyArray<Finding>
  readonly notes: ReadonlyArray<string>
  /** The `AuthLayer` options that fit what was seen. */
  readonly options?: string
  /** The reports of what it depends on: the authorization servers of an MCP server. */
  readonly parts: ReadonlyArray<Report>
}

/**
 * What a report is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly kind: Report["kind"]
  readonly subject: string
  readonly revision: Revision
  /** In milliseconds. */
  readonly now: number
  readonly judgements: ReadonlyArray<Judgement>
  readonly provider?: string | undefined
  readonly notes?: ReadonlyArray<string> | undefined
  readonly options?: string | undefined
  readonly parts?: ReadonlyArray<Report> | undefined
}

/**
 * From judgements to a report: rules that the revision does not know drop out.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = ({ judgements, kind, now, options, parts = [], revision, subject, ...rest }: Options): Report => {
  const findings = judgements.flatMap((judgement): ReadonlyArray<Finding> => {
    const { rule, verdict, why } = judgement
    const level = levelOf(rule, revision)
    if (level === undefined) return []
    const { id, title } = rule
    const standard = rule.derived === true ? `${rule.standard} (the level is ours)` : rule.standard
    const sentence = sentenceOf(rule, revision)
    const change = verdict === "failed" ? { change: shown(judgement.change ?? rule.change, 600) } : {}
    return [{ rule: id, title, level, verdict, why: shown(why, 600), standard, sentence, ...change }]
  })
  const outcome = outcomeOf(findings)
  return {
    kind,
    subject: shown(subject, 300),
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

const outcomeOf = (findings: ReadonlyArray<Finding>): Outcome => {
  const must = findings.filter(({ level }) => level === "MUST")
  return must.some(({ verdict }) => verdict === "failed")
    ? "does-not-fit"
    : must.some(({ verdict }) => verdict === "unknown")
    ? "cannot-tell"
    : "fits"
}

const summarize = (outcome: Outcome, findings: ReadonlyArray<Finding>): string => {
  const count = (level: Level, verdict: Verdict) =>
    findings.filter((_) => _.level === level && _.verdict === verdict).length
  const failed = count("MUST", "failed")
  const wishes = count("SHOULD", "failed")
  const advice = wishes === 0 ? "" : `, and ${wishes} SHOULD ${wishes === 1 ? "is" : "are"} not kept`
  switch (outcome) {
    case "fits":
      return `Fits${count("MUST", "skipped") === 0 ? "" : " as far as it was looked at"}${
        advice === "" ? ": nothing that could be told is amiss" : advice
      }`
    case "does-not-fit":
      return `Does not fit: ${failed} MUST ${failed === 1 ? "is" : "are"} not kept${advice}`
    case "cannot-tell":
      return `Cannot tell: ${count("MUST", "unknown")} MUST could not be judged${advice}`
  }
}

/**
 * Puts reports behind another. The worst of all outcomes becomes that of the whole.
 *
 * @category combinators
 * @since 0.1.0
 */
export const withParts = (self: Report, parts: ReadonlyArray<Report>): Report => {
  const all = [self, ...parts].map(({ outcome }) => outcome)
  const outcome = all.find((_) => _ === "does-not-fit") ?? all.find((_) => _ === "cannot-tell") ?? "fits"
  return {
    ...self,
    outcome,
    parts: [...self.parts, ...parts],
    ...(outcome === self.outcome ? {} : { summary: `${self.summary}; but not all that belongs to it does: see below` })
  }
}

/**
 * What a program ends with: 0 when it fits, 1 when not, 2 when that could not be told.
 *
 * **Example** (In a build)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Check, Report } from "effect-mcp-auth/provider"
 *
 * const code = Check.run("https://auth.example.com").pipe(Effect.map(Report.exitCode))
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const exitCode = ({ outcome }: Report): 0 | 1 | 2 => outcome === "fits" ? 0 : outcome === "does-not-fit" ? 1 : 2
