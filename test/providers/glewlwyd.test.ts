import { assert, describe, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Introspection } from "effect-mcp-auth/introspection"
import { Profiles } from "effect-mcp-auth/provider"
import { decodeJwt, decodeProtectedHeader, type JWTPayload } from "jose"
import { runs } from "../program.ts"
import * as Server from "./glewlwyd.ts"
import { Glewlwyd } from "./glewlwyd.ts"
import * as TodoManager from "./todoManager.ts"

const scopes = ["create:todos", "read:todos", "delete:todos"]
const scope = "create:todos read:todos"

const reserved = await Effect.runPromise(TodoManager.reserve)
const elsewhere = "http://127.0.0.1:9/mcp"

describe.skipIf(!runs("glewlwyd"))("Glewlwyd (skipped if it is not installed)", () => {
  layer(Server.layer({ resources: [reserved.resource, elsewhere], scopes }), {
    excludeTestServices: true,
    timeout: "1 minute"
  })((it) => {
    it.effect.each(Server.algorithms)(
      "admits JWTs with %s of clients and users, and rejects tokens for other resources and ID tokens",
      (algorithm) =>
        Effect.gen(function*() {
          const { issuer, mintForAlice, mintForProgram } = (yield* Glewlwyd).realm(algorithm)
          const todos = yield* TodoManager.serve(reserved, { authorizationServers: [Profiles.glewlwyd({ issuer })] })

          const { access_token: token } = yield* mintForProgram({ scope, resource: reserved.resource })
          assert.deepInclude({ ...decodeProtectedHeader(token) }, { alg: algorithm, typ: "at+jwt" })
          assert.deepInclude({ ...decodeJwt<JWTPayload>(token) }, {
            sub: "program",
            client_id: "program",
            type: "access_token",
            scope
          })
          yield* TodoManager.assertAdmitted(todos, token)
          yield* TodoManager.assertRejected(todos, (yield* mintForProgram({ scope, resource: elsewhere })).access_token)

          const undirected = (yield* mintForProgram({ scope })).access_token
          assert.strictEqual(decodeJwt(undirected).aud, scope)
          yield* TodoManager.assertRejected(todos, undirected)

          const alice = yield* mintForAlice({ scope: `openid ${scope}`, resource: reserved.resource })
          yield* TodoManager.assertAdmitted(todos, alice.access_token)
          assert(alice.id_token !== undefined)
          assert.deepInclude({ ...decodeProtectedHeader(alice.id_token) }, { alg: algorithm, typ: "JWT" })
          yield* TodoManager.assertRejected(todos, alice.id_token)
        })
    )

    it.effect("rejects tokens of another realm of the same server", () =>
      Effect.gen(function*() {
        const { realm } = yield* Glewlwyd
        const todos = yield* TodoManager.serve(reserved, {
          authorizationServers: [Profiles.glewlwyd({ issuer: realm("ES256").issuer })]
        })
        const { access_token } = yield* realm("RS256").mintForProgram({ scope, resource: reserved.resource })
        yield* TodoManager.assertRejected(todos, access_token)
      }))

    it.effect("introspects its tokens for a client and for a bearer token, until they are revoked", () =>
      Effect.gen(function*() {
        const { issuer, mintForAlice, mintForProgram, program, revoke } = (yield* Glewlwyd).realm("RS256")
        const profile = Profiles.glewlwyd({ issuer })
        const introspectWith = (credentials: typeof program | { readonly bearerToken: Redacted.Redacted }) => ({
          authorizationServers: [{
            profile,
            introspection: Introspection.make({ ...credentials, tokens: "all", cacheFor: 0 })
          }] as const
        })
        const todos = yield* TodoManager.serve(reserved, introspectWith(program))
        const { access_token } = yield* mintForProgram({ scope, resource: reserved.resource })
        yield* TodoManager.assertAdmitted(todos, access_token)
        yield* TodoManager.assertRejected(todos, (yield* mintForProgram({ scope, resource: elsewhere })).access_token)
        yield* revoke(access_token)
        yield* TodoManager.assertRejected(todos, access_token)

        const { access_token: bearerToken } = yield* mintForProgram({ scope: Server.introspectionScope })
        const other = yield* TodoManager.reserve
        const withToken = yield* TodoManager.serve(
          { ...reserved, port: other.port },
          introspectWith({ bearerToken: Redacted.make(bearerToken) })
        )
        const alice = yield* mintForAlice({ scope: `openid ${scope}`, resource: reserved.resource })
        yield* TodoManager.assertAdmitted(todos, alice.access_token)
        yield* TodoManager.assertAdmitted(withToken, alice.access_token)
        yield* TodoManager.assertRejected(withToken, alice.id_token ?? "")
      }))

    it.effect("signs the introspection of active tokens (RFC 9701), so the introspection of other tokens is an outage", () =>
      Effect.gen(function*() {
        const { issuer, mintForProgram, program, revoke } = (yield* Glewlwyd).realm("PS256")
        const todos = yield* TodoManager.serve(reserved, {
          authorizationServers: [{
            profile: Profiles.glewlwyd({ issuer }),
            introspection: Introspection.make({ ...program, signedAnswers: true, tokens: "all", cacheFor: 0 })
          }]
        })
        const { access_token } = yield* mintForProgram({ scope, resource: reserved.resource })
        yield* TodoManager.assertAdmitted(todos, access_token)
        // The signed response has the audience of the token, so the gate does not accept a response about a foreign token.
        const foreign = yield* mintForProgram({ scope, resource: elsewhere })
        assert.strictEqual((yield* todos.create(foreign.access_token)).status, 503)
        // For an inactive token, Glewlwyd returns 400 with an empty body, which is not a valid introspection response.
        yield* revoke(access_token)
        assert.strictEqual((yield* todos.create(access_token)).status, 503)
      }))

    it.effect("causes an outage, not an invalid token, if it rejects the client secret", () =>
      Effect.gen(function*() {
        const { issuer, mintForProgram, program } = (yield* Glewlwyd).realm("RS256")
        const todos = yield* TodoManager.serve(reserved, {
          authorizationServers: [{
            profile: Profiles.glewlwyd({ issuer }),
            introspection: Introspection.make({ ...program, clientSecret: Redacted.make("wrong"), tokens: "all" })
          }]
        })
        const { access_token } = yield* mintForProgram({ scope, resource: reserved.resource })
        const { challenge, status } = yield* todos.create(access_token)
        assert.strictEqual(status, 503)
        assert.isNull(challenge)
      }))
  })
})
