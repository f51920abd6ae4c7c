import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ScopeToken from "../../protocol/ScopeToken.ts"
import { TooManyRefreshes } from "../grants/Grants.ts"
import * as answers from "./Answers.ts"
import * as body from "./Body.ts"
import type { Parts } from "./Front.ts"
import * as parameters from "./Parameters.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"
import * as resourceParameter from "./ResourceParameter.ts"

/* Answers `POST /token` (RFC 6749 §3.2, §6), `POST /revoke` (RFC 7009) and `POST /register` (RFC 7591). */

/** Reads the body of a request. Returns the response if there is none. */
const readBody = (request: ProxyRequest, code: string): Effect.Effect<string | ProxyResponse> =>
  Effect.map(body.read(request), (read) =>
    "text" in read
      ? read.text
      : read.problem === "too-slow"
      ? answers.error(408, code, "The body did not arrive in time")
      : answers.error(413, code, "The body is too long or not UTF-8"))

interface Authenticated {
  readonly clientId: string
  readonly get: (name: string) => string | undefined
}

/** Reads the form of a request and authenticates its client. Returns the response if one of them fails. */
const authenticate = (front: Parts, request: ProxyRequest): Effect.Effect<Authenticated | ProxyResponse> =>
  Effect.gen(function*() {
    if (!parameters.isForm(request.header("content-type")[0])) {
      return answers.error(400, "invalid_request", "The content type is not application/x-www-form-urlencoded")
    }
    const text = yield* readBody(request, "invalid_request")
    if (typeof text !== "string") return text
    const parsed = parameters.parse(text)
    if (Result.isFailure(parsed)) return answers.error(400, "invalid_request", `The body ${parsed.failure}`)
    const { get } = parsed.success
    const authorization = request.header("authorization")
    const clientId = yield* front.clients.authenticate({
      authorization,
      clientId: get("client_id"),
      clientSecret: get("client_secret")
    })
    return clientId === undefined ? answers.invalidClient(authorization.length > 0) : { clientId, get }
  })

/** Exchanges a code or a refresh token for tokens. */
export const answer = (front: Parts, request: ProxyRequest): Effect.Effect<ProxyResponse> =>
  Effect.gen(function*() {
    const authenticated = yield* authenticate(front, request)
    if ("status" in authenticated) return authenticated
    const { clientId, get } = authenticated
    const requested = get("resource")
    const found = requested === undefined
      ? undefined
      : resourceParameter.find(requested, front.resources.map(({ resource }) => resource))
    if (found !== undefined && Result.isFailure(found)) {
      return answers.error(400, "invalid_target", "The resource is not one of this server")
    }
    const resource = found?.success
    switch (get("grant_type")) {
      case "authorization_code": {
        const code = get("code")
        if (code === undefined) return answers.error(400, "invalid_request", "The code is missing")
        const redeemed = front.grants.redeem({
          code,
          clientId,
          redirectUri: get("redirect_uri"),
          verifier: get("code_verifier"),
          resource
        })
        return yield* Effect.map(redeemed, answers.tokens)
      }
      case "refresh_token": {
        const refreshToken = get("refresh_token")
        if (refreshToken === undefined) return answers.error(400, "invalid_request", "The refresh token is missing")
        const scope = get("scope")
        const refreshed = front.grants.refresh(
          { refreshToken, clientId, resource, scopes: scope === undefined ? undefined : ScopeToken.parse(scope) },
          ({ id, upstreamKey }) =>
            Effect.gen(function*() {
              // Each rotation asks the upstream. The id is that of a verified token, so other clients cannot use up the budget.
              const { rotations } = front.limits
              const retryAfter = yield* rotations.wait(id)
              if (retryAfter > 0) return yield* new TooManyRefreshes({ retryAfter })
              yield* rotations.use(id)
              return yield* front.upstream.leg.check(upstreamKey)
            })
        )
        return yield* Effect.map(refreshed, answers.tokens)
      }
      default:
        return answers.error(400, "unsupported_grant_type", "Use authorization_code or refresh_token")
    }
  }).pipe(Effect.catch((error) => Effect.succeed(answers.failure(error))))

/** Ends the grant of a token. An unknown token also answers 200 (RFC 7009 §2.2). */
export const revoke = (front: Parts, request: ProxyRequest): Effect.Effect<ProxyResponse> =>
  Effect.gen(function*() {
    const authenticated = yield* authenticate(front, request)
    if ("status" in authenticated) return authenticated
    const token = authenticated.get("token")
    if (token === undefined) return answers.error(400, "invalid_request", "The token is missing")
    yield* front.grants.revoke(token, authenticated.clientId)
    return answers.done
  }).pipe(Effect.catch((error) => Effect.succeed(answers.failure(error))))

/** Registers a client. Nothing is stored. */
export const register = (front: Parts, request: ProxyRequest): Effect.Effect<ProxyResponse> =>
  Effect.gen(function*() {
    const text = yield* readBody(request, "invalid_client_metadata")
    if (typeof text !== "string") return text
    const metadata = yield* Effect.try({ try: (): unknown => JSON.parse(text), catch: () => undefined }).pipe(
      Effect.catch(() => Effect.undefined)
    )
    return yield* front.registrations.register(metadata).pipe(
      Effect.map((registration) => answers.json(201, registration)),
      Effect.catch(({ description, error }) => Effect.succeed(answers.error(400, error, description)))
    )
  })
