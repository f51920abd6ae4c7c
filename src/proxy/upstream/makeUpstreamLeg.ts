import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as AuthorizationResponse from "../../client/sign-in/AuthorizationResponse.ts"
import * as Pkce from "../../client/sign-in/Pkce.ts"
import { isEqual } from "../../crypto/ConstantTime.ts"
import * as discovery from "../../outbound/Discovery.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import type { Store } from "../../store/records/RecordStore.ts"
import type { Seal } from "../../store/records/SealedStore.ts"
import * as AuthorizationServer from "../../verification/issuers/AuthorizationServer.ts"
import * as jwkSet from "../../verification/keys/JwkSet.ts"
import type { Admit, OnRejection } from "../Admit.ts"
import type { RecordKeys } from "../keys/RecordKeys.ts"
import * as Identification from "./Identification.ts"
import * as IdToken from "./IdToken.ts"
import type { ReadUpstream } from "./Preset.ts"
import { AdmissionRejected, UpstreamFailure } from "./UpstreamFailure.ts"
import type { Callback, SealableFlow, UpstreamLeg } from "./UpstreamLeg.ts"
import * as upstreamRecord from "./UpstreamRecord.ts"
import * as upstreamRequests from "./UpstreamRequests.ts"
import * as upstreamTokens from "./UpstreamTokens.ts"

/** The parts of a proxy that its upstream needs. */
export interface Options<R> {
  readonly upstream: ReadUpstream
  readonly admit: Admit<R>
  /** Receives the rejections of the rule. Default: they are only logged. */
  readonly onRejection?: OnRejection | undefined
  /** The life of the grants of a person that the upstream offers no way to check, in milliseconds. */
  readonly uncheckableLifetime: number
  readonly store: Store
  readonly recordKeys: RecordKeys
  /** Encrypts the tokens before the store of the proxy does. Default: no function. */
  readonly seal?: Seal | undefined
}

/**
 * Creates the operations of a proxy at its upstream. `R` are the services of the rule of admission. Fails with `AuthConfigError` if the
 * rule does not fit the upstream, or if the credentials of the proxy cannot be used.
 */
export const makeUpstreamLeg = Effect.fnUntraced(function*<R>({
  admit,
  onRejection,
  recordKeys,
  seal,
  store,
  uncheckableLifetime,
  upstream
}: Options<R>): Effect.fn.Return<
  UpstreamLeg,
  AuthConfigError,
  R | Fetcher | Scope.Scope
> {
  const { clientId, name, quirks } = upstream
  if (admit.kinds !== undefined && !admit.kinds.includes(upstream.kind)) {
    return yield* ConfigOption.error(
      "admit",
      `Admit.${admit.name} does not work with the upstream ${name}. Use a rule for it, or Admit.custom`,
      "conflict"
    )
  }
  const server = upstream.server.type === "openid"
    ? yield* Effect.fromResult(AuthorizationServer.make({ issuer: upstream.server.issuer }, "upstream"))
    : undefined
  const metadata = yield* discovery.make
  const keys = yield* jwkSet.make.pipe(Effect.provideService(discovery.Discovery, metadata))
  const requests = yield* upstreamRequests.make(upstream, server).pipe(
    Effect.provideService(discovery.Discovery, metadata)
  )
  const verify = server === undefined
    ? undefined
    : yield* IdToken.make(server, clientId).pipe(Effect.provideService(jwkSet.JwkSet, keys))
  const identification = yield* Identification.make({ upstream, admit, onRejection, requests, verify })
  const records = upstreamRecord.make(store, recordKeys, seal)
  const tokens = yield* upstreamTokens.make({
    upstream,
    requests,
    identification,
    records,
    store,
    uncheckableLifetime
  })

  const upstreamScopes: UpstreamLeg["upstreamScopes"] = (scopes) =>
    quirks.hasNoScopes ? [] : [
      ...new Set([
        ...quirks.baseScopes,
        ...admit.scopes(upstream.kind),
        ...scopes.flatMap((scope) => upstream.scopes.get(scope) ?? [])
      ])
    ]

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
    name,
    apiUrl: upstream.apiUrl,
    subjectOf: identification.subjectOf,
    upstreamScopes,
    check: tokens.check,
    token: tokens.token,
    release: tokens.release,
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
      const upstreamKey = yield* tokens.save({
        subject: person.subject,
        accessToken: issued.accessToken,
        refreshToken: issued.refreshToken,
        expiresAt: issued.expiresAt,
        granted,
        claims: server === undefined ? undefined : candidate.claims,
        checkedAt: now,
        signedInAt: now
      })
      return { person, upstreamKey, scopes: upstreamTokens.grantedScopes(upstream, granted, flow.scopes) }
    }, (signIn) => Effect.tapError(signIn, reportFailure))
  }
})

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
