/**
 * Lists the options of a gate with their rules, and checks the authorization servers, which need more than a rule.
 *
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as AllowedHosts from "../authorization/AllowedHosts.ts"
import * as AllowedOrigins from "../authorization/AllowedOrigins.ts"
import * as AuthChallenge from "../authorization/AuthChallenge.ts"
import * as ClaimsDecoder from "../authorization/ClaimsDecoder.ts"
import * as Decision from "../authorization/Decision.ts"
import * as RecordDecision from "../authorization/RecordDecision.ts"
import * as Sessions from "../authorization/Sessions.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as Audience from "../verification/claims/Audience.ts"
import { checkRoles } from "../verification/claims/Roles.ts"
import type * as TokenType from "../verification/claims/TokenType.ts"
import * as AuthorizationServer from "../verification/issuers/AuthorizationServer.ts"
import * as JwkSet from "../verification/keys/JwkSet.ts"
import * as Presentation from "../verification/tokens/Presentation.ts"
import type { Common, DecisionOptions, Issuers, Scopes } from "./AuthOptions.ts"

const isTokenType = (rule: TokenType.TokenType | null): boolean =>
  rule?._tag === "Strict" ||
  (rule?._tag === "Standard" && [rule.accessTokenClaims, rule.idTokenClaims].every(Array.isArray))

/**
 * Lists the options of a gate, each with its rule. `true` marks an option that is checked where it is used.
 *
 * @category constants
 * @since 0.1.0
 */
export const table = {
  allowedHosts: AllowedHosts.check,
  allowedOrigins: AllowedOrigins.check,
  allowNullOrigin: ConfigOption.oneOf(false, true),
  anonymous: ConfigOption.oneOf("deny", "allow-unscoped"),
  apiKeys: ConfigOption.marked(
    "~effect-mcp-auth/ApiKeys",
    "a value of ApiKeys (effect-mcp-auth/api-keys)",
    "Write ApiKeys.make({ store, header: \"x-api-key\" })"
  ),
  audience: Audience.check,
  authChallenge: AuthChallenge.check,
  authorizationServers: true,
  challengeScopes: ConfigOption.oneOf("auto", "required", "required-and-granted"),
  claims: ClaimsDecoder.check,
  clockTolerance: ConfigOption.durationSuchAs("0 seconds", "5 minutes", "10 seconds", "insecure"),
  decisions: ConfigOption.object<keyof DecisionOptions>({
    ...RecordDecision.rules,
    subject: Decision.checkSubject
  }),
  dpop: ConfigOption.marked(
    Presentation.TypeId,
    "a value of Dpop (effect-mcp-auth/dpop)",
    "Write Dpop.required() or Dpop.optional(), or leave it out to reject tokens that are bound to a key"
  ),
  mirrorMetadata: ConfigOption.oneOf(false, true),
  quotas: ConfigOption.marked(
    "~effect-mcp-auth/Quotas",
    "a value of Quotas (effect-mcp-auth/quotas)",
    "Write Quotas.make({ requests: { limit: 600, window: \"1 minute\" } }), or leave it out for no limit"
  ),
  requestState: ConfigOption.object<keyof NonNullable<Common<Scopes>["requestState"]>>({
    secret: ConfigOption.checkSecret
  }),
  resource: true,
  resourceDocumentation: true,
  resourceName: true,
  revocation: ConfigOption.marked(
    "~effect-mcp-auth/Revocations",
    "a value of Revocations (effect-mcp-auth/revocation)",
    "Write Revocations.stored or Revocations.check(function)"
  ),
  revocationInterval: ConfigOption.duration("1 second", "1 hour", "30 seconds"),
  roles: checkRoles,
  scopeHierarchy: true,
  scopes: true,
  sessionStore: ConfigOption.marked(
    "~effect-mcp-auth/SessionStore",
    "a value of SessionStore (effect-mcp-auth/sessions)",
    "Write SessionStore.make(SessionStore.redis(redis)), or leave it out if one instance serves all requests"
  ),
  sessionsPerCaller: ConfigOption.wholeNumber(1, Sessions.defaultPerCaller, 100_000),
  streamsPerCaller: ConfigOption.wholeNumber(1, 200, 100_000),
  structuredDenials: ConfigOption.oneOf(false, true),
  tenants: ConfigOption.marked(
    "~effect-mcp-auth/Tenants",
    "a value of Tenants (effect-mcp-auth/tenants)",
    "Write Tenants.fromRoute, fromPath, fromHeader or fromClaim with { authorizationServers }"
  ),
  tokenCache: true,
  tokenGrammar: ConfigOption.oneOf("token68", "visible-ascii"),
  tokenHeader: ConfigOption.marked(
    "~effect-mcp-auth/TokenHeader",
    "a value of TokenHeader (effect-mcp-auth/token-header)",
    "Write TokenHeader.make({ name, setBy })"
  ),
  tokenType: ConfigOption.rule(isTokenType, "a rule of TokenType", "Write TokenType.strict or TokenType.standard()"),
  unlisted: ConfigOption.oneOf("allow", "deny"),
  verifier: ConfigOption.functionThat("takes the configured verifier and returns a verifier")
} satisfies ConfigOption.Table<keyof Common<Scopes> | keyof Issuers | "resource">

/**
 * Checks the names of the options of a gate and of `added`, the options that an adapter has in addition. Throws
 * `AuthConfigError`.
 *
 * @category guards
 * @since 0.1.0
 */
export const checkNames = (options: unknown, ...added: ReadonlyArray<string>): void =>
  ConfigOption.checkNames(options, "", [...Object.keys(table), ...added], advice)

/**
 * The advice in the error for an options argument that is not an object.
 *
 * @category constants
 * @since 0.1.0
 */
export const advice = "Give one with resource, authorizationServers and scopes"

/** Checks the option `authorizationServers` and fills in defaults. Throws `AuthConfigError`. */
export const checkServers = (inputs: unknown): ReadonlyArray<AuthorizationServer.AuthorizationServer> => {
  if (!Array.isArray(inputs) || inputs.length === 0) {
    throw ConfigOption.invalid(
      "authorizationServers",
      inputs,
      "a list with at least one issuer",
      "Write one such as [\"https://auth.example.com\"] or [Profiles.okta({ … })]",
      "missing"
    )
  }
  const seen = new Set<string>()
  // `map` skips the holes of a list.
  return Array.from<AuthorizationServer.Input, AuthorizationServer.AuthorizationServer>(inputs, (input, index) => {
    const option = `authorizationServers[${index}]`
    const server = Result.getOrThrow(AuthorizationServer.make(input, option))
    if (server.jwks !== undefined) JwkSet.checkConfigured(server.jwks, `${option}.jwks`)
    for (const issuer of server.tokenIssuers) {
      if (seen.has(issuer)) {
        throw ConfigOption.error(
          option,
          `${issuer} is named twice, but iss must select one authorization server. Remove one of the entries`,
          "duplicate"
        )
      }
      seen.add(issuer)
    }
    return server
  })
}
