import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as base64url from "../../../crypto/Base64Url.ts"
import type * as Signature from "../../../crypto/Signature.ts"
import type { InvalidMetadata, InvalidToken } from "../../../protocol/AuthError.ts"
import * as Claims from "../../claims/Claims.ts"
import type { Rules } from "../../issuers/IssuerRules.ts"
import type { Issuer } from "../../issuers/OpaqueTokens.ts"
import type { JwkSet, KeyHint } from "../../keys/JwkSet.ts"
import { isJwt, type VerificationError } from "../../TokenVerifier.ts"

/* The claims of a JWT about which an introspection endpoint was asked. The endpoint may have found the token by an
 * identifier in it, without a look at its signature: then the rest of it is the caller's own writing. So the claims count in
 * full only where a key of the issuer proves them. Otherwise they restrict, and grant nothing. */

export interface IntrospectedJwt {
  readonly header: Claims.Claims
  readonly claims: Claims.Claims
}

/** Reads a JWT; `undefined` for other tokens. An ID token is rejected, also if the endpoint calls it active. */
export const read = (
  token: string,
  checkType: Rules["tokenType"]
): Result.Result<IntrospectedJwt | undefined, InvalidToken> => {
  if (!isJwt(token)) return Result.succeed(undefined)
  const [header, claims] = token.split(".", 2).map(base64url.decodeJsonObject)
  if (header === undefined || claims === undefined) return Claims.reject("malformed")
  const wrongType = checkType(Claims.own(header, "typ"), claims)
  return wrongType === undefined ? Result.succeed({ header, claims }) : Claims.reject(wrongType)
}

/** Keys that are tried for one signature. */
const maximumTries = 4

/**
 * Tells whether the issuer signed a JWT. `false` where that cannot be told: another algorithm, an unknown key, a server
 * that publishes no keys. A signature that is wrong under a key that fits rejects the token; an outage is an outage.
 */
export const isFromIssuer = (
  token: string,
  { claims, header }: IntrospectedJwt,
  server: Issuer,
  rules: Rules,
  keys: JwkSet["Service"]
): Effect.Effect<boolean, VerificationError> => {
  const algorithm = Claims.own(header, "alg")
  const kid = Claims.own(header, "kid")
  const issuer = Claims.own(claims, "iss")
  const issuedAt = Claims.own(claims, "iat")
  const signature = token.slice(token.lastIndexOf(".") + 1)
  const unknown = typeof algorithm !== "string" || !server.algorithms.has(algorithm) || typeof issuer !== "string" ||
    (kid !== undefined && typeof kid !== "string") || !base64url.isCanonical(signature) ||
    ["crit", "b64", "zip", "enc"].some((name) => Object.hasOwn(header, name))
  if (unknown) return Effect.succeed(false)
  const hint: KeyHint = {
    algorithm,
    kid,
    issuers: rules.keyIssuers(issuer),
    // A key that was withdrawn before the last fetch is unknown for good, and no reason to wait.
    issuedAt: typeof issuedAt === "number" ? issuedAt : undefined
  }
  return keys.find(server, hint).pipe(
    Effect.catchTag("InvalidMetadata", (_: InvalidMetadata) => Effect.succeed([])),
    Effect.flatMap((found: ReadonlyArray<Signature.PublicKey>) =>
      Effect.gen(function*() {
        for (const key of found.slice(0, maximumTries)) if (yield* key.verify(token)) return true
        return found.length === 0 || found.length > maximumTries
          ? false
          : yield* Effect.fromResult(Claims.reject("signature"))
      })
    )
  )
}

/** Whether an answer leaves anything out that the token says. */
export const saysMore = ({ claims }: IntrospectedJwt, answer: Claims.Claims): boolean =>
  Object.keys(claims).some((name) => !Object.hasOwn(answer, name))

/**
 * Applies to the claims of an answer what an unproven JWT restricts: its issuer, its times, its audience where the answer
 * names none, and a key that it is bound to. It supplies no claim but an earlier end.
 */
export const restrict = (
  answer: Claims.Claims,
  { claims }: IntrospectedJwt,
  server: Issuer,
  rules: Rules,
  tolerance: Claims.Tolerance,
  now: number
): Result.Result<Claims.Claims, InvalidToken> =>
  Result.gen(function*() {
    const issuer = Claims.own(claims, "iss")
    if (issuer !== undefined && issuer !== server.issuer && !server.tokenIssuers.some((_) => _ === issuer)) {
      return yield* Claims.reject("unknown-issuer")
    }
    const ends = Object.hasOwn(claims, "exp")
    const exp = yield* Claims.checkTimes(ends ? claims : { ...claims, exp: now + 1 }, now, tolerance)
    if (Object.hasOwn(claims, "cnf") && !Object.hasOwn(answer, "cnf")) return yield* Claims.reject("bound-to-key")
    if (Object.hasOwn(claims, "aud") && !Object.hasOwn(answer, "aud")) {
      const clientId = yield* rules.clientId(answer)
      if (!rules.isAddressed({ claims: { ...answer, aud: claims["aud"] }, clientId, introspected: true })) {
        return yield* Claims.reject("audience")
      }
    }
    const until = Claims.own(answer, "exp")
    return ends && typeof until === "number" && exp < until ? { ...answer, exp } : answer
  })
