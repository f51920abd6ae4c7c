/**
 * Creates the fixed caller of transports without HTTP, such as stdio: the process that starts the server is the caller.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type { ProtectedResource } from "../authorization/ProtectedResource.ts"
import { AuthConfigError } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import { checkRoleNames } from "../verification/claims/Roles.ts"
import * as Principal from "../verification/Principal.ts"

/** The default issuer of local callers. No authorization server has it, so no token has the same owner as a local caller. */
export const localIssuer = "urn:effect-mcp-auth:local"

/**
 * The caller of a transport without HTTP.
 *
 * @category models
 * @since 0.1.0
 */
export interface LocalOptions<Offered extends string> {
  /** The subject of the caller. */
  readonly subject: string
  /** The scopes of the caller: some of those that the server offers. */
  readonly scopes: ReadonlyArray<Offered>
  /**
   * The issuer of the caller. With the issuer of an authorization server, the caller has the `owner` that its tokens have.
   * Default: `urn:effect-mcp-auth:local`.
   */
  readonly issuer?: string | undefined
  /** The client id of the caller. Default: none. */
  readonly clientId?: string | undefined
  /**
   * The roles of the caller, for `Policy.role` and `Principal.roles`. They do not come from `claims`, because a local caller has no
   * token. Default: none.
   */
  readonly roles?: ReadonlyArray<string> | undefined
  /** The claims of the caller. Default for `iss` and `sub`: the options `issuer` and `subject`. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

const isText = (value: unknown): boolean => Predicate.isString(value) && value !== ""

const isName = ConfigOption.rule(isText, "text that is not empty", "Write one such as \"alice\"")

const table = {
  subject: isName,
  scopes: ConfigOption.rule(
    (_) => Array.isArray(_) && _.every(Predicate.isString),
    "a list of scopes",
    "Write one such as [\"todos:read\"]"
  ),
  issuer: ConfigOption.withDefault<string>(localIssuer, isText, "text that is not empty", localIssuer),
  clientId: isName,
  roles: checkRoleNames,
  claims: ConfigOption.rule(OptionValue.isObject, "an object", "Write one such as { team: \"billing\" }")
} satisfies ConfigOption.Table<keyof LocalOptions<string>>

/**
 * Creates the principal of a local caller. Throws `AuthConfigError` if an option is wrong, or if the resource does not offer a
 * scope. `owner` is the name of the calling function, for error messages.
 */
export const make = (
  resource: ProtectedResource,
  options: LocalOptions<string>,
  owner: string
): Principal.Principal => {
  const advice = "Give one such as { subject: \"alice\", scopes: [\"todos:read\"] }"
  ConfigOption.check(options, owner, table, advice)
  const { claims, clientId, issuer = table.issuer.default, roles, scopes, subject } = options
  for (const name of ["subject", "scopes"] as const) {
    if (options[name] === undefined) {
      throw new AuthConfigError({ reason: "missing", option: `${owner}.${name}`, fix: `it is not set. ${advice}` })
    }
  }
  const missing = scopes.find((scope) => !resource.offered.has(scope))
  if (missing !== undefined) {
    throw new AuthConfigError({
      reason: "not-offered",
      option: `${owner}.scopes`,
      fix: `the server does not offer ${missing}. Add it to scopes (baseline or stepUp), or remove it here`
    })
  }
  const granted = new Set(scopes)
  return Principal.make({
    issuer,
    subject,
    clientId,
    scopes: resource.effectiveScopes(granted),
    granted,
    roles: new Set(roles),
    audience: [resource.resource],
    expiresAt: 8.64e12,
    claims: { iss: issuer, sub: subject, ...claims },
    token: Redacted.make("a local caller has no token", { label: "token" })
  })
}
