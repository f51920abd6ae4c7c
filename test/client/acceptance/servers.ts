/** Pairs of a real MCP server and a real authorization server, whose access tokens soon expire. */
import { Effect, Layer, type Scope } from "effect"
import { Introspection } from "effect-mcp-auth/introspection"
import { Profiles } from "effect-mcp-auth/provider"
import * as AuthorizationServer from "../../../examples/authorization-server/AuthorizationServer.ts"
import { UserAgent } from "../../../examples/authorization-server/UserAgent.ts"
import { Endpoint } from "../../../examples/shared/Serving.ts"
import { scopes } from "../../../examples/todo-manager/Scopes.ts"
import { servers as todoManagers } from "../../../examples/todo-manager/test/servers.ts"
import * as BetterAuth from "../../providers/betterAuth.ts"
import * as TodoManager from "../../providers/todoManager.ts"
import * as WorkersOAuthProvider from "../../providers/workersOAuthProvider.ts"

export interface Running {
  readonly resource: string
  readonly issuer: string
  /** Signs alice in, and returns the URL of the redirect to the client. */
  readonly authorize: (authorizationUrl: string) => Promise<URL>
  /** Waits until all access tokens have expired. */
  readonly expire: Effect.Effect<void>
}

export interface Pair {
  readonly name: string
  readonly start: Effect.Effect<Running, unknown, Scope.Scope>
}

const all = [...scopes.baseline, ...scopes.stepUp]

const alice = () => {
  const userAgent = new UserAgent({ username: "alice" })
  return (url: string) => userAgent.authorize(url)
}

/** The lifetime of access tokens, in seconds. On a busy machine, a token must not expire between its issue and its first use. */
const lifetime = 5
const expire = Effect.sleep(`${lifetime + 0.1} seconds`)

const withOidcProvider = ({ layer, name }: typeof todoManagers[number]): Pair => ({
  name: `the todo manager on ${name} with oidc-provider`,
  start: Effect.gen(function*() {
    const issuer = AuthorizationServer.layer({ scopes, refreshTokens: "always", accessTokenLifetime: lifetime })
    const context = yield* Layer.build(Layer.provide(layer, issuer))
    const { authorizationServers, resource } = yield* Effect.provideContext(Endpoint, context)
    return { resource, issuer: authorizationServers[0], authorize: alice(), expire }
  })
})

const withOpaqueTokens: Pair = {
  name: "the todo manager with opaque tokens of oidc-provider",
  start: Effect.gen(function*() {
    const reserved = yield* TodoManager.reserve
    const { issuer, service } = yield* AuthorizationServer.make({
      scopes,
      refreshTokens: "always",
      accessTokenLifetime: lifetime,
      accessTokenFormat: "opaque"
    })
    const introspection = Introspection.make({ ...service, cacheFor: 0 })
    const authorizationServers = [{ profile: Profiles.oidcProvider({ issuer }), introspection }] as const
    yield* TodoManager.serve(reserved, { authorizationServers }, TodoManager.stepwise)
    return { resource: reserved.resource, issuer, authorize: alice(), expire }
  })
}

const withBetterAuth: Pair = {
  name: "the todo manager with better-auth",
  start: Effect.gen(function*() {
    const reserved = yield* TodoManager.reserve
    const { authorize, issuer } = yield* BetterAuth.make({
      resource: reserved.resource,
      scopes: all,
      algorithm: "EdDSA",
      accessTokenLifetime: lifetime,
      isOpen: true
    })
    const authorizationServers = [Profiles.betterAuth({ issuer })] as const
    yield* TodoManager.serve(reserved, { authorizationServers }, TodoManager.stepwise)
    return { resource: reserved.resource, issuer, authorize, expire }
  })
}

/** The authorization server runs in workerd, and its clock is moved: the client learns of the expiry from a 401. */
const withWorkersOAuthProvider: Pair = {
  name: "the todo manager with workers-oauth-provider",
  start: Effect.gen(function*() {
    const reserved = yield* TodoManager.reserve
    const provider = yield* WorkersOAuthProvider.make({ resources: [reserved.resource], scopes: all })
    const introspection = WorkersOAuthProvider.lookUp(provider, reserved.resource)
    yield* TodoManager.serve(reserved, {
      authorizationServers: [{ issuer: provider.issuer, introspection }],
      tokenGrammar: "visible-ascii"
    }, TodoManager.stepwise)
    let hours = 0
    const expire = Effect.suspend(() => provider.moveClock(++hours * 3_601_000))
    return { resource: reserved.resource, issuer: provider.issuer, authorize: alice(), expire }
  })
}

export const pairs: ReadonlyArray<Pair> = [
  ...todoManagers.map(withOidcProvider),
  withOpaqueTokens,
  withBetterAuth,
  withWorkersOAuthProvider
]
