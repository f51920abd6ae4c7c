import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as compactJws from "../../../crypto/CompactJws.ts"
import type { Discovery } from "../../../outbound/Discovery.ts"
import { Fetcher } from "../../../outbound/Fetcher.ts"
import * as FormPost from "../../../outbound/FormPost.ts"
import { withTimeLimit } from "../../../outbound/TimeLimit.ts"
import {
  type AuthConfigError,
  AuthorizationServerUnavailable,
  type InvalidMetadata
} from "../../../protocol/AuthError.ts"
import { isRecord } from "../../../protocol/Json.ts"
import * as OptionValue from "../../../protocol/OptionValue.ts"
import * as Claims from "../../claims/Claims.ts"
import type { Rules } from "../../claims/Rules.ts"
import type { Issuer } from "../../issuers/OpaqueTokens.ts"
import { JwkSet } from "../../keys/JwkSet.ts"
import type { LookUp, Options, Settings } from "../IntrospectionOptions.ts"

/* Requests the claims of a token: from the introspection endpoint (RFC 7662, RFC 9701), or from the function in the option `lookUp`. */

export type Unavailable = AuthorizationServerUnavailable | InvalidMetadata

/** Requests the claims of a token. They are not checked yet. */
export type RequestClaims = (token: Redacted.Redacted) => Effect.Effect<Claims.Claims, Unavailable>

/** The time limit of a look-up function. It is the same as that of a request to an endpoint. */
const lookUpTime = "5 seconds"

const signedType = "token-introspection+jwt"

/** Maximum number of keys that are tried for a signed answer. */
const maximumTries = 4

/** Creates the function that requests the claims of a token. */
export const make = <R>(
  server: Issuer,
  rules: Rules,
  { option, source }: Settings<R>
): Effect.Effect<RequestClaims, AuthConfigError, Discovery | JwkSet | Fetcher | R> =>
  "lookUp" in source ? fromLookUp(server, source.lookUp) : fromEndpoint(server, rules, source, option)

const fromLookUp = <R>(server: Issuer, lookUp: LookUp<R>): Effect.Effect<RequestClaims, never, Fetcher | R> =>
  Effect.gen(function*() {
    const fetcher = yield* Fetcher
    const services = yield* Effect.context<R>()
    return (token) =>
      Effect.suspend(() => OptionValue.toEffect(lookUp(token), "the function of Introspection.lookUp")).pipe(
        withTimeLimit(lookUpTime, server.issuer, "The look-up function for tokens of"),
        Effect.updateContext((request: Context.Context<never>) =>
          Context.add(Context.merge(services, request), Fetcher, fetcher)
        )
      )
  })

const fromEndpoint = Effect.fnUntraced(function*<R>(
  server: Issuer,
  rules: Rules,
  options: Options<R>,
  option: string
): Effect.fn.Return<RequestClaims, AuthConfigError, Discovery | JwkSet | Fetcher> {
  const { issuer } = server
  const post = yield* FormPost.toEndpoint(server, "introspection_endpoint", options, option)
  const readSigned = signedReader(server, rules, options, yield* JwkSet)
  const mustBeSigned = options.signedAnswers === true
  const fail = (reason: AuthorizationServerUnavailable["reason"]) =>
    Effect.fail(new AuthorizationServerUnavailable({ reason, issuer, retryAfter: 30 }))

  return Effect.fnUntraced(function*(token) {
    const answered = yield* post({
      accept: `application/${mustBeSigned ? signedType : "json"}`,
      parameters: [["token", Redacted.value(token)], ["token_type_hint", "access_token"]],
      reads: [401, 403]
    })
    const unsigned = mustBeSigned ? undefined : FormPost.readObject(answered)
    if (answered.status === 401) {
      return isInactive(unsigned) ? inactive : yield* fail("client-rejected")
    }
    // RFC 7662 defines no meaning of 403. Servers send it if this client may not introspect the token or any token, and firewalls
    // send it because of the text of a token. Only an OAuth error shows that the request was rejected because of this client.
    if (answered.status === 403) {
      return yield* fail(typeof Claims.own(unsigned, "error") === "string" ? "client-rejected" : "forbidden")
    }
    // RFC 6749 §5.2 allows 400 for wrong credentials of this server.
    if (answered.status === 400 && rejectsClient.has(Claims.own(unsigned, "error"))) {
      return yield* fail("client-rejected")
    }
    const answer = answered.status !== 200
      ? undefined
      : answered.contentType === `application/${signedType}`
      ? yield* readSigned(answered.body)
      : unsigned
    return answer ?? (yield* fail("unusable-answer"))
  })
})

/** Creates the function that verifies a signed answer (RFC 9701 §5). The function returns `undefined` for an invalid answer. */
const signedReader = (
  server: Issuer,
  { clockTolerance, resource }: Rules,
  options: Options<unknown>,
  keys: JwkSet["Service"]
) => {
  // The answer must be addressed to this server: to its client id or to its resource identifier. If this server authenticates
  // with a bearer token, it has no client id.
  const audience: ReadonlyArray<unknown> = "clientId" in options ? [options.clientId, resource] : [resource]
  const maximumAge = Math.max(Claims.toleranceOf(clockTolerance).start, 30)
  return Effect.fnUntraced(function*(body: Uint8Array) {
    const text = new TextDecoder().decode(body).trim()
    const jws = compactJws.decode(text)
    if (jws === undefined) return undefined
    const { claims, header } = jws
    const { alg, kid, typ } = header
    const type = typeof typ === "string" ? typ.toLowerCase().replace(/^application\//, "") : undefined
    if (
      type !== signedType || typeof alg !== "string" || !server.algorithms.has(alg) ||
      (kid !== undefined && typeof kid !== "string") || compactJws.hasUnsupportedHeader(header)
    ) {
      return undefined
    }
    const found = yield* keys.find(server, { algorithm: alg, kid })
    let isSigned = false
    for (const key of found.slice(0, maximumTries)) isSigned ||= yield* key.verify(text)
    const iat = Claims.own(claims, "iat")
    const answer = Claims.own(claims, "token_introspection")
    const now = (yield* Clock.currentTimeMillis) / 1000
    return isSigned && Claims.own(claims, "iss") === server.issuer &&
        [Claims.own(claims, "aud")].flat().some((_) => audience.includes(_)) &&
        // An old answer may be a replay of an answer to an earlier request.
        typeof iat === "number" && Math.abs(now - iat) <= maximumAge && isRecord(answer)
      ? answer
      : undefined
  })
}

const inactive: Claims.Claims = { active: false }

const rejectsClient: ReadonlySet<unknown> = new Set(["invalid_client", "unauthorized_client"])

/**
 * Tells whether a body is exactly `{"active": false}`. Some authorization servers answer 401 with this body if the token is
 * inactive, although they accept the credentials of the resource server.
 */
const isInactive = (answer: Claims.Claims | undefined): boolean =>
  answer !== undefined && Object.keys(answer).length === 1 && Claims.own(answer, "active") === false
