/**
 * The conditions of policies: facts about a caller or a call that no scope changes.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"
import type { Principal } from "../../verification/Principal.ts"

/**
 * The call of an operation, as a check receives it.
 *
 * **Details**
 *
 * `target` is the name of the tool or prompt, or the URI of the resource. `arguments` are the decoded arguments of a tool or a
 * prompt, and `undefined` for a resource.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call<out Args = unknown> {
  readonly method: string
  readonly target: string
  readonly arguments: Args
}

/**
 * The result of a check: a boolean, a promise of one, or an Effect. A check handles its expected failures itself.
 *
 * @category models
 * @since 0.1.0
 */
export type Answer<R = never> = boolean | PromiseLike<boolean> | Effect.Effect<boolean, never, R>

/**
 * One condition.
 *
 * @category models
 * @since 0.1.0
 */
export interface Condition {
  /**
   * The identity of the condition. Two conditions with the same key are evaluated once. Each constructor call has a new key,
   * because one function can serve two conditions. Only roles are the same condition if they have the same name.
   */
  readonly key: unknown
  /** The name of the condition in decisions and logs, such as `role admin`. */
  readonly label: string
  /**
   * Names the values that the result depends on. `"token"` conditions are synchronous and read only the principal. `"caller"`
   * conditions can also use services, and `"call"` conditions can also read the call.
   */
  readonly dependsOn: "token" | "caller" | "call"
  readonly test: (principal: Principal, call: Call<any>) => Answer<any>
}

/** The evaluation order within an alternative: the conditions that need no I/O come first. */
const order = { token: 0, caller: 1, call: 2 } as const

/** Compares two conditions by the order in which they are evaluated. */
export const compare = (a: Condition, b: Condition): number =>
  order[a.dependsOn] - order[b.dependsOn] || (a.label < b.label ? -1 : a.label > b.label ? 1 : 0)
