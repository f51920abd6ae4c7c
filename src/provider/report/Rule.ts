/**
 * What is looked at, as data: each rule with the sentence of the standard that it comes from, how strict that is in a
 * revision of MCP, and what to change where it is not kept.
 *
 * @since 0.1.0
 */

/**
 * The revisions of MCP that can be judged against, the newest first.
 *
 * @category constants
 * @since 0.1.0
 */
export const revisions = ["2026-07-28", "2025-11-25", "2025-06-18"] as const

/**
 * A revision of MCP that can be judged against.
 *
 * @category models
 * @since 0.1.0
 */
export type Revision = typeof revisions[number]

/**
 * How strict a rule is (RFC 2119).
 *
 * @category models
 * @since 0.1.0
 */
export type Level = "MUST" | "SHOULD" | "MAY"

/**
 * One rule.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  readonly id: string
  /** What holds where it is kept. */
  readonly title: string
  /** One for all revisions, or one for each: a revision that is left out does not know the rule. */
  readonly level: Level | { readonly [R in Revision]?: Level }
  /** The level follows from the sentence, which speaks to somebody else or has no word of RFC 2119 for it. */
  readonly derived?: true
  /** Where it is written. */
  readonly standard: string
  /** What is written there, quoted; `[…]` is what was left out. One for all revisions, or one for each. */
  readonly sentence: string | { readonly [R in Revision]?: string }
  /** What to change where it is not kept. */
  readonly change: string
}

/**
 * How strict a rule is in a revision; `undefined` where that does not know it.
 *
 * @category getters
 * @since 0.1.0
 */
export const levelOf = (rule: Rule, revision: Revision): Level | undefined =>
  typeof rule.level === "string" ? rule.level : rule.level[revision]

/**
 * What a revision says.
 *
 * @category getters
 * @since 0.1.0
 */
export const sentenceOf = ({ sentence }: Rule, revision: Revision): string =>
  typeof sentence === "string" ? sentence : sentence[revision] ?? ""

/**
 * What was found out: kept, not kept, or not to be told. `"skipped"` is what was not looked at, and counts for nothing.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict = "passed" | "failed" | "unknown" | "skipped"

/**
 * A verdict before the revision is chosen.
 *
 * @category models
 * @since 0.1.0
 */
export interface Judgement {
  readonly rule: Rule
  readonly verdict: Verdict
  readonly why: string
  /** What to change at this very provider, where that is known. */
  readonly change?: string | undefined
}

/**
 * The rule is kept.
 *
 * @category constructors
 * @since 0.1.0
 */
export const passed = (rule: Rule, why: string): Judgement => ({ rule, verdict: "passed", why })

/**
 * The rule is not kept.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failed = (rule: Rule, why: string, change?: string): Judgement => ({
  rule,
  verdict: "failed",
  why,
  change
})

/**
 * Nobody can tell from what was seen.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unknown = (rule: Rule, why: string): Judgement => ({ rule, verdict: "unknown", why })

/**
 * It was not looked at.
 *
 * @category constructors
 * @since 0.1.0
 */
export const skipped = (rule: Rule, why: string): Judgement => ({ rule, verdict: "skipped", why })
