import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Check, Profiles } from "effect-mcp-auth/provider"
import { FetchHttpClient } from "effect/http"
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from "jose"
import * as CognitoLocal from "./cognitoLocal.ts"
import { clients } from "./officialClients.ts"
import * as TodoManager from "./todoManager.ts"

/** Starts the emulator, and a todo manager that accepts the tokens of one client of the user pool. */
const serve = Effect.gen(function*() {
  const reserved = yield* TodoManager.reserve
  const emulator = yield* CognitoLocal.make
  const { createClient, url, userPoolId } = emulator
  const clientId = yield* createClient()
  const expiringId = yield* createClient(0)
  const profile = Profiles.cognito({ region: "local", userPoolId, clientIds: [clientId, expiringId] })
  const jwksUri = `${url}/${userPoolId}/.well-known/jwks.json`
  const todos = yield* TodoManager.serve(reserved, { authorizationServers: [{ profile, jwksUri }] })
  return { ...emulator, ...reserved, clientId, expiringId, profile, todos }
})

/** Asserts that the token is valid. Every tool is rejected nevertheless, because the emulator writes a fixed scope. */
const assertVerified = Effect.fnUntraced(function*(todos: TodoManager.TodoManager, token: string) {
  const { challenge, status } = yield* todos.create(token)
  assert.strictEqual(status, 403)
  assert.match(challenge ?? "", /error="insufficient_scope"/)
})

describe.skipIf(!CognitoLocal.isInstalled)("cognito-local (skipped if it is not installed)", () => {
  it.live("issues access tokens that the profile accepts: bound to the client, without an audience", () =>
    Effect.gen(function*() {
      const { clientId, getTokens, profile, todos } = yield* serve
      const { AccessToken: token } = yield* getTokens(clientId)
      assert.strictEqual(decodeProtectedHeader(token).alg, "RS256")
      const claims = decodeJwt<JWTPayload>(token)
      assert.deepInclude({ ...claims }, {
        iss: profile.issuer,
        client_id: clientId,
        token_use: "access",
        username: "alice",
        scope: "aws.cognito.signin.user.admin"
      })
      assert.isUndefined(claims.aud)
      yield* assertVerified(todos, token)
    }))

  it.live("issues tokens that are rejected: expired tokens, ID tokens, and tokens of other clients and user pools", () =>
    Effect.gen(function*() {
      const { clientId, createClient, expiringId, getTokens, todos } = yield* serve
      const { AccessToken: token, IdToken: idToken } = yield* getTokens(clientId)
      yield* TodoManager.assertRejected(todos, idToken)
      yield* TodoManager.assertRejected(todos, (yield* getTokens(expiringId)).AccessToken)
      yield* TodoManager.assertRejected(todos, (yield* getTokens(yield* createClient())).AccessToken)
      // Every emulator signs with the same key, so only the issuer distinguishes the user pools.
      const other = yield* serve
      yield* TodoManager.assertRejected(todos, (yield* other.getTokens(other.clientId)).AccessToken)
      yield* TodoManager.assertRejected(todos, token.slice(0, -8) + "AAAAAAAA")
      yield* TodoManager.assertRejected(todos, "garbage")
    }))

  it.live.each(clients)(
    "has metadata without endpoints, so the client of $name signs in only if they are added as Cognito writes them",
    ({ signIn }) =>
      Effect.gen(function*() {
        const { clientId, host, resource, url, userPoolId } = yield* serve
        /** Sends the requests to Cognito to the emulator, and adds the members to its metadata. */
        const fetchWith = (members: object): typeof fetch => async (input, init) => {
          const target = new URL(input instanceof Request ? input.url : input)
          if (target.host !== host) return fetch(input, init)
          const response = await fetch(new URL(target.pathname, url), init)
          if (!target.pathname.endsWith("/openid-configuration")) return response
          const issuer = `https://${host}/${userPoolId}`
          return response.status === 200 ? Response.json({ ...await response.json(), issuer, ...members }) : response
        }
        const failure = yield* Effect.promise(() =>
          signIn({ url: resource, clientId, fetch: fetchWith({}) }).then(() => "", (error: Error) => error.message)
        )
        assert.include(failure, "authorization_endpoint")

        const cognito = {
          authorization_endpoint: `${url}/oauth2/authorize`,
          token_endpoint: `${url}/oauth2/token`,
          response_types_supported: ["code", "token", "token id_token"],
          subject_types_supported: ["public"],
          token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"]
        }
        const { close, tokens } = yield* Effect.promise(() =>
          signIn({ url: resource, clientId, fetch: fetchWith(cognito) })
        )
        assert.deepInclude({ ...decodeJwt<JWTPayload>(tokens.access_token) }, {
          client_id: clientId,
          username: "alice"
        })
        yield* Effect.promise(close)
      })
  )

  it.live("fails the check, because its metadata name a fixed port and no endpoints", () =>
    Effect.gen(function*() {
      const { url, userPoolId } = yield* serve
      const { findings } = yield* Check.run(`${url}/${userPoolId}`, { revision: "2026-07-28" }).pipe(
        Effect.provide(FetchHttpClient.layer)
      )
      const failed = findings.filter(({ level, verdict }) => level === "MUST" && verdict === "fail")
      assert.deepStrictEqual(failed.map(({ rule }) => rule), ["issuer-identical", "code-flow", "pkce-s256"])
    }))
})
