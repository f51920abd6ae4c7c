/**
 * Checks the options. Each check returns the checked value, or an `AuthConfigError` that names the option.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Sessions from "../authorization/Sessions.ts"
import { AuthConfigError } from "../protocol/AuthError.ts"
import type * as Credentials from "../protocol/Credentials.ts"
import * as OptionValue from "../protocol/OptionValue.ts"
import type * as TokenType from "../verification/claims/TokenType.ts"
import * as AuthorizationServer from "../verification/issuers/AuthorizationServer.ts"
import * as JwkSet from "../verification/keys/JwkSet.ts"
import * as Presentation from "../verification/tokens/Presentation.ts"
import type { Common, Issuers, Scopes } from "./AuthOptions.ts"

export const checkInterval = (
  input: Duration.Input | undefined
): Result.Result<Duration.Duration | undefined, AuthConfigError> => {
  if (input === undefined) return Result.succeed(undefined)
  const duration = OptionValue.toDuration(input)
  return duration !== undefined &&
      Duration.between(duration, { minimum: Duration.seconds(1), maximum: Duration.hours(1) })
    ? Result.succeed(duration)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "revocationInterval",
        fix: `${OptionValue.isNot(input, "a duration from 1 second to 1 hour")}. Write one such as "30 seconds"`
      })
    )
}

export const checkGrammar = (
  grammar: Credentials.Grammar | undefined
): Result.Result<Credentials.Grammar, AuthConfigError> =>
  grammar === undefined || grammar === "token68" || grammar === "visible-ascii"
    ? Result.succeed(grammar ?? "token68")
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "tokenGrammar",
        fix: `${
          OptionValue.isNot(grammar, "\"token68\" or \"visible-ascii\"")
        }. Leave it out for "token68" (RFC 6750 §2.1)`
      })
    )

export const checkTokenType = (rule: TokenType.TokenType | undefined): Result.Result<void, AuthConfigError> =>
  rule === undefined || rule?._tag === "Strict" || (rule?._tag === "Standard" && Array.isArray(rule.accessTokenClaims))
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "tokenType",
        fix: `${OptionValue.isNot(rule, "a rule of TokenType")}. Write TokenType.strict or TokenType.standard()`
      })
    )

export const checkServers = (
  issuers: Issuers
): Result.Result<ReadonlyArray<AuthorizationServer.AuthorizationServer>, AuthConfigError> =>
  Result.gen(function*() {
    const inputs = issuers.authorizationServers
    if (!Array.isArray(inputs) || inputs.length === 0) {
      return yield* Result.fail(
        new AuthConfigError({
          reason: "missing",
          option: "authorizationServers",
          fix: `${OptionValue.isNot(inputs, "a list with at least one issuer")}. Write one such as ` +
            "[\"https://auth.example.com\"] or [Profiles.okta({ … })]"
        })
      )
    }
    const servers: Array<AuthorizationServer.AuthorizationServer> = []
    const seen = new Set<string>()
    for (const [index, input] of inputs.entries()) {
      const option = `authorizationServers[${index}]`
      const server = yield* AuthorizationServer.make(input, option)
      if (server.jwks !== undefined) yield* JwkSet.checkConfigured(server.jwks, `${option}.jwks`)
      for (const issuer of server.tokenIssuers) {
        if (seen.has(issuer)) {
          return yield* Result.fail(
            new AuthConfigError({
              reason: "duplicate",
              option,
              fix:
                `${issuer} is named twice. Each issuer may appear once, so that iss selects one authorization server. Remove ` +
                "one of the entries"
            })
          )
        }
        seen.add(issuer)
      }
      servers.push(server)
    }
    return servers
  })

/** Options with members. */
export const groups: ReadonlyArray<
  readonly [option: "decisions" | "requestState", names: Readonly<Record<string, true>>]
> = [
  ["decisions", { subject: true } satisfies Record<keyof NonNullable<Common<Scopes>["decisions"]>, true>],
  ["requestState", { secret: true } satisfies Record<keyof NonNullable<Common<Scopes>["requestState"]>, true>]
]

/** Mechanisms that are enabled by a value, the mark of their values, and what to write. */
export const mechanisms = [
  {
    option: "tenants",
    mark: "~effect-mcp-auth/Tenants",
    expected: "a value of Tenants (effect-mcp-auth/tenants)",
    fix: "Write Tenants.fromRoute, fromPath, fromHeader or fromClaim with { authorizationServers }"
  },
  {
    option: "revocation",
    mark: "~effect-mcp-auth/Revocations",
    expected: "a value of Revocations (effect-mcp-auth/revocation)",
    fix: "Write Revocations.stored or Revocations.check(function)"
  }
] as const

export const checkMechanism = (
  options: { readonly tenants?: unknown; readonly revocation?: unknown },
  { expected, fix, mark, option }: typeof mechanisms[number]
): Result.Result<void, AuthConfigError> =>
  options[option] === undefined || Predicate.hasProperty(options[option], mark)
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option,
        fix: `${OptionValue.isNot(options[option], expected)}. ${fix}`
      })
    )

export const checkDpop = (dpop: unknown): Result.Result<Presentation.Published, AuthConfigError> =>
  dpop === undefined
    ? Result.succeed({ mode: "off", algorithms: [] })
    : Presentation.isMechanism(dpop)
    ? dpop.published
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "dpop",
        fix:
          `${
            OptionValue.isNot(dpop, "a value of Dpop (effect-mcp-auth/dpop)")
          }. Write Dpop.required() or Dpop.optional(), or ` +
          "leave it out to reject tokens that are bound to a key"
      })
    )

export const checkTolerance = (
  input: Duration.Input | undefined
): Result.Result<number | undefined, AuthConfigError> => {
  if (input === undefined) return Result.succeed(undefined)
  const duration = OptionValue.toDuration(input)
  const seconds = duration === undefined ? Number.NaN : Duration.toSeconds(duration)
  return seconds >= 0 && seconds <= 300
    ? Result.succeed(seconds)
    : Result.fail(
      new AuthConfigError({
        reason: "insecure",
        option: "clockTolerance",
        fix: `${OptionValue.isNot(input, "a duration from 0 to 5 minutes")}. Write one such as "10 seconds"`
      })
    )
}

export const checkSessions = (input: number | undefined): Result.Result<number, AuthConfigError> =>
  input === undefined || (Number.isSafeInteger(input) && input >= 1 && input <= 100_000)
    ? Result.succeed(input ?? Sessions.defaultPerCaller)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: "sessionsPerCaller",
        fix: `${
          OptionValue.isNot(input, "a whole number from 1 to 100000")
        }. Leave it out for ${Sessions.defaultPerCaller}`
      })
    )

/**
 * Every option. The compiler rejects a list that lacks one or has one too many.
 *
 * @category constants
 * @since 0.1.0
 */
export const names: ReadonlyArray<string> = Object.keys(
  {
    allowedHosts: true,
    allowedOrigins: true,
    anonymous: true,
    audience: true,
    authorizationServers: true,
    challengeScopes: true,
    claims: true,
    clockTolerance: true,
    decisions: true,
    dpop: true,
    mirrorMetadata: true,
    resource: true,
    resourceDocumentation: true,
    resourceName: true,
    revocation: true,
    revocationInterval: true,
    scopeHierarchy: true,
    scopes: true,
    sessionsPerCaller: true,
    requestState: true,
    tenants: true,
    tokenCache: true,
    tokenGrammar: true,
    tokenType: true,
    unlisted: true,
    verifier: true
  } satisfies Record<keyof Common<Scopes> | keyof Issuers | "resource", true>
)

/** A misspelled option, from JavaScript or a file, must not leave a check out: `revocaton` would revoke nothing. */
export const checkNames = (options: object): Result.Result<void, AuthConfigError> => {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    return Result.fail(
      new AuthConfigError({
        reason: "missing",
        option: "options",
        fix: `${OptionValue.isNot(options, "an object")}. Give one with resource, authorizationServers and scopes`
      })
    )
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name))
  return unknown === undefined
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option: unknown,
        fix: OptionValue.noSuchOption(names)
      })
    )
}

/** Options with few values, the default first. Another value, from JavaScript or a file, must not pass for the default. */
export const choices = [
  ["anonymous", ["deny", "allow-unscoped"]],
  ["unlisted", ["allow", "deny"]],
  ["challengeScopes", ["auto", "required", "required-and-granted"]],
  ["mirrorMetadata", [false, true]]
] as const

export const checkChoice = (
  options: { readonly [K in (typeof choices)[number][0]]?: unknown },
  option: (typeof choices)[number][0],
  values: ReadonlyArray<unknown>
): Result.Result<void, AuthConfigError> =>
  options[option] === undefined || values.includes(options[option])
    ? Result.succeed(undefined)
    : Result.fail(
      new AuthConfigError({
        reason: "malformed",
        option,
        fix: `${OptionValue.isNot(options[option], OptionValue.oneOf(values))}. Leave it out for ${
          JSON.stringify(values[0])
        }`
      })
    )

export const checkOrigins = (origins: ReadonlyArray<string>): Result.Result<ReadonlyArray<string>, AuthConfigError> => {
  const fail = (fix: string) => Result.fail(new AuthConfigError({ reason: "malformed", option: "allowedOrigins", fix }))
  if (!Array.isArray(origins)) {
    return fail(`${OptionValue.isNot(origins, "a list of origins")}. Write one such as ["https://app.example.com"]`)
  }
  const wrong = origins.findIndex((_) => typeof _ !== "string" || !URL.canParse(_) || new URL(_).origin !== _)
  return wrong === -1
    ? Result.succeed(origins)
    : fail(
      `${
        OptionValue.describe(origins[wrong])
      } is not an origin. Write scheme, host and port only, such as https://app.example.com`
    )
}
