/**
 * Rules as data. Each rule quotes a sentence of a standard, has a level for each revision of MCP, and names what to change if
 * it fails.
 *
 * @since 0.1.0
 */

/**
 * Lists the revisions of MCP that a check can use, the newest first.
 *
 * @category constants
 * @since 0.1.0
 */
export const revisions = ["2026-07-28", "2025-11-25", "2025-06-18"] as const

/**
 * A revision of MCP that a check can use.
 *
 * @category models
 * @since 0.1.0
 */
export type Revision = typeof revisions[number]

/**
 * The level of a rule (RFC 2119).
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
  /** States what is true if the rule passes. */
  readonly title: string
  /** One level for all revisions, or one for each. A revision without a level does not have the rule. */
  readonly level: Level | { readonly [R in Revision]?: Level }
  /**
   * Set if this library derives the level. It derives the level if `sentence` addresses another party or has no keyword of
   * RFC 2119.
   */
  readonly derived?: true
  /** The standard and its section. */
  readonly standard: string
  /** A verbatim quotation, with `[…]` for omissions. One for all revisions, or one for each. */
  readonly sentence: string | { readonly [R in Revision]?: string }
  /** The change that makes the rule pass. */
  readonly change: string
}

/**
 * Returns the level of a rule in a revision; `undefined` if the revision does not have the rule.
 *
 * @category getters
 * @since 0.1.0
 */
export const getLevel = (rule: Rule, revision: Revision): Level | undefined =>
  typeof rule.level === "string" ? rule.level : rule.level[revision]

/**
 * Returns the quoted sentence of a rule for a revision.
 *
 * @category getters
 * @since 0.1.0
 */
export const getSentence = ({ sentence }: Rule, revision: Revision): string =>
  typeof sentence === "string" ? sentence : sentence[revision] ?? ""

/**
 * The result of a rule. `"inconclusive"`: the responses do not show whether the rule passes. `"skipped"`: the rule was not
 * checked, and does not affect the outcome.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict = "pass" | "fail" | "inconclusive" | "skipped"

/**
 * The verdict on one rule, without its level, which depends on the revision.
 *
 * @category models
 * @since 0.1.0
 */
export interface RuleResult {
  readonly rule: Rule
  readonly verdict: Verdict
  readonly why: string
  /** The change that makes the rule pass here, if it differs from the general `change` of the rule. */
  readonly change?: string | undefined
}

/**
 * Records that a rule passes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const pass = (rule: Rule, why: string): RuleResult => ({ rule, verdict: "pass", why })

/**
 * Records that a rule fails.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fail = (rule: Rule, why: string, change?: string): RuleResult => ({
  rule,
  verdict: "fail",
  why,
  change
})

/**
 * Records that the responses do not show whether a rule passes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const inconclusive = (rule: Rule, why: string): RuleResult => ({ rule, verdict: "inconclusive", why })

/**
 * Records that a rule was not checked.
 *
 * @category constructors
 * @since 0.1.0
 */
export const skip = (rule: Rule, why: string): RuleResult => ({ rule, verdict: "skipped", why })
