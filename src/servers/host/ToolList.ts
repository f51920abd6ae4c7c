import type { OperationPolicy } from "../../authorization/policy/OperationPolicy.ts"
import * as SecuritySchemes from "../../authorization/policy/SecuritySchemes.ts"
import { isRecord, type JsonObject, own } from "../../protocol/Json.ts"

/* Adds security schemes to the tools of a `tools/list` result. */

/** The option `securitySchemes` of server adapters: the schemes are part of lists, or not. */
export type Listing = "list" | "omit"

/** Returns the policy that the gate enforces for the calls of a listed tool. */
export type PolicyForTool = (tool: JsonObject) => OperationPolicy

/**
 * Returns a result of `tools/list` in which each tool has its security schemes, in `securitySchemes` and in `_meta.securitySchemes`.
 * Returns any other value as it is.
 */
export type AddSchemes = (result: unknown, policyFor: PolicyForTool) => unknown

/** Creates the function that adds the security schemes of one server. */
export const make = (settings: SecuritySchemes.Settings): AddSchemes => {
  const toSchemes = SecuritySchemes.make(settings)

  const withSchemes = (tool: unknown, policyFor: PolicyForTool): unknown => {
    if (!isRecord(tool)) return tool
    const policy = policyFor(tool)
    const meta = own(tool, "_meta")
    // A handler without scopes and without a policy can check its caller itself, which only its author knows.
    const isDeclared = policy.rule !== undefined || policy.scopes.length > 0
    if (!isDeclared && (own(tool, member) ?? own(meta, member)) !== undefined) return tool
    const schemes = toSchemes(policy)
    return schemes === undefined ? tool : {
      ...tool,
      [member]: schemes,
      _meta: { ...(isRecord(meta) ? meta : undefined), [member]: schemes }
    }
  }

  return (result, policyFor) => {
    const tools = own(result, "tools")
    return Array.isArray(tools)
      ? { ...(result as JsonObject), tools: tools.map((tool: unknown) => withSchemes(tool, policyFor)) }
      : result
  }
}

const member = "securitySchemes"
