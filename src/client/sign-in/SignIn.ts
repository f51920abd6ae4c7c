import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import type { Store } from "../../store/records/RecordStore.ts"
import { type BoundKeys, createFor } from "../BoundKey.ts"
import {
  AuthorizationDenied,
  CallbackRejected,
  type ClientError,
  DiscoveryError,
  type Mismatch,
  SignInRequired,
  type Unavailable
} from "../ClientError.ts"
import * as clientProof from "../ClientProof.ts"
import { record, trace } from "../Observation.ts"
import * as TokenEndpoint from "../TokenEndpoint.ts"
import type { Acquisition, Obtained, TokenSource } from "../TokenSource.ts"
import * as AuthorizationRequest from "./AuthorizationRequest.ts"
import * as AuthorizationResponse from "./AuthorizationResponse.ts"
import * as Pkce from "./Pkce.ts"
import type { Registrations } from "./Registration.ts"
import type { Issuers } from "./SignInOptions.ts"
import * as records from "./SignInRecords.ts"
import * as storedToken from "./StoredToken.ts"

/* Signs people in with the authorization code grant and PKCE (RFC 6749 §4.1, RFC 7636), and refreshes their tokens. */

/** The sign-in of the people of one client. */
export interface SignIn {
  /** Begins a sign-in. Returns the URL that the person opens. */
  readonly begin: (
    connection: storedToken.Connection,
    acquisition: Acquisition,
    redirectUri: string
  ) => Effect.Effect<string, ClientError>
  /** Ends a sign-in with the URL of the callback, and stores the token. */
  readonly complete: (
    callback: string,
    account: string
  ) => Effect.Effect<Completed, CompleteError>
  /** Creates the source of tokens of a connection. `signIn` lets the person sign in. */
  readonly makeSource: (
    connection: storedToken.Connection,
    signIn: (acquisition: Acquisition) => Effect.Effect<void, ClientError>
  ) => Effect.Effect<TokenSource>
}

/**
 * A sign-in that has ended.
 *
 * @category models
 * @since 0.1.0
 */
export interface Completed extends storedToken.Connection {
  /** The issuer of the authorization server. */
  readonly issuer: string
  /** The granted scopes. */
  readonly granted: ReadonlyArray<string>
}

/**
 * The errors of a sign-in that does not end with a token.
 *
 * @category errors
 * @since 0.1.0
 */
export type CompleteError = CallbackRejected | AuthorizationDenied | Mismatch | Unavailable

export interface Options {
  readonly store: Store
  readonly fetcher: Fetcher["Service"]
  readonly issuers: Issuers
  readonly registrations: Registrations
  /** The keys of the option `dpop`. */
  readonly keys: BoundKeys | undefined
  /** Adds a connection to those of its account. Runs before its token is requested, so that no token is stored without it. */
  readonly addConnection?: ((connection: storedToken.Connection) => Effect.Effect<void, Unavailable>) | undefined
}

/** The time within which a person must end a sign-in. */
export const flowLifetime: Duration.Duration = Duration.minutes(10)

/** The number of sign-ins that a connection begins in a minute. Further requests receive the latest one. */
const flowsPerMinute = 5

/**
 * The number of times that an MCP server can ask for more scopes within `flowLifetime` although the person has granted scopes in
 * between. A server that asks for ever more scopes must not send a person to consent pages without end.
 */
const maximumStepUps = 2

const option = "allowIssuers"

/** Creates the sign-in of a client. */
export const make = ({ addConnection, fetcher, issuers, keys, registrations, store }: Options): SignIn => {
  const kept = records.make(store)
  const requestToken = TokenEndpoint.make(fetcher)

  const begin: SignIn["begin"] = Effect.fnUntraced(function*(
    { account, resource },
    acquisition,
    redirectUri
  ): Effect.fn.Return<string, ClientError> {
    const { found, scopes } = acquisition
    const { issuer, server } = found
    const { assumesS256, sendsResource } = issuers.settingsFor(issuer)
    const reject = (detail: string) => new DiscoveryError({ detail, trail: [] })
    if (!Pkce.isSupported(server.code_challenge_methods_supported, assumesS256)) {
      return yield* reject(
        `${issuer} does not list S256 in code_challenge_methods_supported, so a stolen code could be used. If it verifies S256 ` +
          "all the same, set assumeS256: true in its entry of allowIssuers"
      )
    }
    if (server.authorization_endpoint === undefined) {
      return yield* reject(`The metadata of ${issuer} have no authorization_endpoint`)
    }
    const requested = AuthorizationRequest.scopesFor(scopes, server.scopes_supported)
    const { credentials } = yield* registrations.find(found)
    const key = keys && (yield* createFor(keys, found, { isStored: true }))
    const state = Pkce.makeSecret()
    const verifier = Pkce.makeSecret()
    const sentResource = sendsResource ? found.resource : undefined
    const url = AuthorizationRequest.toUrl({
      endpoint: server.authorization_endpoint,
      clientId: credentials.clientId,
      redirectUri,
      state,
      challenge: yield* Pkce.challengeOf(verifier),
      scopes: requested,
      resource: sentResource,
      thumbprint: key?.thumbprint
    })
    if (Result.isFailure(url)) {
      return yield* reject(`The authorization_endpoint of ${issuer} ${url.failure}`)
    }
    // The code goes only to this token endpoint, also if the metadata change in the meantime.
    yield* kept.put(
      yield* records.keyOf("flow", state),
      {
        account,
        resource,
        issuer,
        verifier,
        ...storedToken.keyMembers(key),
        redirectUri,
        requested,
        clientId: credentials.clientId,
        sentResource,
        tokenEndpoint: server.token_endpoint,
        methods: server.token_endpoint_auth_methods_supported,
        sendsIssuer: server.authorization_response_iss_parameter_supported === true
      },
      flowLifetime,
      undefined
    )
    yield* record("SignInBegun", { acquisition: { ...acquisition, scopes: requested }, way: "authorization-code" })
    return url.success
  })

  /** Takes the flow of a `state`. Of several calls, one receives it. */
  const take = Effect.fnUntraced(function*(state: string) {
    const key = yield* records.keyOf("flow", state)
    const found = yield* kept.get(key)
    return found !== undefined && (yield* kept.remove(key, found.version)) ? found : undefined
  })

  const complete: SignIn["complete"] = Effect.fnUntraced(
    function*(
      callback,
      account
    ): Effect.fn.Return<Completed, CompleteError> {
      const parsed = AuthorizationResponse.parse(callback)
      if (Result.isFailure(parsed)) return yield* new CallbackRejected({ reason: parsed.failure })
      const { issuer: sender, result, state } = parsed.success
      const flow = yield* take(state)
      if (flow === undefined) return yield* new CallbackRejected({ reason: "unknown-state" })
      const text = (name: string) => records.text(flow, name) ?? ""
      if (text("account") !== account) return yield* new CallbackRejected({ reason: "other-account" })
      const issuer = text("issuer")
      // Checked before the error is read, because another server must not end the sign-in either.
      if (!AuthorizationResponse.hasIssuer(sender, issuer, flow.members["sendsIssuer"] === true)) {
        return yield* new CallbackRejected({ reason: "issuer" })
      }
      const clientId = text("clientId")
      const registration = yield* registrations.known(issuer, clientId)
      if ("error" in result) {
        const { description, error: code } = result
        if (code === "unauthorized_client" || code === "invalid_client") yield* registration?.remove ?? Effect.void
        return yield* new AuthorizationDenied({ reason: "sign-in", issuer, code, description })
      }
      const key = yield* storedToken.readKey(flow, keys)
      // The client was registered again in the meantime, or its option `dpop` has changed.
      if (registration === undefined || key === "lost") return yield* new CallbackRejected({ reason: "unknown-state" })
      const resource = text("resource")
      yield* addConnection?.({ account, resource }) ?? Effect.void
      const requested = records.texts(flow, "requested") ?? []
      const sentResource = records.text(flow, "sentResource")
      const request = requestToken({
        issuer,
        endpoint: text("tokenEndpoint"),
        parameters: [
          ["grant_type", "authorization_code"],
          ["code", result.code],
          ["redirect_uri", text("redirectUri")],
          ["code_verifier", text("verifier")],
          ...(sentResource === undefined ? [] : [["resource", sentResource] as const])
        ],
        proof: clientProof.make(
          registration.credentials,
          { issuer, methods: records.texts(flow, "methods") },
          option
        ),
        key,
        scopes: requested
      })
      const obtained = yield* trace("complete_sign_in", issuer, request).pipe(
        Effect.tapError((error) => isCode(error, "invalid_client") ? registration.remove ?? Effect.void : Effect.void)
      )
      const stored = yield* storedToken.make(store, { account, resource }, keys)
      yield* stored.replace({ ...obtained, clientId, requested, issuer })
      const completed = { account, resource, issuer, granted: obtained.granted }
      yield* record("SignInCompleted", completed)
      return completed
    },
    Effect.tapError((error) => record("SignInFailed", error)),
    // The code can be used once, so a person who closes the page early must not interrupt the sign-in.
    Effect.uninterruptible
  )

  const refresh = Effect.fnUntraced(function*(
    { current, found }: Acquisition,
    stored: storedToken.StoredToken
  ): Effect.fn.Return<Obtained | undefined, ClientError> {
    const { issuer, server } = found
    if (current?.refreshToken === undefined || current.clientId === undefined || current.issuer !== issuer) {
      return undefined
    }
    const registration = yield* registrations.known(issuer, current.clientId)
    if (registration === undefined) return undefined
    const proof = clientProof.make(
      registration.credentials,
      { issuer, methods: server.token_endpoint_auth_methods_supported },
      option
    )
    const sendsResource = issuers.settingsFor(issuer).sendsResource
    const obtained = yield* Effect.result(requestToken({
      issuer,
      endpoint: server.token_endpoint!,
      parameters: [
        ["grant_type", "refresh_token"],
        ["refresh_token", Redacted.value(current.refreshToken)],
        ...(sendsResource ? [["resource", found.resource] as const] : [])
      ],
      proof,
      key: current.key,
      scopes: current.granted
    }))
    if (Result.isSuccess(obtained)) {
      return { ...obtained.success, clientId: current.clientId, requested: current.requested }
    }
    const error = obtained.failure
    const isForgotten = isCode(error, "invalid_client") && registration.remove !== undefined
    if (!isForgotten && !isCode(error, "invalid_grant")) return yield* Effect.fail(error)
    if (isForgotten) yield* registration.remove!
    // Only this token: another process can have stored a newer one.
    yield* stored.remove(current)
    yield* record("TokenEnded", { issuer, code: isForgotten ? "invalid_client" : "invalid_grant" })
    return undefined
  })

  return {
    begin,
    complete,
    makeSource: Effect.fnUntraced(function*(connection, signIn) {
      const stored = yield* storedToken.make(store, connection, keys)
      return {
        records: stored,
        canRenew: ({ refreshToken }) => refreshToken !== undefined,
        request: (acquisition) => acquisition.addsScopes ? Effect.undefined : refresh(acquisition, stored),
        signIn
      }
    })
  }
}

/** Tells whether the token endpoint answered with an error code. */
export const isCode = (error: ClientError, code: string): boolean =>
  error._tag === "AuthorizationDenied" && error.reason === "token-request" && error.code === code

/**
 * Creates the function that ends a request with `SignInRequired`. A loop of requests without a person does not fill the store: after
 * a few sign-ins in a minute, further requests receive the latest one. After two step-ups, a request for more scopes fails.
 */
export const requireSignIn = (
  { begin }: Pick<SignIn, "begin">,
  connection: storedToken.Connection,
  redirectUri: string,
  now: Effect.Effect<number>
): (acquisition: Acquisition) => Effect.Effect<never, ClientError> => {
  const times: Array<number> = []
  /** The granted scopes with which the MCP server asked for more, and the time. */
  const stepUps = new Map<string, number>()
  /** The members of the latest error. The error itself would keep its stack in memory. */
  let latest: ConstructorParameters<typeof SignInRequired>[0] | undefined
  return Effect.fnUntraced(function*(acquisition) {
    const time = yield* now
    while (times.length > 0 && times[0]! <= time - 60_000) times.shift()
    if (latest !== undefined) {
      const { scopes } = latest
      const covers = acquisition.scopes.every((scope) => scopes.includes(scope))
      if (times.length >= (covers ? flowsPerMinute : 4 * flowsPerMinute)) return yield* new SignInRequired(latest)
    }
    const { addsScopes, current, found, scopes } = acquisition
    if (addsScopes) {
      for (const [granted, at] of stepUps) if (at <= time - Duration.toMillis(flowLifetime)) stepUps.delete(granted)
      const granted = [...(current?.granted ?? [])].sort().join(" ")
      if (!stepUps.has(granted)) {
        if (stepUps.size >= maximumStepUps) {
          return yield* new AuthorizationDenied({ reason: "step-up", issuer: found.issuer })
        }
        stepUps.set(granted, time)
      }
    }
    const url = yield* begin(connection, acquisition, redirectUri)
    times.push(time)
    latest = {
      ...connection,
      url,
      scopes,
      reason: addsScopes ? "scopes" : current === undefined ? "no-token" : "token-ended"
    }
    return yield* new SignInRequired(latest)
  })
}
