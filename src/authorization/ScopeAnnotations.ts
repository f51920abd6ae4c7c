/**
 * The annotations for the scopes of tools, resources and prompts.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * The annotation that lists the required scopes of a tool, resource or prompt. Default: no scopes.
 *
 * **When to use**
 *
 * `requireScopes` sets it. Read it in a custom adapter that needs the required scopes of a tool.
 *
 * @category annotations
 * @since 0.1.0
 */
export const RequiredScopes: Context.Reference<ReadonlyArray<string>> = /*#__PURE__*/ Context.Reference<
  ReadonlyArray<string>
>(
  "effect-mcp-auth/RequiredScopes",
  { defaultValue: () => [] }
)

/**
 * Describes scopes of a tool that depend on the arguments of a call.
 *
 * @category models
 * @since 0.1.0
 */
export interface Conditional {
  /** Every scope that a call may require. */
  readonly scopes: ReadonlyArray<string>
  /** Returns the scopes that the raw arguments of a call require: all of `scopes` if the arguments do not decode. */
  readonly select: (raw: unknown) => ReadonlyArray<string>
}

/**
 * The annotation for scopes that only some calls of a tool require. Every call also requires the `RequiredScopes` of the tool.
 *
 * @category annotations
 * @since 0.1.0
 */
export const ConditionalScopes: Context.Reference<ReadonlyArray<Conditional>> = /*#__PURE__*/ Context.Reference<
  ReadonlyArray<Conditional>
>(
  "effect-mcp-auth/ConditionalScopes",
  { defaultValue: () => [] }
)
