import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as base64url from "../../crypto/Base64Url.ts"
import { hasUnsupportedHeader } from "../../crypto/CompactJws.ts"
import { isEqual } from "../../crypto/ConstantTime.ts"
import { AuthConfigError, InvalidToken } from "../../protocol/AuthError.ts"
import * as Claims from "../../verification/claims/Claims.ts"
import * as TokenType from "../../verification/claims/TokenType.ts"
import type { AuthorizationServer } from "../../verification/issuers/AuthorizationServer.ts"
import { JwkSet } from "../../verification/keys/JwkSet.ts"
import { makeFindSigner } from "../../verification/tokens/FindSigner.ts"
import type { UpstreamToken } from "./UpstreamLeg.ts"
import type { Unavailable } from "./UpstreamRequests.ts"

/* Verifies ID tokens of an upstream (OpenID Connect Core §3.1.3.7), with the keys and the signatures of the gate. */

/** Reports that an ID token is not valid. */
export class IdTokenRejected extends Data.TaggedError("IdTokenRejected")<{ readonly rule: string }> {}

/** An ID token, and what it must fit. */
export interface Expected {
  readonly idToken: string
  /** The access token of the same response. */
  readonly accessToken: UpstreamToken
  /** The nonce of the request. `undefined` for an ID token of a refresh, which has none (§12.2). */
  readonly nonce: string | undefined
}

export type Verify = (expected: Expected) => Effect.Effect<Claims.Claims, IdTokenRejected | Unavailable>

const maximumLength = 16 * 1024

const reject = (rule: string) => Effect.fail(new IdTokenRejected({ rule }))

/** Creates the function that verifies ID tokens of an issuer for a client, and returns their claims. */
export const make = (server: AuthorizationServer, clientId: string): Effect.Effect<Verify, never, JwkSet> =>
  Effect.map(JwkSet, (keys) => {
    const findSigner = makeFindSigner(keys)
    const tolerance = Claims.toleranceOf(undefined)
    return Effect.fnUntraced(function*({ accessToken, idToken, nonce }): Effect.fn.Return<
      Claims.Claims,
      IdTokenRejected | Unavailable
    > {
      const [head = "", body = "", signature, ...rest] = idToken.slice(0, maximumLength + 1).split(".")
      if (idToken.length > maximumLength || signature === undefined || rest.length > 0) return yield* reject("form")
      const header = base64url.decodeJsonObject(head)
      const claims = base64url.decodeJsonObject(body)
      if (header === undefined || claims === undefined || !base64url.isCanonical(signature)) {
        return yield* reject("form")
      }
      // The issuer and the algorithm are checked before a key is looked up.
      if (Claims.own(claims, "iss") !== server.issuer) return yield* reject("iss")
      const algorithm = Claims.own(header, "alg")
      if (typeof algorithm !== "string" || !server.algorithms.has(algorithm)) return yield* reject("alg")
      if (hasUnsupportedHeader(header)) return yield* reject("crit")
      const kid = Claims.own(header, "kid")
      if (kid !== undefined && typeof kid !== "string") return yield* reject("kid")
      const typ = Claims.own(header, "typ")
      const kind = TokenType.kindOf(claims)
      if (typ !== undefined && !(typeof typ === "string" && typ.toLowerCase() === "jwt")) return yield* reject("typ")
      if (kind === "access" || kind === "other" || Object.hasOwn(claims, "events")) return yield* reject("typ")
      const issuedAt = Claims.own(claims, "iat")
      yield* findSigner(idToken, {
        server,
        claims,
        rules: { tolerance },
        hint: {
          algorithm,
          kid,
          issuers: [server.issuer],
          issuedAt: typeof issuedAt === "number" ? issuedAt : undefined
        }
      }).pipe(
        Effect.catch((error): Effect.Effect<never, IdTokenRejected | Unavailable> =>
          error instanceof InvalidToken || error instanceof AuthConfigError
            ? reject(error.reason)
            : Effect.fail(error)
        )
      )
      const now = (yield* Clock.currentTimeMillis) / 1000
      const times = Claims.checkTimes(claims, now, tolerance)
      if (Result.isFailure(times)) return yield* reject(times.failure.reason)
      if (typeof issuedAt !== "number") return yield* reject("iat")
      if (!isAddressed(claims, clientId)) return yield* reject("aud")
      const authorizedParty = Claims.own(claims, "azp")
      if (authorizedParty !== undefined && authorizedParty !== clientId) return yield* reject("azp")
      if (nonce !== undefined) {
        const given = Claims.own(claims, "nonce")
        if (typeof given !== "string" || !isEqual(given, nonce)) return yield* reject("nonce")
      }
      const hash = Claims.own(claims, "at_hash")
      if (hash !== undefined && hash !== (yield* hashOf(algorithm, Redacted.value(accessToken)))) {
        return yield* reject("at_hash")
      }
      if (Result.isFailure(Claims.readSubject(claims, "sub"))) return yield* reject("sub")
      return claims
    })
  })

/** The client must be an audience. If there are several, `azp` must name the client (§3.1.3.7, steps 3 to 5). */
const isAddressed = (claims: Claims.Claims, clientId: string): boolean => {
  const audience = Claims.own(claims, "aud")
  if (audience === clientId) return true
  return Array.isArray(audience) && audience.includes(clientId) &&
    (audience.length === 1 || Claims.own(claims, "azp") === clientId)
}

/** Computes `at_hash`: the left half of the hash of the algorithm (§3.1.3.6). Ed25519 uses SHA-512. */
const hashOf = (algorithm: string, token: string): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() =>
      crypto.subtle.digest(`SHA-${/\d{3}$/.exec(algorithm)?.[0] ?? "512"}`, new TextEncoder().encode(token))
    ),
    (digest) => base64url.encode(new Uint8Array(digest, 0, digest.byteLength / 2))
  )
