import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as base64url from "../../../crypto/Base64Url.ts"
import * as compactJws from "../../../crypto/CompactJws.ts"
import type * as Signature from "../../../crypto/Signature.ts"
import type { InvalidMetadata, InvalidToken } from "../../../protocol/AuthError.ts"
import * as Claims from "../../claims/Claims.ts"
import type { IssuerRules } from "../../issuers/IssuerRules.ts"
import type { Issuer } from "../../issuers/OpaqueTokens.ts"
import type { JwkSet, KeyHint } from "../../keys/JwkSet.ts"
import { isJwt, type VerificationError } from "../../TokenVerifier.ts"

/* Uses the claims of an introspected JWT. The endpoint may find a token by an identifier in the token, without verifying the
 * signature. In that case, a client may have forged all other claims. So the claims count in full only if a key of the issuer
 * verifies the signature. Otherwise, they can only restrict the token. */

export interface IntrospectedJwt {
  readonly header: Claims.Claims
  readonly claims: Claims.Claims
}

/**
 * Decodes a JWT. Returns `undefined` for other tokens. Rejects a token that is not an access token, even if the endpoint
 * reports it as active.
 */
export const read = (
  token: string,
  checkType: IssuerRules["tokenType"]
): Result.Result<IntrospectedJwt | undefined, InvalidToken> => {
  if (!isJwt(token)) return Result.succeed(undefined)
  const [header, claims] = token.split(".", 2).map(base64url.decodeJsonObject)
  if (header === undefined || claims === undefined) return Claims.reject("malformed")
  const wrongType = checkType(Claims.own(header, "typ"), claims)
  return wrongType === undefined ? Result.succeed({ header, claims }) : Claims.reject(wrongType)
}

/** Maximum number of keys that are tried for one signature. */
const maximumTries = 4

/**
 * Returns `true` if the issuer signed a JWT, and `false` if that is unknown, for example because the algorithm is not
 * accepted, the key is unknown, or more keys match than it tries. Rejects the token if it tries all matching keys and none of
 * them verifies the signature.
 */
export const isFromIssuer = (
  token: string,
  { claims, header }: IntrospectedJwt,
  server: Issuer,
  rules: IssuerRules,
  keys: JwkSet["Service"]
): Effect.Effect<boolean, VerificationError> => {
  const algorithm = Claims.own(header, "alg")
  const kid = Claims.own(header, "kid")
  const issuer = Claims.own(claims, "iss")
  const issuedAt = Claims.own(claims, "iat")
  const signature = token.slice(token.lastIndexOf(".") + 1)
  const isUnverifiable = typeof algorithm !== "string" || !server.algorithms.has(algorithm) ||
    typeof issuer !== "string" ||
    (kid !== undefined && typeof kid !== "string") || !base64url.isCanonical(signature) ||
    compactJws.hasUnsupportedHeader(header)
  if (isUnverifiable) return Effect.succeed(false)
  const hint: KeyHint = {
    algorithm,
    kid,
    issuers: rules.keyIssuers(issuer),
    // If the keys were fetched after this time and the key of the token is not among them, the issuer has withdrawn it. Then
    // the keys are not fetched again.
    issuedAt: typeof issuedAt === "number" ? issuedAt : undefined
  }
  return keys.find(server, hint).pipe(
    Effect.catchTag("InvalidMetadata", (_: InvalidMetadata) => Effect.succeed([])),
    Effect.flatMap(Effect.fnUntraced(function*(found: ReadonlyArray<Signature.PublicKey>) {
      for (const key of found.slice(0, maximumTries)) if (yield* key.verify(token)) return true
      return found.length === 0 || found.length > maximumTries
        ? false
        : yield* Effect.fromResult(Claims.reject("signature"))
    }))
  )
}

/** Tells whether the token has claims that the answer lacks. */
export const hasMoreClaims = ({ claims }: IntrospectedJwt, answer: Claims.Claims): boolean =>
  Object.keys(claims).some((name) => !Object.hasOwn(answer, name))

/**
 * Restricts an answer by the claims of a JWT, whose signature may be unverified. Rejects the token if the issuer or the times
 * of the JWT are wrong, if the answer has no `aud` and the `aud` of the JWT is wrong, or if only the JWT has `cnf`. Adds no
 * claim to the answer. Changes only `exp`, and only to an earlier time.
 */
export const restrict = (
  answer: Claims.Claims,
  { claims }: IntrospectedJwt,
  server: Issuer,
  rules: IssuerRules,
  now: number
): Result.Result<Claims.Claims, InvalidToken> =>
  Result.gen(function*() {
    const issuer = Claims.own(claims, "iss")
    if (issuer !== undefined && issuer !== server.issuer && !server.tokenIssuers.some((_) => _ === issuer)) {
      return yield* Claims.reject("unknown-issuer")
    }
    const hasExpiry = Object.hasOwn(claims, "exp")
    const exp = yield* Claims.checkTimes(hasExpiry ? claims : { ...claims, exp: now + 1 }, now, rules.tolerance)
    if (Object.hasOwn(claims, "cnf") && !Object.hasOwn(answer, "cnf")) return yield* Claims.reject("bound-to-key")
    if (Object.hasOwn(claims, "aud") && !Object.hasOwn(answer, "aud")) {
      const clientId = yield* rules.clientId(answer)
      if (!rules.isAddressed({ claims: { ...answer, aud: claims["aud"] }, clientId, introspected: true })) {
        return yield* Claims.reject("audience")
      }
    }
    const until = Claims.own(answer, "exp")
    return hasExpiry && typeof until === "number" && exp < until ? { ...answer, exp } : answer
  })
