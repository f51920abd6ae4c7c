import * as ConfigOption from "../../../protocol/ConfigOption.ts"
import { compare, type Condition } from "../Condition.ts"

/* The normal form of policies: a list of alternatives, none of which covers another one. */

/** A set of scopes and conditions. A caller who has all of them satisfies the policy. */
export interface Alternative {
  /** The scopes, without duplicates, in the order of their names. */
  readonly scopes: ReadonlyArray<string>
  /** The conditions, without duplicates, in the order of their evaluation. */
  readonly conditions: ReadonlyArray<Condition>
}

/** Returns some scopes and all scopes that they imply. */
export type ImpliedBy = (scopes: ReadonlySet<string>) => ReadonlySet<string>

/**
 * The maximum number of alternatives of a policy. To find the cheapest sufficient set of scopes is NP-hard in general, so a
 * larger policy is rejected where it is written.
 */
export const maximumAlternatives = 64

/** The maximum number of alternatives before all of them are compared. It limits the time that a constructor takes. */
const maximumCompared = 1024

/** An alternative, with the scopes in effect and the keys of the conditions for a caller who has exactly this alternative. */
interface Expanded {
  readonly alternative: Alternative
  readonly name: string
  readonly effective: ReadonlySet<string>
  readonly keys: ReadonlySet<unknown>
}

/** Returns whether each caller who satisfies `b` also satisfies `a`. */
const covers = (a: Expanded, b: Expanded): boolean =>
  a.alternative.scopes.every((scope) => b.effective.has(scope)) &&
  a.alternative.conditions.every(({ key }) => b.keys.has(key))

const withoutHierarchy: ImpliedBy = (scopes) => scopes

/**
 * Returns the alternatives that no other one covers. The result depends only on the meaning of the policy: order, nesting and
 * repetition make no difference. Throws `AuthConfigError` if there are too many; `option` names the constructor.
 */
export const minimize = (
  alternatives: Iterable<Alternative>,
  option: string,
  impliedBy: ImpliedBy = withoutHierarchy
): ReadonlyArray<Alternative> => {
  let minimal: Array<Expanded> = []
  for (const alternative of alternatives) {
    const added: Expanded = {
      alternative,
      name: nameOf(alternative),
      effective: impliedBy(new Set(alternative.scopes)),
      keys: new Set(alternative.conditions.map(({ key }) => key))
    }
    // In a cycle of the hierarchy, two alternatives cover each other. Then the first by name remains, in every order of writing.
    if (minimal.some((one) => covers(one, added) && (one.name <= added.name || !covers(added, one)))) continue
    minimal = minimal.filter((one) => !covers(added, one))
    minimal.push(added)
    if (minimal.length > maximumCompared) throw tooMany(option)
  }
  if (minimal.length > maximumAlternatives) throw tooMany(option)
  return minimal.map(({ alternative }) => alternative)
}

const tooMany = (option: string) =>
  ConfigOption.error(
    option,
    `the policy has more than ${maximumAlternatives} alternatives. Split the operation, or write a check`,
    "insecure"
  )

/** Names an alternative, to put alternatives in an order that does not depend on how the policy is written. */
export const nameOf = ({ conditions, scopes }: Alternative): string =>
  [...scopes, ...conditions.map(({ label }) => label)].join(" ")

/** Creates an alternative that requires all scopes and conditions of two others. */
export const both = (a: Alternative, b: Alternative): Alternative => {
  const conditions = new Map<unknown, Condition>()
  for (const condition of [...a.conditions, ...b.conditions]) conditions.set(condition.key, condition)
  return { scopes: sorted([...a.scopes, ...b.scopes]), conditions: [...conditions.values()].sort(compare) }
}

/** Returns scopes without duplicates, in the order of their names. */
export const sorted = (scopes: Iterable<string>): ReadonlyArray<string> => [...new Set(scopes)].sort()
