import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { Audience, type Profile } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { Profiles } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { decodeJwt, decodeProtectedHeader } from "jose"
import { createServer } from "node:http"
import { Events } from "oauth2-mock-server"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { signIn } from "../../examples/authorization-server/test/signIn.ts"
import * as BetterAuth from "./betterAuth.ts"
import * as OAuth2MockServer from "./oauth2MockServer.ts"
import * as TodoManager from "./todoManager.ts"

const scopes = ["create:todos", "read:todos", "delete:todos"]
const baseline = "create:todos read:todos"

const post = (url: string, { clientId, clientSecret }: AuthorizationServer.ConfidentialClient, form: object) =>
  Effect.promise(() =>
    fetch(url, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${clientId}:${Redacted.value(clientSecret)}`)}` },
      body: new URLSearchParams({ ...form })
    })
  )

describe("a server with oidc-provider", () => {
  it.live.each(["RS256", "ES256", "PS256", "Ed25519"] as const)(
    "admits JWTs with %s, and rejects those for another resource",
    (signingAlgorithm) =>
      Effect.gen(function*() {
        const reserved = yield* TodoManager.reserve
        const { issuer } = yield* AuthorizationServer.make({ scopes, signingAlgorithm })
        const todos = yield* TodoManager.serve(reserved, { authorizationServers: [Profiles.oidcProvider({ issuer })] })
        const { access_token } = yield* Effect.promise(() =>
          signIn({ issuer, resource: reserved.resource, scope: baseline })
        )
        assert.strictEqual(decodeProtectedHeader(access_token).alg, signingAlgorithm)
        yield* TodoManager.assertAdmitted(todos, access_token)
        const elsewhere = { issuer, resource: "http://127.0.0.1:9/mcp", scope: baseline }
        yield* TodoManager.assertRejected(todos, (yield* Effect.promise(() => signIn(elsewhere))).access_token)
      })
  )

  it.live("admits opaque tokens by introspection, until they are revoked", () =>
    Effect.gen(function*() {
      const reserved = yield* TodoManager.reserve
      const { issuer, service } = yield* AuthorizationServer.make({ scopes, accessTokenFormat: "opaque" })
      const todos = yield* TodoManager.serve(reserved, {
        authorizationServers: [{
          profile: Profiles.oidcProvider({ issuer }),
          introspection: Introspection.make({ ...service, cacheFor: 0 })
        }]
      })
      const issued = { issuer, resource: reserved.resource, scope: baseline }
      const { access_token } = yield* Effect.promise(() => signIn(issued))
      assert.notInclude(access_token, ".")
      yield* TodoManager.assertAdmitted(todos, access_token)
      yield* TodoManager.assertRejected(todos, "made-up")
      const elsewhere = { ...issued, resource: "http://127.0.0.1:9/mcp" }
      yield* TodoManager.assertRejected(todos, (yield* Effect.promise(() => signIn(elsewhere))).access_token)

      const about = yield* post(`${issuer}/token/introspection`, service, { token: access_token })
      const { client_id } = (yield* Effect.promise(() => about.json())) as { readonly client_id: string }
      yield* Effect.promise(() =>
        fetch(`${issuer}/token/revocation`, {
          method: "POST",
          body: new URLSearchParams({ client_id, token: access_token })
        })
      )
      yield* TodoManager.assertRejected(todos, access_token)
    }))

  it.live.each(["jwt", "opaque"] as const)(
    "admits a token (%s) that a program requested for itself, and no such token for another resource",
    (accessTokenFormat) =>
      Effect.gen(function*() {
        const reserved = yield* TodoManager.reserve
        const { issuer, service } = yield* AuthorizationServer.make({ scopes, accessTokenFormat })
        const profile = Profiles.oidcProvider({ issuer })
        const todos = yield* TodoManager.serve(reserved, {
          authorizationServers: [
            accessTokenFormat === "jwt" ? profile : { profile, introspection: Introspection.make(service) }
          ]
        })
        const requestToken = Effect.fnUntraced(function*(resource: string) {
          const form = { grant_type: "client_credentials", resource, scope: baseline }
          const response = yield* post(`${issuer}/token`, service, form)
          const body = yield* Effect.promise(() => response.json())
          return (body as { readonly access_token: string }).access_token
        })
        const token = yield* requestToken(reserved.resource)
        assert.strictEqual(token.split(".").length, accessTokenFormat === "jwt" ? 3 : 1)
        yield* TodoManager.assertAdmitted(todos, token)
        yield* TodoManager.assertRejected(todos, yield* requestToken("http://127.0.0.1:9/mcp"))
      })
  )

  it.live("reports an outage, not an invalid token, if the endpoint rejects its credentials", () =>
    Effect.gen(function*() {
      const reserved = yield* TodoManager.reserve
      const { issuer, service } = yield* AuthorizationServer.make({ scopes, accessTokenFormat: "opaque" })
      const todos = yield* TodoManager.serve(reserved, {
        authorizationServers: [{
          issuer,
          introspection: Introspection.make({ ...service, clientSecret: Redacted.make("wrong") })
        }]
      })
      const { access_token } = yield* Effect.promise(() =>
        signIn({ issuer, resource: reserved.resource, scope: baseline })
      )
      const { challenge, status } = yield* todos.create(access_token)
      assert.strictEqual(status, 503)
      assert.isNull(challenge)
    }))
})

describe("an introspection endpoint that redirects", () => {
  it.live("T-INTR-04: is the only server that receives the token", () =>
    Effect.gen(function*() {
      const reserved = yield* TodoManager.reserve
      const provider = yield* Layer.build(
        TestIssuer.serve().pipe(
          Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
          Layer.orDie
        )
      )
      const { fail, issuer, requests } = Context.get(provider, TestIssuer.TestIssuer)
      yield* fail({ _tag: "Status", status: 307, headers: { location: "/elsewhere" } })
      const introspection = Introspection.make({
        clientId: "todos",
        clientSecret: Redacted.make("hush"),
        endpoint: `${issuer}/introspect`
      })
      const todos = yield* TodoManager.serve(reserved, { authorizationServers: [{ issuer, introspection }] })
      assert.strictEqual((yield* todos.create("opaque")).status, 503)
      assert.deepStrictEqual((yield* requests).map(({ method, url }) => [method, url]), [
        ["POST", `${issuer}/introspect`]
      ])
    }))
})

describe("a server with oauth2-mock-server", () => {
  it.live.each(["RS256", "ES256", "PS256", "EdDSA"] as const)(
    "admits JWTs with %s, and rejects those for another resource",
    (algorithm) =>
      Effect.gen(function*() {
        const reserved = yield* TodoManager.reserve
        const server = yield* OAuth2MockServer.make(algorithm)
        const issuer = server.issuer.url!
        const todos = yield* TodoManager.serve(reserved, { authorizationServers: [issuer] })
        const token = (aud: string) =>
          Effect.promise(async () => {
            server.service.once(Events.BeforeTokenSigning, ({ payload }) => Object.assign(payload, { aud }))
            const response = await fetch(`${issuer}/token`, {
              method: "POST",
              body: new URLSearchParams({ grant_type: "password", username: "alice", scope: baseline })
            })
            return ((await response.json()) as { readonly access_token: string }).access_token
          })
        const good = yield* token(reserved.resource)
        assert.strictEqual(decodeProtectedHeader(good).alg, algorithm)
        yield* TodoManager.assertAdmitted(todos, good)
        yield* TodoManager.assertRejected(todos, yield* token("http://127.0.0.1:9/mcp"))
      })
  )
})

describe("a server with better-auth", () => {
  it.live.each(["RS256", "ES256", "PS256", "EdDSA"] as const)(
    "admits JWTs with %s, by their keys and by introspection",
    (algorithm) =>
      Effect.gen(function*() {
        const reserved = yield* TodoManager.reserve
        const { client, issuer, token } = yield* BetterAuth.make({ resource: reserved.resource, scopes, algorithm })
        const jwt = yield* token({ scope: baseline, resource: reserved.resource })
        assert.strictEqual(decodeProtectedHeader(jwt).alg, algorithm)
        assert.strictEqual(decodeJwt(jwt).aud, reserved.resource)
        const profile = Profiles.betterAuth({ issuer })
        yield* TodoManager.assertAdmitted(yield* TodoManager.serve(reserved, { authorizationServers: [profile] }), jwt)

        const other = yield* TodoManager.reserve
        const introspecting = yield* TodoManager.serve({ ...reserved, port: other.port }, {
          authorizationServers: [{ profile, introspection: Introspection.make({ ...client, tokens: "all" }) }]
        })
        yield* TodoManager.assertAdmitted(introspecting, jwt)
      })
  )

  it.live("rejects opaque tokens, which name neither audience nor subject", () =>
    Effect.gen(function*() {
      const reserved = yield* TodoManager.reserve
      const { client, issuer, token } = yield* BetterAuth.make({
        resource: reserved.resource,
        scopes,
        algorithm: "EdDSA"
      })
      const opaque = yield* token({ scope: baseline })
      assert.notInclude(opaque, ".")
      const authorizationServers = [{
        profile: Profiles.betterAuth({ issuer }),
        introspection: Introspection.make(client)
      }] as const
      yield* TodoManager.assertRejected(yield* TodoManager.serve(reserved, { authorizationServers }), opaque)
    }))

  it.live("admits opaque tokens of listed clients if the profile allows it", () =>
    Effect.gen(function*() {
      const reserved = yield* TodoManager.reserve
      const { client, issuer, token } = yield* BetterAuth.make({
        resource: reserved.resource,
        scopes,
        algorithm: "EdDSA"
      })
      const profile = (clientId: string): Profile.Profile => ({
        ...Profiles.betterAuth({ issuer }),
        audience: Audience.clientIds([clientId]),
        boundTo: "client",
        machineMarks: [{ claim: "client_id", values: [clientId] }]
      })
      const serve = (reserved: Effect.Success<typeof TodoManager.reserve>, clientId: string) =>
        TodoManager.serve(reserved, {
          authorizationServers: [{ profile: profile(clientId), introspection: Introspection.make(client) }]
        })
      const opaque = yield* token({ scope: baseline })
      yield* TodoManager.assertAdmitted(yield* serve(reserved, client.clientId), opaque)
      yield* TodoManager.assertRejected(yield* serve(yield* TodoManager.reserve, "another-client"), opaque)
    }))
})
