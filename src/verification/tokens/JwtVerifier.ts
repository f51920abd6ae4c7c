/**
 * Verifies JWT access tokens (RFC 9068), following the best practices of RFC 8725.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as base64url from "../../crypto/Base64Url.ts"
import { hasUnsupportedHeader } from "../../crypto/CompactJws.ts"
import type { InvalidToken } from "../../protocol/AuthError.ts"
import { type Credentials, textOf } from "../../protocol/Credentials.ts"
import { BoundedMap } from "../../store/BoundedMap.ts"
import * as monotonic from "../../store/MonotonicTime.ts"
import * as Claims from "../claims/Claims.ts"
import type { Rules } from "../claims/Rules.ts"
import { type AuthorizationServer, ofIssuer } from "../issuers/AuthorizationServer.ts"
import * as IssuerRules from "../issuers/IssuerRules.ts"
import { JwkSet, type KeyHint } from "../keys/JwkSet.ts"
import type * as Principal from "../Principal.ts"
import type { TokenVerifier } from "../TokenVerifier.ts"
import { makeFindSigner } from "./FindSigner.ts"
import { reuseFor, verifyClaims } from "./VerifyClaims.ts"

/**
 * Configures a verifier of JWTs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Rules {
  readonly authorizationServers: ReadonlyArray<AuthorizationServer<unknown>>
  /** How long a cache may reuse a result. Default: 5 minutes. */
  readonly timeToLive?: Duration.Duration | undefined
}

/** Maximum length of a token, in characters. Longer tokens are not decoded. */
const maximumLength = 16 * 1024

/** Maximum number of cached headers. Tokens of one issuer have few different headers, so a small cache avoids most decoding. */
const maximumHeaders = 100

/** A token with a valid format and a known issuer, before its signature is verified. */
interface Candidate {
  readonly server: AuthorizationServer<unknown>
  readonly rules: IssuerRules.IssuerRules
  readonly hint: KeyHint
  readonly segment: string
  /** Whether a verified token had the same header. */
  readonly isHeaderKnown: boolean
  readonly header: Claims.Claims
  readonly claims: Claims.Claims
}

/**
 * Creates the verifier.
 *
 * **Details**
 *
 * Checks a token in this order: format and size; the issuer, which selects the authorization server before any key is fetched;
 * whether this server issues JWTs as access tokens; algorithm and critical headers; the signature, with keys of that server only; and then the claims: type, times, client,
 * audience, subject, scopes and binding. Errors in the claims are reported only if the signature is valid.
 *
 * **Example** (A verifier without `AuthLayer`, with keys from a file)
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { TokenVerifier } from "effect-mcp-auth"
 * import { AuthorizationServer, Discovery, Fetcher, JwkSet, JwtVerifier } from "effect-mcp-auth/verification"
 * import { readFile } from "node:fs/promises"
 *
 * // The service that sends requests is replaced by one that sends none.
 * const Offline = Layer.succeed(Fetcher.Fetcher, {
 *   send: () => Effect.fail(new Fetcher.FetchError({ reason: "not-allowed" }))
 * })
 * const Keys = JwkSet.layer.pipe(Layer.provide(Discovery.layer), Layer.provide(Offline))
 *
 * const Verifier = Layer.effect(
 *   TokenVerifier.TokenVerifier,
 *   Effect.gen(function*() {
 *     const jwks = JSON.parse(yield* Effect.promise(() => readFile("jwks.json", "utf8")))
 *     const server = yield* Effect.fromResult(
 *       AuthorizationServer.make({ issuer: "https://auth.example.com", jwks }, "authorizationServer")
 *     )
 *     return yield* JwtVerifier.make({
 *       authorizationServers: [server],
 *       resource: "https://todos.example.com/mcp",
 *       clockTolerance: undefined,
 *       effectiveScopes: (granted) => granted
 *     })
 *   })
 * ).pipe(Layer.provide(Keys))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<TokenVerifier["Service"], never, JwkSet> =>
  Effect.map(JwkSet, (keys) => {
    const headers = new BoundedMap<string, Claims.Claims>(maximumHeaders)
    const readCandidate = candidateReader(options, headers)
    const findSigner = makeFindSigner(keys)
    const timeToLive = Duration.toMillis(options.timeToLive ?? Duration.minutes(5))
    return {
      verify: (credentials) => {
        const token = textOf(credentials)
        const read = readCandidate(token)
        if (Result.isFailure(read)) return Effect.fail(read.failure)
        const candidate = read.success
        const { rules, server } = candidate
        return Effect.flatMapEager(findSigner(token, candidate), (key) => {
          if (!candidate.isHeaderKnown) headers.set(candidate.segment, candidate.header)
          return Clock.clockWith((clock) => {
            const verified = verifyCandidate(candidate, credentials, clock.currentTimeMillisUnsafe() / 1000)
            if (Result.isFailure(verified)) return Effect.fail(verified.failure)
            const principal = verified.success
            const freshUntil = monotonic.millisOf(clock) + timeToLive
            return Effect.succeed({
              principal,
              reuse: reuseFor(principal, rules.tolerance, freshUntil, keys.isCurrent(server, key))
            })
          })
        })
      }
    }
  })

/** Creates the function that decodes a token and selects its authorization server. `headers` caches decoded headers. */
const candidateReader = (options: Options, headers: BoundedMap<string, Claims.Claims>) => {
  const servers = options.authorizationServers
  const serverOf = ofIssuer(servers)
  const rulesOf = new Map(servers.map((server) => [server, IssuerRules.compile(server, options)]))
  return (token: string): Result.Result<Candidate, InvalidToken> => {
    if (token.length > maximumLength) return Claims.reject("too-large")
    // Rejects most invalid tokens early: the base64url of a JSON object begins with `e`.
    if (!token.startsWith("e")) return Claims.reject("malformed")
    const first = token.indexOf(".")
    const second = token.indexOf(".", first + 1)
    if (first < 0 || second < 0 || !base64url.isCanonical(token.slice(second + 1))) return Claims.reject("malformed")
    const segment = token.slice(0, first)
    const known = headers.get(segment)
    const header = known ?? base64url.decodeJsonObject(segment)
    const claims = header === undefined ? undefined : base64url.decodeJsonObject(token.slice(first + 1, second))
    if (header === undefined || claims === undefined) return Claims.reject("malformed")
    const issuer = Claims.own(claims, "iss")
    const server = typeof issuer === "string" ? serverOf(issuer) : undefined
    if (server === undefined) return Claims.reject("unknown-issuer")
    // All access tokens of this provider are opaque, so its JWTs are other tokens, and no key needs to be fetched.
    if (server.profile?.opaque.issued === "always") return Claims.reject("token-type")
    const algorithm = Claims.own(header, "alg")
    if (typeof algorithm !== "string" || !server.algorithms.has(algorithm)) return Claims.reject("algorithm")
    if (hasUnsupportedHeader(header)) return Claims.reject("critical-header")
    const kid = Claims.own(header, "kid")
    if (kid !== undefined && typeof kid !== "string") return Claims.reject("malformed")
    const rules = rulesOf.get(server)!
    const issuedAt = Claims.own(claims, "iat")
    return Result.succeed({
      server,
      rules,
      segment,
      isHeaderKnown: known !== undefined,
      header,
      hint: {
        algorithm,
        kid,
        issuers: rules.keyIssuers(issuer as string),
        issuedAt: typeof issuedAt === "number" ? issuedAt : undefined
      },
      claims
    })
  }
}

/** Checks the type and the claims of a token whose signature is valid. `now` is in seconds. */
const verifyCandidate = (
  { claims, header, rules }: Candidate,
  credentials: Credentials,
  now: number
): Result.Result<Principal.Principal, InvalidToken> => {
  const wrongType = rules.tokenType(Claims.own(header, "typ"), claims)
  return wrongType === undefined
    ? verifyClaims(rules, { claims, introspected: false, issuer: claims["iss"] as string, credentials }, now)
    : Claims.reject(wrongType)
}
