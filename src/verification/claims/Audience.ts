/**
 * Defines rules for the audience of a token (RFC 9068 §4, RFC 8707 §2, MCP authorization "Token Handling").
 *
 * Every rule except `introspector` compares the token with configured values. No rule compares two claims of the same token with
 * each other.
 *
 * @since 0.1.0
 */
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { own } from "../../protocol/Json.ts"
import * as ResourceIdentifier from "../../protocol/ResourceIdentifier.ts"

/**
 * Describes an audience rule. The functions and constants of this module create its values.
 *
 * @category models
 * @since 0.1.0
 */
export type Audience =
  | { readonly _tag: "Resource" }
  | { readonly _tag: "OneOf"; readonly values: ReadonlyArray<string> }
  | { readonly _tag: "ClientIds"; readonly values: ReadonlyArray<string> }
  | { readonly _tag: "Claim"; readonly name: string; readonly values: ReadonlyArray<string> }
  | { readonly _tag: "Introspector" }
  | { readonly _tag: "All"; readonly rules: ReadonlyArray<Audience> }

type Values = readonly [string, ...ReadonlyArray<string>]

/**
 * Requires that `aud` contains the resource identifier (RFC 8707 §2). This is the default.
 *
 * **Details**
 *
 * The identifier is compared as a string. For a resource without a path, `https://host` and `https://host/` are the same (RFC
 * 3986 §6.2.3). For a resource with a path, a final slash makes a difference.
 *
 * **Example** (The default rule)
 *
 * ```ts
 * import { Audience } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const rule = Audience.resource
 * const isMeantForUs = Audience.compile(rule, "https://todos.example.com/mcp")
 *
 * assert.ok(isMeantForUs({ claims: { aud: ["https://todos.example.com/mcp"] }, clientId: undefined }))
 * assert.ok(!isMeantForUs({ claims: { aud: ["https://other.example.com/mcp"] }, clientId: undefined }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const resource: Audience = { _tag: "Resource" }

/**
 * Requires that `aud` contains one of these values, such as `api://…` or the id of a project.
 *
 * **When to use**
 *
 * Use it if the provider cannot write your URL to `aud`, but can write another value there that identifies your server and no
 * other server.
 *
 * **Example** (An identifier of the provider)
 *
 * ```ts
 * import { Audience } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const rule = Audience.oneOf(["api://todos"])
 * const isMeantForUs = Audience.compile(rule, "https://todos.example.com/mcp")
 *
 * assert.ok(isMeantForUs({ claims: { aud: ["api://todos"] }, clientId: undefined }))
 * assert.ok(!isMeantForUs({ claims: { aud: ["https://todos.example.com/mcp"] }, clientId: undefined }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const oneOf = (values: Values): Audience => ({ _tag: "OneOf", values })

/**
 * Requires that the token was issued to one of these clients.
 *
 * **When to use**
 *
 * Use it only for providers whose access tokens identify the server in no claim, and only with clients that you control.
 *
 * **Gotchas**
 *
 * This binds the token to a client and not to your server. A token that the same client obtained for another one of your
 * servers is accepted too.
 *
 * **Example** (Two clients)
 *
 * ```ts
 * import { Audience } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const rule = Audience.clientIds(["web-app"])
 * const isMeantForUs = Audience.compile(rule, "https://todos.example.com/mcp")
 *
 * assert.ok(isMeantForUs({ claims: {}, clientId: "web-app" }))
 * assert.ok(!isMeantForUs({ claims: {}, clientId: "unknown-app" }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const clientIds = (values: Values): Audience => ({ _tag: "ClientIds", values })

/**
 * Requires one of these values in a claim, which must be a string or a list of strings.
 *
 * **When to use**
 *
 * Use it if the provider names the audience of a token in another claim than `aud`.
 *
 * **Example** (A project)
 *
 * ```ts
 * import { Audience } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const rule = Audience.claim("project_id", ["todos"])
 * const isMeantForUs = Audience.compile(rule, "https://todos.example.com/mcp")
 *
 * assert.ok(isMeantForUs({ claims: { project_id: "todos" }, clientId: undefined }))
 * assert.ok(!isMeantForUs({ claims: { project_id: "other" }, clientId: undefined }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const claim = (name: string, values: Values): Audience => ({ _tag: "Claim", name, values })

/**
 * Accepts an introspection answer without `aud`, because the introspection endpoint has checked the audience.
 *
 * **When to use**
 *
 * Use it only for an authorization server that returns `active: true` only to the resource that the token was issued for (RFC
 * 7662 §2.2 allows this, but few servers do it). The `aud` of every JWT, and of every introspection answer that has one, must
 * still contain the resource.
 *
 * **Gotchas**
 *
 * With any other authorization server, this rule accepts every token of that server, including tokens for other resources.
 *
 * @category constructors
 * @since 0.1.0
 */
export const introspector: Audience = { _tag: "Introspector" }

/**
 * Requires that all of the rules accept the token.
 *
 * **Example** (The resource and a client)
 *
 * ```ts
 * import { Audience } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const rule = Audience.all([Audience.resource, Audience.clientIds(["web-app"])])
 * const isMeantForUs = Audience.compile(rule, "https://todos.example.com/mcp")
 *
 * assert.ok(isMeantForUs({ claims: { aud: ["https://todos.example.com/mcp"] }, clientId: "web-app" }))
 * assert.ok(!isMeantForUs({ claims: { aud: ["https://todos.example.com/mcp"] }, clientId: "other" }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const all = (rules: readonly [Audience, ...ReadonlyArray<Audience>]): Audience => ({ _tag: "All", rules })

/**
 * Contains the parts of a token that a rule checks.
 *
 * @category models
 * @since 0.1.0
 */
export interface Addressed {
  readonly claims: Readonly<Record<string, unknown>>
  readonly clientId: string | undefined
  /** Whether the claims are an introspection answer about this token. */
  readonly introspected?: boolean | undefined
}

/**
 * Compiles a rule for a resource into a predicate.
 *
 * **Details**
 *
 * With every rule, an `aud` that is present must be a string or a list of strings, and must contain an audience that the
 * rule allows (for `clientIds`, a client id or the resource). So a token for another audience is rejected even if its client id
 * matches.
 *
 * If `resource` has no path, `https://host` and `https://host/` in the token both name it. The values of a rule are compared
 * exactly.
 *
 * @category decisions
 * @since 0.1.0
 */
export const compile = (rule: Audience, resource: string): (token: Addressed) => boolean => {
  const values = new Set(valuesOf(rule, resource))
  const accepts = compileRule(rule, resource)
  return (token) => {
    const audience = own(token.claims, "aud")
    return (audience === undefined || intersects(audience, values)) && accepts(token)
  }
}

const compileRule = (rule: Audience, resource: string): (token: Addressed) => boolean => {
  switch (rule._tag) {
    case "Resource":
      return requireClaim("aud", ResourceIdentifier.spellings(resource))
    case "OneOf":
      return requireClaim("aud", rule.values)
    case "Claim":
      return requireClaim(rule.name, rule.values)
    case "ClientIds": {
      const values = new Set(rule.values)
      return ({ clientId }) => clientId !== undefined && values.has(clientId)
    }
    case "Introspector": {
      const accepts = requireClaim("aud", ResourceIdentifier.spellings(resource))
      return (token) => (token.introspected === true && !Object.hasOwn(token.claims, "aud")) || accepts(token)
    }
    case "All": {
      const rules = rule.rules.map((_) => compileRule(_, resource))
      return (token) => rules.every((accepts) => accepts(token))
    }
  }
}

const requireClaim = (name: string, list: ReadonlyArray<string>): (token: Addressed) => boolean => {
  const values = new Set(list)
  return ({ claims }) => intersects(own(claims, name), values)
}

const valuesOf = (rule: Audience, resource: string): ReadonlyArray<string> => {
  switch (rule._tag) {
    case "Resource":
    case "Introspector":
      return ResourceIdentifier.spellings(resource)
    case "OneOf":
      return rule.values
    case "ClientIds":
      return [...ResourceIdentifier.spellings(resource), ...rule.values]
    case "Claim":
      return rule.name === "aud" ? rule.values : ResourceIdentifier.spellings(resource)
    case "All":
      return rule.rules.flatMap((_) => valuesOf(_, resource))
  }
}

// A list with a member that is not a string is malformed (RFC 7519 §4.1.3), so it is rejected even if another member matches.
const intersects = (claim: unknown, values: ReadonlySet<string>): boolean =>
  typeof claim === "string"
    ? values.has(claim)
    : Array.isArray(claim) && claim.every((_) => typeof _ === "string") && claim.some((_) => values.has(_))

/**
 * Checks a rule of the configuration. Throws `AuthConfigError` if the rule is malformed or has an empty list. `option` is the
 * path of the option in the error.
 *
 * @category guards
 * @since 0.1.0
 */
export const check: (rule: unknown, option: string) => void = ConfigOption.rule(
  (rule) => isInOrder(rule),
  "a rule of Audience with at least one value",
  "Write the URL of the server as resource, and any other audience such as Audience.oneOf([\"api://todos\"])",
  "missing"
)

// Checked at runtime, because a rule may come from a file or from JavaScript.
const isInOrder = (rule: unknown): boolean => {
  if (typeof rule !== "object" || rule === null) return false
  const { _tag, name, rules, values } = rule as Readonly<Record<string, unknown>>
  switch (_tag) {
    case "Resource":
    case "Introspector":
      return true
    case "OneOf":
    case "ClientIds":
      return areNames(values)
    case "Claim":
      return isName(name) && areNames(values)
    case "All":
      return Array.isArray(rules) && rules.length > 0 && rules.every(isInOrder)
    default:
      return false
  }
}

const isName = (value: unknown): boolean => typeof value === "string" && value !== ""

const areNames = (values: unknown): boolean => Array.isArray(values) && values.length > 0 && values.every(isName)
