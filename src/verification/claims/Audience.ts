/**
 * Whom a token must be meant for (RFC 9068 §4, RFC 8707 §2, MCP authorization "Token Handling").
 *
 * Every choice compares the token with configured values: there is none that switches the check off, and none that
 * compares two claims of one token with each other.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import { own } from "../../protocol/Json.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"

/**
 * The closed choice of audience rules.
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
 * `aud` holds the resource identifier. The default, and what RFC 8707 gives.
 *
 * **Example** (The default)
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
 * `aud` holds one of these values: for providers whose audience is an identifier of their own (`api://…`, a project id).
 *
 * **When to use**
 *
 * The provider cannot put your URL into `aud`, but something else that stands for your server and for no other.
 *
 * **Example** (An identifier of the provider's own)
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
 * The token was issued to one of these clients: for providers that write no `aud` into access tokens.
 *
 * **When to use**
 *
 * Only where the provider offers nothing better, and with clients of your own.
 *
 * **Gotchas**
 *
 * This binds the token to a client, not to your server. A token that the same client obtained for another server of yours
 * passes too.
 *
 * **Example** (Clients of your own)
 *
 * ```ts
 * import { Audience } from "effect-mcp-auth"
 * import assert from "node:assert/strict"
 *
 * const rule = Audience.clientIds(["web-app"])
 * const isMeantForUs = Audience.compile(rule, "https://todos.example.com/mcp")
 *
 * assert.ok(isMeantForUs({ claims: {}, clientId: "web-app" }))
 * assert.ok(!isMeantForUs({ claims: {}, clientId: "somebody-elses" }))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const clientIds = (values: Values): Audience => ({ _tag: "ClientIds", values })

/**
 * A claim, a string or a list of strings, holds one of these values.
 *
 * **When to use**
 *
 * The provider says in a claim of its own what a token is good for.
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
 * The introspection endpoint vouches for the audience: its answer may leave out `aud`.
 *
 * **When to use**
 *
 * Only for an authorization server that says `active` of a token to the resource that it was issued for, and to nobody
 * else (RFC 7662 §2.2 allows it, few servers do). A JWT, and an answer that has an `aud`, must name the resource as ever.
 *
 * **Gotchas**
 *
 * At any other server this admits every token of the server, those for its other resources included.
 *
 * @category constructors
 * @since 0.1.0
 */
export const introspector: Audience = { _tag: "Introspector" }

/**
 * Every one of the rules holds.
 *
 * **Example** (The resource, and a client of your own)
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
 * What a rule is compared with.
 *
 * @category models
 * @since 0.1.0
 */
export interface Addressed {
  readonly claims: Readonly<Record<string, unknown>>
  readonly clientId: string | undefined
  /** The claims are an introspection endpoint's answer about this token. */
  readonly introspected?: boolean | undefined
}

/**
 * Prepares a rule for a resource.
 *
 * **Details**
 *
 * Whatever the rule: an `aud` that is present must be a string or a list of strings, and must itself hold a value that
 * the configuration names. A token for somebody else is not saved by its client id.
 *
 * @category decisions
 * @since 0.1.0
 */
export const compile = (rule: Audience, resource: string): (token: Addressed) => boolean => {
  const named = new Set(valuesOf(rule, resource))
  const holds = judge(rule, resource)
  return (token) => {
    const audience = own(token.claims, "aud")
    return (audience === undefined || intersects(audience, named)) && holds(token)
  }
}

const judge = (rule: Audience, resource: string): (token: Addressed) => boolean => {
  switch (rule._tag) {
    case "Resource":
      return judge(oneOf([resource]), resource)
    case "OneOf": {
      const values = new Set(rule.values)
      return ({ claims }) => intersects(own(claims, "aud"), values)
    }
    case "ClientIds": {
      const values = new Set(rule.values)
      return ({ clientId }) => clientId !== undefined && values.has(clientId)
    }
    case "Claim": {
      const values = new Set(rule.values)
      return ({ claims }) => intersects(own(claims, rule.name), values)
    }
    case "Introspector": {
      const holds = judge({ _tag: "Resource" }, resource)
      return (token) => (token.introspected === true && !Object.hasOwn(token.claims, "aud")) || holds(token)
    }
    case "All": {
      const rules = rule.rules.map((_) => judge(_, resource))
      return (token) => rules.every((holds) => holds(token))
    }
  }
}

const valuesOf = (rule: Audience, resource: string): ReadonlyArray<string> => {
  switch (rule._tag) {
    case "Resource":
    case "Introspector":
      return [resource]
    case "OneOf":
      return rule.values
    case "ClientIds":
      return [resource, ...rule.values]
    case "Claim":
      return rule.name === "aud" ? rule.values : [resource]
    case "All":
      return rule.rules.flatMap((_) => valuesOf(_, resource))
  }
}

// A list with anything but strings in it is no audience, even when one of its members would fit.
const intersects = (claim: unknown, values: ReadonlySet<string>): boolean =>
  typeof claim === "string"
    ? values.has(claim)
    : Array.isArray(claim) && claim.every((_) => typeof _ === "string") && claim.some((_) => values.has(_))

/**
 * Checks a rule of the configuration.
 *
 * @category guards
 * @since 0.1.0
 */
export const check = (rule: Audience): Result.Result<void, AuthConfigError> =>
  isInOrder(rule)
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "missing",
        option: "audience",
        fix: (typeof rule === "object" && rule !== null
          ? "the rule is malformed or has an empty list (an empty list would check nothing); expected a rule of Audience with " +
            "at least one value. "
          : `${OptionValue.isNot(rule, "a rule of Audience with at least one value")}. `) +
          "Write one such as Audience.oneOf([\"api://todos\"]), or leave it out to require the resource itself"
      })
    )

// A rule may come out of a file or from JavaScript, where no type has looked at it.
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
