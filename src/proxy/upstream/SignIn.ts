import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AuthorizationResponse from "../../client/sign-in/AuthorizationResponse.ts"
import * as Pkce from "../../client/sign-in/Pkce.ts"
import { isEqual } from "../../crypto/ConstantTime.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import type { AuthorizationServer } from "../../verification/issuers/AuthorizationServer.ts"
import type * as Identification from "./Identification.ts"
import type * as IdToken from "./IdToken.ts"
import type { ReadUpstream } from "./Preset.ts"
import { AdmissionRejected, UpstreamFailure } from "./UpstreamFailure.ts"
import type { Callback, SealableFlow, UpstreamLeg } from "./UpstreamLeg.ts"
import type * as upstreamRequests from "./UpstreamRequests.ts"
import type { UpstreamTokens } from "./UpstreamTokens.ts"

/* Signs people in at the upstream. Only sign-ins need this code, so it is loaded with the first request of a browser. */

/** The parts of a sign-in. */
export interface Parts {
  readonly upstream: ReadUpstream
  /** The checked issuer of an OpenID provider. */
  readonly server: AuthorizationServer | undefined
  readonly requests: upstreamRequests.UpstreamRequests
  readonly identification: Identification.Identification
  readonly saveTokens: UpstreamTokens["save"]
  readonly upstreamScopes: UpstreamLeg["upstreamScopes"]
  /** Returns those of the requested MCP scopes whose upstream scopes are all granted. */
  readonly grantedScopes: (granted: ReadonlyArray<string>, requested: ReadonlyArray<string>) => ReadonlyArray<string>
}

/** The operations of a sign-in. */
export type SignIn = Pick<UpstreamLeg, "begin" | "complete">

/** Creates the operations of a sign-in. */
export const make = (
  { grantedScopes, identification, requests, saveTokens, server, upstream, upstreamScopes }: Parts
): SignIn => {
  const { clientId, name, quirks } = upstream

  /** Reads the callback, whose issuer is checked before its error: another server must not end the sign-in. */
  const readCallback = Effect.fnUntraced(function*(
    parameters: URLSearchParams,
    flow: SealableFlow
  ): Effect.fn.Return<string, UpstreamFailure> {
    const parsed = AuthorizationResponse.read(parameters)
    if (Result.isFailure(parsed)) return yield* new UpstreamFailure({ reason: "malformed" })
    const { issuer: sender, result, state } = parsed.success
    if (!isEqual(state, flow.state)) return yield* new UpstreamFailure({ reason: "state" })
    const { issuer, sendsIssuer } = yield* Effect.mapError(requests.endpoints, toFailure)
    if (issuer !== undefined && !AuthorizationResponse.hasIssuer(sender, issuer, sendsIssuer)) {
      return yield* new UpstreamFailure({ reason: "issuer" })
    }
    return "code" in result ? result.code : yield* new UpstreamFailure({ reason: "denied", code: result.error })
  })

  /** Logs a failure that the operator can correct, which the browser does not show. Others are logged where they happen. */
  const reportFailure = (error: unknown): Effect.Effect<void> => {
    if (!(error instanceof UpstreamFailure)) return Effect.void
    const { code, message, reason } = error
    const isOfOperator = reason === "token" || reason === "id-token" || reason === "identity" ||
      (reason === "denied" && code !== "access_denied")
    const advice = reason === "id-token" ? ". If a time of the token is the problem, set the clock of this machine" : ""
    return isOfOperator
      ? Effect.logWarning(`A sign-in at the upstream ${name} failed: ${message}${advice}`)
      : Effect.void
  }

  return {
    begin: Effect.fnUntraced(function*({ redirectUri, scopes }) {
      const { authorization } = yield* Effect.mapError(requests.endpoints, toFailure)
      const state = Pkce.makeSecret()
      const verifier = quirks.pkce ? Pkce.makeSecret() : undefined
      const nonce = server === undefined ? undefined : Pkce.makeSecret()
      const requested = upstreamScopes(scopes)
      const url = HttpUri.parse(authorization, { query: true })
      if (Result.isFailure(url) || !HttpUri.isSecure(url.success)) {
        return yield* new UpstreamFailure({ reason: "unavailable", detail: "the authorization endpoint is not https" })
      }
      // Nothing that the client sent is a part of this request.
      const parameters: ReadonlyArray<readonly [string, string]> = [
        ...Object.entries(quirks.parameters),
        ["response_type", "code"],
        ["client_id", clientId],
        ["redirect_uri", redirectUri],
        ["state", state],
        ...(requested.length === 0 ? [] : [[quirks.scopeParameter, requested.join(quirks.scopeSeparator)] as const]),
        ...(nonce === undefined ? [] : [["nonce", nonce] as const]),
        ...(verifier === undefined ? [] : [
          ["code_challenge", yield* Pkce.challengeOf(verifier)] as const,
          ["code_challenge_method", "S256"] as const
        ])
      ]
      for (const [parameter, value] of parameters) url.success.searchParams.set(parameter, value)
      const flow: SealableFlow = {
        state,
        scopes,
        ...(verifier === undefined ? {} : { verifier }),
        ...(nonce === undefined ? {} : { nonce })
      }
      return { url: url.success.href, state, flow }
    }),
    complete: Effect.fnUntraced(function*<E>({ flow, parameters, redirectUri, spend }: Callback<E>) {
      const code = yield* readCallback(parameters, flow)
      const issued = yield* Effect.mapError(
        requests.redeem({ code, redirectUri, verifier: flow.verifier }),
        toFailure
      )
      const candidate = yield* Effect.mapError(
        identification.identify({
          accessToken: issued.accessToken,
          idToken: issued.idToken,
          nonce: flow.nonce,
          claims: undefined
        }),
        toFailure
      )
      yield* spend
      const { person } = candidate
      if (!(yield* Effect.mapError(identification.admit(candidate, "sign-in"), toFailure))) {
        return yield* new AdmissionRejected({ display: person.display })
      }
      const requested = upstreamScopes(flow.scopes)
      const all = issued.granted && new Set(issued.granted)
      // A scope that was not requested does not count, also if the upstream grants it because of an earlier sign-in.
      const granted = all === undefined ? requested : requested.filter((scope) => quirks.isGranted(scope, all))
      const now = yield* Clock.currentTimeMillis
      const upstreamKey = yield* saveTokens({
        subject: person.subject,
        accessToken: issued.accessToken,
        refreshToken: issued.refreshToken,
        expiresAt: issued.expiresAt,
        granted,
        claims: server === undefined ? undefined : candidate.claims,
        checkedAt: now,
        signedInAt: now
      })
      return { person, upstreamKey, scopes: grantedScopes(granted, flow.scopes) }
    }, (signIn) => Effect.tapError(signIn, reportFailure))
  }
}

type Failure =
  | upstreamRequests.Rejected
  | upstreamRequests.Unavailable
  | IdToken.IdTokenRejected
  | Identification.Unidentified
  | Identification.Undecided

const toFailure = (error: Failure): UpstreamFailure => {
  switch (error._tag) {
    case "Rejected":
      return new UpstreamFailure({ reason: "code", code: error.code })
    case "IdTokenRejected":
      return new UpstreamFailure({ reason: "id-token", detail: error.rule })
    case "Unidentified":
      return new UpstreamFailure({ reason: "identity", detail: error.rule })
    case "Undecided":
      return new UpstreamFailure({
        reason: "unavailable",
        detail: "the rule of admission cannot decide",
        retryAfter: 5
      })
    case "InvalidMetadata":
      return new UpstreamFailure({ reason: "unavailable", detail: error.message, retryAfter: 30 })
    default:
      return error.reason === "unusable-answer"
        ? new UpstreamFailure({ reason: "token", code: error.code })
        : new UpstreamFailure({ reason: "unavailable", detail: error.message, retryAfter: error.retryAfter })
  }
}
