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

describe("oidc-provider", () => {
  it.live.each(["RS256", "ES256", "PS256", "Ed25519"] as const)(
    "JWTs signed with %s",
    (signingAlgorithm) =>
      Effect.gen(function*() {
        const place = yield* TodoManager.reserve
        const { issuer } = yield* AuthorizationServer.make({ scopes, signingAlgorithm })
        const todos = yield* TodoManager.serve(place, { authorizationServers: [Profiles.oidcProvider({ issuer })] })
        const { access_token } = yield* Effect.promise(() =>
          signIn({ issuer, resource: place.resource, scope: baseline })
        )
        assert.strictEqual(decodeProtectedHeader(access_token).alg, signingAlgorithm)
        yield* TodoManager.works(todos, access_token)
        const elsewhere = { issuer, resource: "http://127.0.0.1:9/mcp", scope: baseline }
        yield* TodoManager.rejected(todos, (yield* Effect.promise(() => signIn(elsewhere))).access_token)
      })
  )

  it.live("opaque tokens, by introspection, until they are revoked", () =>
    Effect.gen(function*() {
      const place = yield* TodoManager.reserve
      const { issuer, service } = yield* AuthorizationServer.make({ scopes, accessTokenFormat: "opaque" })
      const todos = yield* TodoManager.serve(place, {
        authorizationServers: [{
          profile: Profiles.oidcProvider({ issuer }),
          introspection: Introspection.make({ ...service, cacheFor: 0 })
        }]
      })
      const issued = { issuer, resource: place.resource, scope: baseline }
      const { access_token } = yield* Effect.promise(() => signIn(issued))
      assert.notInclude(access_token, ".")
      yield* TodoManager.works(todos, access_token)
      yield* TodoManager.rejected(todos, "made-up")
      const elsewhere = { ...issued, resource: "http://127.0.0.1:9/mcp" }
      yield* TodoManager.rejected(todos, (yield* Effect.promise(() => signIn(elsewhere))).access_token)

      const about = yield* post(`${issuer}/token/introspection`, service, { token: access_token })
      const { client_id } = (yield* Effect.promise(() => about.json())) as { readonly client_id: string }
      yield* Effect.promise(() =>
        fetch(`${issuer}/token/revocation`, {
          method: "POST",
          body: new URLSearchParams({ client_id, token: access_token })
        })
      )
      yield* TodoManager.rejected(todos, access_token)
    }))

  it.live("an endpoint that does not know this server is an outage, not a bad token", () =>
    Effect.gen(function*() {
      const place = yield* TodoManager.reserve
      const { issuer, service } = yield* AuthorizationServer.make({ scopes, accessTokenFormat: "opaque" })
      const todos = yield* TodoManager.serve(place, {
        authorizationServers: [{
          issuer,
          introspection: Introspection.make({ ...service, clientSecret: Redacted.make("wrong") })
        }]
      })
      const { access_token } = yield* Effect.promise(() =>
        signIn({ issuer, resource: place.resource, scope: baseline })
      )
      const { challenge, status } = yield* todos.create(access_token)
      assert.strictEqual(status, 503)
      assert.isNull(challenge)
    }))
})

describe("an endpoint that redirects", () => {
  it.live("T-INTR-04: gets the token, and nobody else does", () =>
    Effect.gen(function*() {
      const place = yield* TodoManager.reserve
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
      const todos = yield* TodoManager.serve(place, { authorizationServers: [{ issuer, introspection }] })
      assert.strictEqual((yield* todos.create("opaque")).status, 503)
      assert.deepStrictEqual((yield* requests).map(({ method, url }) => [method, url]), [
        ["POST", `${issuer}/introspect`]
      ])
    }))
})

describe("oauth2-mock-server", () => {
  it.live.each(["RS256", "ES256", "PS256", "EdDSA"] as const)(
    "JWTs signed with %s",
    (algorithm) =>
      Effect.gen(function*() {
        const place = yield* TodoManager.reserve
        const server = yield* OAuth2MockServer.make(algorithm)
        const issuer = server.issuer.url!
        const todos = yield* TodoManager.serve(place, { authorizationServers: [issuer] })
        const token = (aud: string) =>
          Effect.promise(async () => {
            server.service.once(Events.BeforeTokenSigning, ({ payload }) => Object.assign(payload, { aud }))
            const response = await fetch(`${issuer}/token`, {
              method: "POST",
              body: new URLSearchParams({ grant_type: "password", username: "alice", scope: baseline })
            })
            return ((await response.json()) as { readonly access_token: string }).access_token
          })
        const good = yield* token(place.resource)
        assert.strictEqual(decodeProtectedHeader(good).alg, algorithm)
        yield* TodoManager.works(todos, good)
        yield* TodoManager.rejected(todos, yield* token("http://127.0.0.1:9/mcp"))
      })
  )
})

describe("better-auth", () => {
  it.live.each(["RS256", "ES256", "PS256", "EdDSA"] as const)(
    "JWTs signed with %s, by their keys or asked about",
    (algorithm) =>
      Effect.gen(function*() {
        const place = yield* TodoManager.reserve
        const { client, issuer, token } = yield* BetterAuth.make({ resource: place.resource, scopes, algorithm })
        const jwt = yield* token({ scope: baseline, resource: place.resource })
        assert.strictEqual(decodeProtectedHeader(jwt).alg, algorithm)
        assert.strictEqual(decodeJwt(jwt).aud, place.resource)
        const profile = Profiles.betterAuth({ issuer })
        yield* TodoManager.works(yield* TodoManager.serve(place, { authorizationServers: [profile] }), jwt)

        const other = yield* TodoManager.reserve
        const asking = yield* TodoManager.serve({ ...place, port: other.port }, {
          authorizationServers: [{ profile, introspection: Introspection.make({ ...client, tokens: "all" }) }]
        })
        yield* TodoManager.works(asking, jwt)
      })
  )

  it.live("opaque tokens, which name neither audience nor subject, are rejected", () =>
    Effect.gen(function*() {
      const place = yield* TodoManager.reserve
      const { client, issuer, token } = yield* BetterAuth.make({
        resource: place.resource,
        scopes,
        algorithm: "EdDSA"
      })
      const opaque = yield* token({ scope: baseline })
      assert.notInclude(opaque, ".")
      const authorizationServers = [{
        profile: Profiles.betterAuth({ issuer }),
        introspection: Introspection.make(client)
      }] as const
      yield* TodoManager.rejected(yield* TodoManager.serve(place, { authorizationServers }), opaque)
    }))

  it.live("a profile that says so admits them by their client", () =>
    Effect.gen(function*() {
      const place = yield* TodoManager.reserve
      const { client, issuer, token } = yield* BetterAuth.make({
        resource: place.resource,
        scopes,
        algorithm: "EdDSA"
      })
      const profile = (clientId: string): Profile.Profile => ({
        ...Profiles.betterAuth({ issuer }),
        audience: Audience.clientIds([clientId]),
        boundTo: "client",
        machineMarks: [{ claim: "client_id", values: [clientId] }]
      })
      const serve = (place: Effect.Success<typeof TodoManager.reserve>, clientId: string) =>
        TodoManager.serve(place, {
          authorizationServers: [{ profile: profile(clientId), introspection: Introspection.make(client) }]
        })
      const opaque = yield* token({ scope: baseline })
      yield* TodoManager.works(yield* serve(place, client.clientId), opaque)
      yield* TodoManager.rejected(yield* serve(yield* TodoManager.reserve, "somebody-else"), opaque)
    }))
})
