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

const place = await Effect.runPromise(TodoManager.reserve)
const elsewhere = "http://127.0.0.1:9/mcp"

describe.skipIf(!runs("glewlwyd"))("Glewlwyd (skipped where it is not installed)", () => {
  layer(Server.layer({ resources: [place.resource, elsewhere], scopes }), {
    excludeTestServices: true,
    timeout: "1 minute"
  })((it) => {
    it.effect.each(Server.algorithms)(
      "JWTs signed with %s, of a program and of a person; those for somebody else and ID tokens are rejected",
      (algorithm) =>
        Effect.gen(function*() {
          const { issuer, ofAlice, ofProgram } = (yield* Glewlwyd).realm(algorithm)
          const todos = yield* TodoManager.serve(place, { authorizationServers: [Profiles.glewlwyd({ issuer })] })

          const { access_token: token } = yield* ofProgram({ scope, resource: place.resource })
          assert.deepInclude({ ...decodeProtectedHeader(token) }, { alg: algorithm, typ: "at+jwt" })
          assert.deepInclude({ ...decodeJwt<JWTPayload>(token) }, {
            sub: "program",
            client_id: "program",
            type: "access_token",
            scope
          })
          yield* TodoManager.works(todos, token)
          yield* TodoManager.rejected(todos, (yield* ofProgram({ scope, resource: elsewhere })).access_token)

          const undirected = (yield* ofProgram({ scope })).access_token
          assert.strictEqual(decodeJwt(undirected).aud, scope)
          yield* TodoManager.rejected(todos, undirected)

          const alice = yield* ofAlice({ scope: `openid ${scope}`, resource: place.resource })
          yield* TodoManager.works(todos, alice.access_token)
          assert(alice.id_token !== undefined)
          assert.deepInclude({ ...decodeProtectedHeader(alice.id_token) }, { alg: algorithm, typ: "JWT" })
          yield* TodoManager.rejected(todos, alice.id_token)
        })
    )

    it.effect("one realm's tokens are nothing to the other, though it is the same server", () =>
      Effect.gen(function*() {
        const { realm } = yield* Glewlwyd
        const todos = yield* TodoManager.serve(place, {
          authorizationServers: [Profiles.glewlwyd({ issuer: realm("ES256").issuer })]
        })
        const { access_token } = yield* realm("RS256").ofProgram({ scope, resource: place.resource })
        yield* TodoManager.rejected(todos, access_token)
      }))

    it.effect("asked about its tokens, by a client or with a token, it tells, until they are revoked", () =>
      Effect.gen(function*() {
        const { issuer, ofAlice, ofProgram, program, revoke } = (yield* Glewlwyd).realm("RS256")
        const profile = Profiles.glewlwyd({ issuer })
        const asking = (credentials: typeof program | { readonly bearerToken: Redacted.Redacted }) => ({
          authorizationServers: [{
            profile,
            introspection: Introspection.make({ ...credentials, tokens: "all", cacheFor: 0 })
          }] as const
        })
        const todos = yield* TodoManager.serve(place, asking(program))
        const { access_token } = yield* ofProgram({ scope, resource: place.resource })
        yield* TodoManager.works(todos, access_token)
        yield* TodoManager.rejected(todos, (yield* ofProgram({ scope, resource: elsewhere })).access_token)
        yield* revoke(access_token)
        yield* TodoManager.rejected(todos, access_token)

        const { access_token: bearerToken } = yield* ofProgram({ scope: Server.introspectionScope })
        const other = yield* TodoManager.reserve
        const withToken = yield* TodoManager.serve(
          { ...place, port: other.port },
          asking({ bearerToken: Redacted.make(bearerToken) })
        )
        const alice = yield* ofAlice({ scope: `openid ${scope}`, resource: place.resource })
        yield* TodoManager.works(todos, alice.access_token)
        yield* TodoManager.works(withToken, alice.access_token)
        yield* TodoManager.rejected(withToken, alice.id_token ?? "")
      }))

    it.effect("it signs what it says of good tokens (RFC 9701), and says nothing that counts of others", () =>
      Effect.gen(function*() {
        const { issuer, ofProgram, program, revoke } = (yield* Glewlwyd).realm("PS256")
        const todos = yield* TodoManager.serve(place, {
          authorizationServers: [{
            profile: Profiles.glewlwyd({ issuer }),
            introspection: Introspection.make({ ...program, signedAnswers: true, tokens: "all", cacheFor: 0 })
          }]
        })
        const { access_token } = yield* ofProgram({ scope, resource: place.resource })
        yield* TodoManager.works(todos, access_token)
        // The answer is addressed to whom the token is for.
        const foreign = yield* ofProgram({ scope, resource: elsewhere })
        assert.strictEqual((yield* todos.create(foreign.access_token)).status, 503)
        // There is none: 400, and an empty body.
        yield* revoke(access_token)
        assert.strictEqual((yield* todos.create(access_token)).status, 503)
      }))

    it.effect("a secret that it does not know is an outage, not a bad token", () =>
      Effect.gen(function*() {
        const { issuer, ofProgram, program } = (yield* Glewlwyd).realm("RS256")
        const todos = yield* TodoManager.serve(place, {
          authorizationServers: [{
            profile: Profiles.glewlwyd({ issuer }),
            introspection: Introspection.make({ ...program, clientSecret: Redacted.make("wrong"), tokens: "all" })
          }]
        })
        const { access_token } = yield* ofProgram({ scope, resource: place.resource })
        const { challenge, status } = yield* todos.create(access_token)
        assert.strictEqual(status, 503)
        assert.isNull(challenge)
      }))
  })
})
