/**
 * Verifies JWT access tokens (RFC 9068, with the advice of RFC 8725).
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { InvalidToken } from "../protocol/AuthError.ts"
import type { Credentials } from "../protocol/Credentials.ts"
import type * as Audience from "./Audience.ts"
import { type AuthorizationServer, ofIssuer } from "./AuthorizationServer.ts"
import * as base64url from "./internal/base64url.ts"
import * as Claims from "./internal/claims.ts"
import * as Rules from "./internal/rules.ts"
import { JwkSet, type KeyHint } from "./JwkSet.ts"
import * as Principal from "./Principal.ts"
import * as Signature from "./Signature.ts"
import type * as TokenType from "./TokenType.ts"
import type { TokenVerifier } from "./TokenVerifier.ts"

/**
 * What a verifier of JWTs must know.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly resource: string
  readonly authorizationServers: ReadonlyArray<AuthorizationServer>
  /** For all authorization servers; else the profile of each decides, else it is the resource. */
  readonly audience?: Audience.Audience | undefined
  /** For all authorization servers; else the profile of each decides, else it is `TokenType.standard()`. */
  readonly tokenType?: TokenType.TokenType | undefined
  /** In seconds, for `exp`, `nbf` and `iat` alike; without it 0 for `exp` and 30 for the others. */
  readonly clockTolerance: number | undefined
  /** From the scopes of the token to those in effect. */
  readonly effectiveScopes: (granted: ReadonlySet<string>) => ReadonlySet<string>
}

/** Bytes of a token: beyond it nothing is decoded. */
const maximumLength = 16 * 1024

/** Several keys may fit a token without `kid`. More than a few tries would hand the choice of our work to a stranger. */
const maximumTries = 4

/** A token whose form is right and whose issuer is known. Nothing of it is believed yet. */
interface Candidate {
  readonly server: AuthorizationServer
  readonly rules: Rules.Rules
  readonly hint: KeyHint
  readonly typ: unknown
  readonly claims: Claims.Claims
}

/**
 * Makes the verifier.
 *
 * **Details**
 *
 * In this order: form and size; the issuer, which picks the authorization server before any key is fetched; algorithm and
 * critical headers; the signature under a key of that server alone; and only then the claims: type, times, audience,
 * subject, client, scopes, binding. What is wrong beyond the signature is never told about an unsigned token.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<TokenVerifier["Service"], never, JwkSet> =>
  Effect.map(JwkSet, (keys): TokenVerifier["Service"] => {
    const serverOf = ofIssuer(options.authorizationServers)
    const general = { resource: options.resource, audience: options.audience, tokenType: options.tokenType }
    const rulesOf = new Map(
      options.authorizationServers.map((server) => [server, Rules.compile(server, general)] as const)
    )
    const tolerance: Claims.Tolerance = {
      expiry: options.clockTolerance ?? 0,
      start: options.clockTolerance ?? 30
    }

    const open = (token: string): Result.Result<Candidate, InvalidToken> => {
      if (token.length > maximumLength) return Claims.refuse("too-large")
      const parts = token.split(".", 4)
      if (parts.length !== 3 || !base64url.isCanonical(parts[2]!)) return Claims.refuse("malformed")
      const header = base64url.decodeJsonObject(parts[0]!)
      const claims = header === undefined ? undefined : base64url.decodeJsonObject(parts[1]!)
      if (header === undefined || claims === undefined) return Claims.refuse("malformed")
      const issuer = Claims.own(claims, "iss")
      const server = typeof issuer === "string" ? serverOf(issuer) : undefined
      if (server === undefined) return Claims.refuse("unknown-issuer")
      const algorithm = Claims.own(header, "alg")
      if (typeof algorithm !== "string" || !server.algorithms.has(algorithm)) return Claims.refuse("algorithm")
      // None is understood here, so any that claims to be critical refuses the token (RFC 7515 §4.1.11). `b64` changes
      // what is signed and is no matter for JWTs (RFC 7797 §7); encrypted and compressed content is not expected.
      if (["crit", "b64", "zip", "enc"].some((name) => Object.hasOwn(header, name))) {
        return Claims.refuse("critical-header")
      }
      const kid = Claims.own(header, "kid")
      if (kid !== undefined && typeof kid !== "string") return Claims.refuse("malformed")
      const rules = rulesOf.get(server)!
      return Result.succeed({
        server,
        rules,
        hint: { algorithm, kid, issuers: rules.keyIssuers(issuer as string) },
        typ: Claims.own(header, "typ"),
        claims
      })
    }

    const judge = (
      credentials: Credentials,
      { claims, rules, typ }: Candidate,
      now: number
    ): Result.Result<Principal.Principal["Service"], InvalidToken> =>
      Result.gen(function*() {
        const wrongType = rules.tokenType(typ, claims)
        if (wrongType !== undefined) return yield* Claims.refuse(wrongType)
        const expiresAt = yield* Claims.judgeTimes(claims, now, tolerance)
        const clientId = yield* rules.clientId(claims)
        if (!rules.isAddressed({ claims, clientId })) return yield* Claims.refuse("audience")
        const subject = yield* rules.subject(claims, clientId)
        const granted = yield* rules.scopes(claims)
        // A token that names its holder's key is worth nothing without a proof of that key (RFC 7800, RFC 9449 §7.2).
        if (Object.hasOwn(claims, "cnf")) return yield* Claims.refuse("bound-to-key")
        return Principal.make({
          issuer: claims["iss"] as string,
          subject,
          clientId,
          granted,
          scopes: options.effectiveScopes(granted),
          audience: Claims.readAudience(claims),
          expiresAt,
          claims,
          token: credentials.token
        })
      })

    const isSigned = (token: string, candidates: ReadonlyArray<Signature.PublicKey>, algorithm: string) =>
      candidates.slice(0, maximumTries).reduce(
        (before, key) =>
          Effect.flatMap(before, (signed) => signed ? Effect.succeed(true) : Signature.verify(token, key, algorithm)),
        Effect.succeed(false)
      )

    return {
      verify: Effect.fnUntraced(function*(credentials) {
        const token = Redacted.value(credentials.token)
        const candidate = yield* Effect.fromResult(open(token))
        const found = yield* keys.find(candidate.server, candidate.hint)
        if (found.length === 0) return yield* Effect.fromResult(Claims.refuse("unknown-key"))
        if (!(yield* isSigned(token, found, candidate.hint.algorithm))) {
          return yield* Effect.fromResult(Claims.refuse("signature"))
        }
        const now = yield* Clock.currentTimeMillis
        return yield* Effect.fromResult(judge(credentials, candidate, now / 1000))
      })
    }
  })
