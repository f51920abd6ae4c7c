/**
 * Verifies JWT access tokens (RFC 9068, with the advice of RFC 8725).
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { InvalidToken } from "../protocol/AuthError.ts"
import type { Credentials } from "../protocol/Credentials.ts"
import type * as Audience from "./Audience.ts"
import { type AuthorizationServer, ofIssuer } from "./AuthorizationServer.ts"
import * as base64url from "./internal/base64url.ts"
import * as Claims from "./internal/claims.ts"
import { judgeClaims, startOf, toleranceOf } from "./internal/judgeClaims.ts"
import * as Rules from "./internal/rules.ts"
import { JwkSet, type KeyHint } from "./JwkSet.ts"
import type * as Principal from "./Principal.ts"
import * as Signature from "./Signature.ts"
import * as TokenCache from "./TokenCache.ts"
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
  /** How long a cache may use a verdict again. Default: 5 minutes. */
  readonly timeToLive?: Duration.Duration | undefined
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
    const timeToLive = Duration.toMillis(options.timeToLive ?? Duration.minutes(5))
    const circumstances = {
      tolerance: toleranceOf(options.clockTolerance),
      effectiveScopes: options.effectiveScopes
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
    ): Result.Result<Principal.Principal["Service"], InvalidToken> => {
      const wrongType = rules.tokenType(typ, claims)
      return wrongType !== undefined
        ? Claims.refuse(wrongType)
        : judgeClaims(rules, circumstances, {
          claims,
          introspected: false,
          issuer: claims["iss"] as string,
          credentials
        }, now)
    }

    const signer = (token: string, candidates: ReadonlyArray<Signature.PublicKey>, algorithm: string) =>
      candidates.slice(0, maximumTries).reduce(
        (before, key): Effect.Effect<Signature.PublicKey | undefined> =>
          Effect.flatMap(
            before,
            (found) =>
              found !== undefined
                ? Effect.succeed(found)
                : Effect.map(Signature.verify(token, key, algorithm), (signed) => signed ? key : undefined)
          ),
        Effect.succeed<Signature.PublicKey | undefined>(undefined)
      )

    return {
      verify: Effect.fnUntraced(function*(credentials) {
        const token = Redacted.value(credentials.token)
        const candidate = yield* Effect.fromResult(open(token))
        const { claims, hint, server } = candidate
        const found = yield* keys.find(server, hint)
        if (found.length === 0) return yield* Effect.fromResult(Claims.refuse("unknown-key"))
        const key = yield* signer(token, found, hint.algorithm)
        if (key === undefined) return yield* Effect.fromResult(Claims.refuse("signature"))
        const now = yield* Clock.currentTimeMillis
        const principal = yield* Effect.fromResult(judge(credentials, candidate, now / 1000))
        return TokenCache.reusable(principal, {
          from: startOf(claims, circumstances.tolerance),
          until: Math.min((principal.expiresAt + circumstances.tolerance.expiry) * 1000, now + timeToLive),
          isCurrent: (now) => keys.isCurrent(server, key, now)
        })
      })
    }
  })
