/**
 * Recognizes open policies without the code that evaluates policies, which programs with scopes alone do not need.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"

/**
 * Returns whether a policy also admits anonymous callers.
 *
 * @category guards
 * @since 0.1.0
 */
export const isOpen = (policy: unknown): boolean => Predicate.hasProperty(policy, "isOpen") && policy.isOpen === true
