/**
 * Checks an access token with the code of the gate, and describes its content.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as Claims from "../../verification/claims/Claims.ts"
import * as AuthorizationServer from "../../verification/issuers/AuthorizationServer.ts"
import { InvalidInput } from "../check/Check.ts"
import { findProblem, revisionRule } from "../check/CheckOptions.ts"
import type { Fact } from "../facts/Facts.ts"
import { identify } from "../facts/Identify.ts"
import * as NamedHosts from "../probe/NamedHosts.ts"
import { shown } from "../report/Json.ts"
import * as Report from "../report/Report.ts"
import { fail, inconclusive, pass, type Revision, type RuleResult, skip } from "../report/Rule.ts"
import { addReason, checkParts } from "./CheckToken.ts"
import { writeOptions } from "./OptionsCode.ts"
import { atTime, type Decision, fetchedKeys, presentToken, unverifiedSignatures } from "./PresentToken.ts"
import { type Recipient, type ServerEntry, serverEntryFor } from "./ServerEntry.ts"
import * as TokenRules from "./TokenRules.ts"
import { breakLines, decode, type Decoded, describeMembers, unreadable } from "./TokenText.ts"

export { decode, describeTime } from "./TokenText.ts"
export type { Decoded, UnreadableReason } from "./TokenText.ts"

/**
 * The options of `run`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The canonical URL of the MCP server. */
  readonly resource: string
  /**
   * The issuer of the authorization server whose tokens the MCP server accepts. Its metadata and keys are fetched, and the
   * signature is verified. Default: the issuer in the token; nothing is fetched, and the signature is not verified.
   */
  readonly issuer?: string | undefined
  /**
   * The values of `aud` that mean your MCP server and no other server, such as `api://todos`. They are not taken from the token,
   * because a token for another server is valid too. Default: the resource.
   */
  readonly audiences?: ReadonlyArray<string> | undefined
  /**
   * The clients that you control, for providers whose tokens name no audience. Default: the client of a token is not checked.
   */
  readonly clientIds?: ReadonlyArray<string> | undefined
  /** The time at which the token is checked, in milliseconds since 1970. Default: now. */
  readonly at?: number | undefined
  /** The revision of MCP to check against. Default: `2026-07-28`, the newest. */
  readonly revision?: Revision | undefined
}

/**
 * Presents a token to the gate of a server, and reports the decision of the gate and each problem of the token.
 *
 * **Details**
 *
 * The gate is the one that `AuthLayer.make` creates: with the profile of the provider if the issuer belongs to a known one and
 * the options of the profile are known, and else with the issuer alone. The report contains the options of a server only if a
 * gate with exactly these options has accepted the token. Whether the token was revoked is not checked. Fails with
 * `InvalidInput` if `resource`, `audiences` or `clientIds` are no valid options of a server, or if `at` is not a time.
 *
 * **Example** (A token for another server)
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { Report, TokenReport } from "effect-mcp-auth/provider"
 * import { TestIssuer } from "effect-mcp-auth/testing"
 * import assert from "node:assert/strict"
 *
 * const issuer = await TestIssuer.start({ issuer: "https://auth.example.com", resource: "https://other.example.com/mcp" })
 * const token = Redacted.make(await issuer.mint({ scopes: ["todos:read"] }))
 *
 * const report = await TokenReport.run(token, { resource: "https://todos.example.com/mcp" }).pipe(
 *   Effect.provide(issuer.httpClient),
 *   Effect.runPromise
 * )
 * assert.strictEqual(Report.toExitCode(report), 1)
 * assert.strictEqual(report.options, undefined)
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const run = Effect.fn("TokenReport.run")(function*(
  token: Redacted.Redacted,
  options: Options
): Effect.fn.Return<Report.Report, InvalidInput, HttpClient.HttpClient> {
  const problem = findProblem(options, "TokenReport.run", table)
  if (problem !== undefined) return yield* new InvalidInput({ detail: problem })
  const now = yield* readTime(options.at)
  const checked = yield* check(token, options, now).pipe(
    atTime(options.at),
    Effect.mapError((error) => new InvalidInput({ detail: error.message }))
  )
  return Report.make({
    kind: "access-token",
    subject: `an access token for ${options.resource}`,
    revision: options.revision ?? revisionRule.default,
    now,
    ...checked
  })
})

const table: ConfigOption.Table<keyof Options> = {
  resource: true,
  issuer: true,
  audiences: true,
  clientIds: true,
  at: true,
  revision: revisionRule
}

/** Returns the time of a check, in milliseconds since 1970. Fails if the given time is outside the range of `Date`. */
const readTime = (at: number | undefined): Effect.Effect<number, InvalidInput> =>
  at === undefined
    ? Clock.currentTimeMillis
    : Number.isNaN(new Date(at).getTime())
    ? Effect.fail(new InvalidInput({ detail: "the option at is not a time. Write milliseconds since 1970" }))
    : Effect.succeed(at)

/** An issuer for tokens whose issuer cannot be configured. The gate then rejects them as tokens of an unknown issuer. */
const noIssuer = "https://issuer.invalid"

/** The authorization server of a token, and how a server of this library names it in its options. */
interface Target {
  readonly entry: ServerEntry
  readonly server: AuthorizationServer.AuthorizationServer
  readonly provider: Fact | undefined
  /** The reason why no server can name the issuer in its options. */
  readonly problem: AuthConfigError | undefined
}

const findTarget = (decoded: Decoded | undefined, issuer: string | undefined, recipient: Recipient): Target => {
  const iss = decoded === undefined ? undefined : Claims.own(decoded.claims, "iss")
  const tokenIssuer = typeof iss === "string" ? iss : issuer ?? noIssuer
  const entry = serverEntryFor(issuer, tokenIssuer, recipient)
  const made = AuthorizationServer.make(entry.input, "authorizationServers[0]")
  const provider = identify(typeof entry.input === "string" ? entry.input : entry.input.issuer ?? "")
  if (Result.isSuccess(made)) return { entry, server: made.success, provider, problem: undefined }
  const none: ServerEntry = { ...entry, input: noIssuer, profile: undefined }
  const server = Result.getOrThrow(AuthorizationServer.make(noIssuer, "authorizationServers[0]"))
  return { entry: none, server, provider, problem: made.failure }
}

type Checked = Pick<Report.Options, "results" | "provider" | "notes" | "options">

/** The scopes of OpenID Connect. They concern sign-in, and no operation of an MCP server requires them. */
const signInScopes = new Set(["openid", "profile", "email", "address", "phone", "offline_access"])

/** The scope of the first attempt. The gate decides about a token without regard to the scopes that a server offers. */
const anyScope = ["any"] as const

const check = (
  token: Redacted.Redacted,
  options: Options,
  now: number
): Effect.Effect<Checked, AuthConfigError, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { audiences = [], clientIds = [], issuer, resource } = options
    const recipient = { audiences, clientIds }
    const decoded = decode(token)
    const target = findTarget(Result.getOrUndefined(decoded), issuer, recipient)
    const { entry, problem, provider, server } = target
    const attempt = (scopes: readonly [string, ...ReadonlyArray<string>]) =>
      presentToken(writeOptions(resource, entry, recipient, scopes).options, token)
    // The first attempt yields the scopes for the options, and the second one uses exactly these options.
    const attempts = Effect.gen(function*() {
      const decision = yield* attempt(anyScope)
      const granted = decision._tag === "Accepted" ? [...decision.principal.granted] : []
      const [first, ...others] = granted.filter((scope) => !signInScopes.has(scope))
      if (first === undefined) return { decision, scopes: undefined }
      const scopes = [first, ...others] as const
      return { decision: yield* attempt(scopes), scopes }
    })
    const isFetched = issuer !== undefined && problem === undefined
    const { decision, scopes } = yield* isFetched
      ? NamedHosts.provideGuard(new URL(issuer))(Effect.provide(attempts, fetchedKeys))
      : Effect.provide(attempts, unverifiedSignatures)
    const rejection = decision._tag === "Rejected" ? decision.reason : undefined
    const signature = checkSignature(decision, isFetched ? server.issuer : undefined)
    const isOpaque = Result.isFailure(decoded) && decoded.failure === "opaque"
    const accepted = checkAccepted(decision, isOpaque)
    const rules = {
      resource,
      audience: writeOptions(resource, entry, recipient, anyScope).options.audience,
      clockTolerance: undefined,
      effectiveScopes: (granted: ReadonlySet<string>) => granted
    }
    const audienceSetup = provider === undefined ? undefined : `${provider.name}: ${provider.audienceSetup}`
    const results = Result.isFailure(decoded)
      ? [
        accepted,
        (isOpaque ? inconclusive : fail)(TokenRules.readable, `the token is ${unreadable[decoded.failure]}`)
      ]
      : addReason([
        accepted,
        pass(TokenRules.readable, "a JWT"),
        signature,
        ...checkParts(decoded.success, { server, rules, now, audienceSetup }).map((result) =>
          result.rule === TokenRules.issuer && problem !== undefined
            ? fail(TokenRules.issuer, `no server can name this issuer: ${problem.fix}`)
            : result
        )
      ], rejection)
    const { code } = scopes === undefined || decision._tag !== "Accepted"
      ? { code: undefined }
      : writeOptions(resource, entry, recipient, scopes)
    return {
      results,
      provider: provider?.name,
      options: code,
      notes: [
        signature.verdict === "pass" || signature.verdict === "fail"
          ? `Signature: ${signature.why}.`
          : Result.isSuccess(decoded)
          ? "The signature was not verified: anyone can write a token with these claims."
          : "The token was not verified.",
        ...(decision._tag === "Accepted" && code === undefined
          ? [
            scopes === undefined
              ? "No options are shown, because the token has no scope for an operation. Request the scopes of your server."
              : "No options are shown, because the token has values with invisible characters."
          ]
          : [])
      ]
    }
  })

/** Reports the decision of the gate. An opaque token is accepted by a server with introspection, which is not part of the check. */
const checkAccepted = (decision: Decision, isOpaque: boolean): RuleResult => {
  switch (decision._tag) {
    case "Accepted":
      return pass(TokenRules.accepted, "accepted")
    case "Undecided":
      return inconclusive(TokenRules.accepted, `not decided: ${decision.reason}`)
    case "Rejected":
      return isOpaque
        ? inconclusive(TokenRules.accepted, `rejected without introspection: ${decision.reason}`)
        : fail(TokenRules.accepted, `rejected: ${decision.reason}`)
  }
}

/** The reasons for which the gate rejects a token before it verifies the signature. */
const beforeSignature = new Set([
  "no-authorization",
  "other-scheme",
  "no-token",
  "not-token68",
  "several-authorization-headers",
  "too-large",
  "malformed",
  "unknown-issuer",
  "algorithm",
  "critical-header"
])

/** Reports whether the signature was verified. `issuer` is the server whose keys were fetched. */
const checkSignature = (decision: Decision, issuer: string | undefined): RuleResult => {
  if (issuer === undefined) return skip(TokenRules.signature, "not verified: name the issuer to fetch its keys")
  if (decision._tag === "Undecided") {
    return inconclusive(
      TokenRules.signature,
      `not verified: the keys of ${shown(issuer)} are unavailable (${decision.reason})`
    )
  }
  if (decision._tag === "Accepted") return pass(TokenRules.signature, `verified with the keys of ${shown(issuer)}`)
  if (decision.reason === "signature" || decision.reason === "unknown-key") {
    return fail(
      TokenRules.signature,
      decision.reason === "signature" ? "the signature is invalid" : `${shown(issuer)} publishes no key for this token`
    )
  }
  return beforeSignature.has(decision.reason)
    ? skip(TokenRules.signature, `not verified: the token was rejected before (${decision.reason})`)
    : pass(TokenRules.signature, `verified with the keys of ${shown(issuer)}`)
}

/**
 * The options of `describe`.
 *
 * @category models
 * @since 0.1.0
 */
export interface DescribeOptions {
  /** The time at which the token is checked, in milliseconds since 1970. Default: now. */
  readonly at?: number | undefined
  /** The maximum length of a line, in characters. Default: 100. */
  readonly width?: number | undefined
}

/**
 * Describes a token as text: its header, its claims with times as text, and whether the gate of a server to which the token is
 * addressed accepts it. Fetches nothing, and does not verify the signature. Fails with `InvalidInput` if `at` is not a time.
 *
 * @category encoding
 * @since 0.1.0
 */
export const describe = (
  token: Redacted.Redacted,
  options: DescribeOptions = {}
): Effect.Effect<string, InvalidInput> =>
  Effect.gen(function*() {
    const problem = findProblem(options, "TokenReport.describe", describeTable)
    if (problem !== undefined) return yield* new InvalidInput({ detail: problem })
    const { at, width = describeTable.width.default } = options
    const now = yield* readTime(at)
    const decoded = decode(token)
    const sentence = (text: string) => breakLines(text, width)
    if (Result.isFailure(decoded)) return sentence(`This is ${unreadable[decoded.failure]}.`).join("\n")
    const { claims, header } = decoded.success
    const decision = yield* presentToAddressee(token, decoded.success).pipe(atTime(at))
    return [
      ...sentence("Not verified: anyone can write a token with these claims."),
      "",
      "Header",
      ...describeMembers(header, now, width),
      "",
      "Claims",
      ...describeMembers(claims, now, width),
      "",
      ...sentence(
        decision._tag === "Accepted"
          ? "A server to which this token is addressed accepts it, if a key of its issuer signed it."
          : `A server to which this token is addressed rejects it: ${decision.reason}.`
      )
    ].join("\n")
  })

const describeTable = {
  at: true,
  width: ConfigOption.wholeNumber(20, 100, 10_000)
} satisfies ConfigOption.Table<keyof DescribeOptions>

/** Presents a token to a server that its own claims name. The result shows only whether the rest of the token is in order. */
const presentToAddressee = (token: Redacted.Redacted, decoded: Decoded): Effect.Effect<Decision> => {
  const { claims } = decoded
  const audiences = Claims.readAudience(claims).filter((_) => typeof _ === "string" && _ !== "")
  const client = Claims.readClientId(claims)
  const clientIds = Result.isSuccess(client) && client.success !== undefined ? [client.success] : []
  const ofAudience = { audiences, clientIds: [] }
  // A token without an audience can only be addressed by its client. Some providers bind every token to its client.
  const recipients: ReadonlyArray<Recipient> = [
    ...(audiences.length === 0 ? [] : [ofAudience]),
    ...(clientIds.length === 0 ? [] : [{ audiences, clientIds }, { audiences: [], clientIds }]),
    ...(audiences.length === 0 && clientIds.length === 0 ? [ofAudience] : [])
  ]
  return Effect.gen(function*() {
    let last: Decision = { _tag: "Rejected", reason: "audience" }
    for (const recipient of recipients) {
      const { entry } = findTarget(decoded, undefined, recipient)
      const { options } = writeOptions("https://addressee.invalid", entry, recipient, anyScope)
      last = yield* Effect.orDie(presentToken(options, token))
      if (last._tag !== "Rejected" || last.reason !== "audience") return last
    }
    return last
  }).pipe(Effect.provide(unverifiedSignatures))
}
