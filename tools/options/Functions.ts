/**
 * Lists every exported function that takes options, with a call of the function. The tests and the page of the options call the
 * functions with invalid options.
 */
import { McpServer as ServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { McpServer as ServerV2 } from "@modelcontextprotocol/server"
import { Effect, Layer, Redacted, Result } from "effect"
import { Audience, AuthLayer, Profile, RequestState, TokenVerifier } from "effect-mcp-auth"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { DpopKeys, Grant, McpAuthClient } from "effect-mcp-auth/client"
import { ClientEvents } from "effect-mcp-auth/client-events"
import { NodeBrowser } from "effect-mcp-auth/client-node"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { AddressGuard, Gate, Host, NodeRequest, ProtectedResource, Sessions, WebRequest } from "effect-mcp-auth/host"
import { AuthorizedHttpClient, GuardedHttpClient } from "effect-mcp-auth/http-client"
import { Introspection } from "effect-mcp-auth/introspection"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Check, Doctor, TokenReport } from "effect-mcp-auth/provider"
import { Admit, OAuthProxy, Upstream } from "effect-mcp-auth/proxy"
import { PublicUrl } from "effect-mcp-auth/public-url"
import { Quotas } from "effect-mcp-auth/quotas"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { SessionStore } from "effect-mcp-auth/sessions"
import { AuthorizationCode, Connections, DeviceAuthorization } from "effect-mcp-auth/sign-in"
import { Lease, MemoryStore } from "effect-mcp-auth/store"
import { FileStore, SqliteStore } from "effect-mcp-auth/store-node"
import { Tenants } from "effect-mcp-auth/tenants"
import {
  DpopClient,
  expectChallenge,
  FaultProxy,
  MisbehavingServers,
  SigningKey,
  TestBrowser,
  TestClient,
  TestIssuer,
  TestUpstream
} from "effect-mcp-auth/testing"
import { TokenExchange } from "effect-mcp-auth/token-exchange"
import { TokenHeader } from "effect-mcp-auth/token-header"
import { AuthorizationServer, Fetcher, TokenCache } from "effect-mcp-auth/verification"
import { FetchHttpClient, type HttpClient, HttpRouter, HttpServer } from "effect/http"

const resource = "https://server.test/mcp"
const authorizationServers = ["https://issuer.test"] as const
export const options = { resource, authorizationServers, scopes: ["todos:read"] } as const
const token = Redacted.make("a.b.c")
const upstream = { clientId: "c", clientSecret: Redacted.make("s"), scopes: { "todos:read": [] } } as const
const proxy = {
  resource,
  scopes: ["todos:read"],
  upstream: Upstream.github(upstream),
  admit: Admit.anyone,
  secret: Redacted.make("uF9WcLZl8bVtTq3mP0yKx7sJd2hGaRnE5oiC1vQkYwM=")
} as const

const build = (layer: Layer.Layer<any, any, any>) =>
  Effect.runPromise(Effect.scoped(Layer.build(
    layer.pipe(
      Layer.provide(AuthLayer.mock({ scopes: ["todos:read"] }) as Layer.Layer<any, any, any>),
      Layer.provide([HttpRouter.layer, Fetcher.layer, FetchHttpClient.layer, HttpServer.layerServices, Listening])
    ) as Layer.Layer<any, any>
  )))

const Listening = Layer.succeed(
  HttpServer.HttpServer,
  HttpServer.make({ address: {} as never, serve: () => Effect.void })
)

export const makeFetch = (changes: object) => McpAuthFetch.make({ ...options, ...changes } as never)

const run = <A>(effect: Effect.Effect<A, any, any>) =>
  Effect.runPromise(
    effect.pipe(
      Effect.provideServiceEffect(RequestState.RequestState, RequestState.make(undefined, resource)),
      Effect.provide(AuthLayer.mock({ scopes: ["todos:read"] }) as Layer.Layer<any>),
      Effect.provide(FetchHttpClient.layer)
    ) as Effect.Effect<A, any>
  )

const fetchMock = await McpAuthFetch.mock({ scopes: ["todos:read"] })
const nodeMock = await McpAuthNode.mock({ scopes: ["todos:read"] })
const sdkV1 = await SdkV1.mock({ scopes: ["todos:read"] })
const sdkV2 = await SdkV2.mock({ scopes: ["todos:read"] })
const issuer = await TestIssuer.start()
const client = await DpopClient.start()
const host = await Host.make(Gate.layer(options))
const machine = { issuer: "https://issuer.test", clientId: "machine", clientSecret: Redacted.make("secret") }
const callTool = { description: "d", scopes: ["todos:read"] as const }

export interface Entry {
  /** Calls the function with `given` as its options. */
  readonly call: (given: never) => unknown
  /** Valid options, to which the test adds a misspelled one. Default: the options of a gate. */
  readonly valid?: object
  /** A misspelled option, and the option that the error must suggest. */
  readonly misspelled: readonly [string, string]
  /** Whether `undefined` stands for no options. Default: `false`. */
  readonly isOptional?: boolean
}

const gate = (call: Entry["call"]): Entry => ({ call, misspelled: ["alowedOrigins", "allowedOrigins"] })
const mock = (call: Entry["call"]): Entry => ({
  call,
  valid: { scopes: ["todos:read"] },
  misspelled: ["grantd", "granted"]
})

/** Every exported function that takes options, by entry point and name. */
export const entries: Readonly<Record<string, Entry>> = {
  "core/AuthLayer.make": gate((given) => build(AuthLayer.make(given))),
  "core/AuthLayer.mock": mock((given) => build(AuthLayer.mock(given))),
  "core/AuthLayer.mockRejected": {
    call: (given) => build(AuthLayer.mockRejected(new RangeError() as never, given)),
    valid: { scopes: ["todos:read"] },
    misspelled: ["resorce", "resource"]
  },
  "core/Profile.make": {
    call: (given) => makeFetch({ authorizationServers: [Profile.make(given)] }),
    valid: { id: "id", name: "Name", issuer: "https://issuer.test", audience: Audience.resource },
    misspelled: ["accessTokenMark", "accessTokenMarks"]
  },
  "core/RequestState.open": {
    call: (given) => run(RequestState.open("sealed", given)),
    valid: { operation: "o" },
    misspelled: ["operaton", "operation"]
  },
  "core/RequestState.seal": {
    call: (given) => run(RequestState.seal("state", given)),
    valid: { operation: "o" },
    misspelled: ["liftime", "lifetime"]
  },
  "core/TokenVerifier.byShape": {
    call: (given) => TokenVerifier.byShape(given),
    valid: { jwt: TokenVerifier.reject("malformed"), opaque: TokenVerifier.reject("malformed") },
    misspelled: ["opaq", "opaque"]
  },
  "mcp/McpAuth.layerHttp": {
    call: (given) => build(McpAuth.layerHttp(given) as never),
    valid: { name: "n", version: "1", path: "/mcp", protocols: [] },
    misspelled: ["maximumOperation", "maximumOperations"]
  },
  "mcp/McpAuth.layerLocal": {
    call: (given) => build(McpAuth.layerLocal(given) as never),
    valid: { subject: "alice", scopes: ["todos:read"] },
    misspelled: ["grants", "granted"]
  },
  "mcp/McpAuth.prompt": {
    call: (given) => McpAuth.prompt(given),
    valid: { name: "p", scopes: ["todos:read"], content: () => Effect.succeed("") },
    misspelled: ["unauthorised", "unauthorized"]
  },
  "mcp/McpAuth.resource": {
    call: (given) => McpAuth.resource(given),
    valid: { name: "r", uri: "todo://1", scopes: ["todos:read"], content: Effect.succeed("") },
    misspelled: ["mimetype", "mimeType"]
  },
  "node/McpAuthNode.make": gate(McpAuthNode.make as never),
  "node/McpAuthNode.mock": mock(McpAuthNode.mock as never),
  "node/McpAuthNode.McpAuthNode.protect": {
    call: (given) => nodeMock.protect(given),
    valid: {},
    misspelled: ["maxBody", "maximumBody"],
    isOptional: true
  },
  "node/McpAuthNode.McpAuthNode.protectRoute": {
    call: (given) => nodeMock.protectRoute(given),
    valid: {},
    misspelled: ["requiredScopes", "scopes"],
    isOptional: true
  },
  "fetch/McpAuthFetch.make": gate(McpAuthFetch.make as never),
  "fetch/McpAuthFetch.mock": mock(McpAuthFetch.mock as never),
  "fetch/McpAuthFetch.McpAuthFetch.protect": {
    call: (given) => fetchMock.protect(() => new Response(), given),
    valid: {},
    misspelled: ["polcy", "policy"],
    isOptional: true
  },
  "fetch/McpAuthFetch.McpAuthFetch.protectRoute": {
    call: (given) => fetchMock.protectRoute(() => new Response(), given),
    valid: {},
    misspelled: ["scope", "scopes"],
    isOptional: true
  },
  "sdk-v1/McpAuthSdk.make": gate(SdkV1.make as never),
  "sdk-v1/McpAuthSdk.mock": mock(SdkV1.mock as never),
  "sdk-v1/McpAuthSdk.McpAuthSdk.protect": {
    call: (given) => sdkV1.protect(new ServerV1({ name: "s", version: "1" }) as never, given),
    valid: {},
    misspelled: ["tenants", "tenant"],
    isOptional: true
  },
  "sdk-v1/McpAuthSdk.McpAuthSdk.local": {
    call: (given) => sdkV1.local(given),
    valid: { subject: "alice", scopes: ["todos:read"] },
    misspelled: ["clientID", "clientId"]
  },
  "sdk-v1/McpAuthSdk.McpAuthSdk.registerTool": {
    call: (given) =>
      sdkV1.registerTool(new ServerV1({ name: "s", version: "1" }) as never, "t", given, (() => {}) as never),
    valid: callTool,
    misspelled: ["requiredScopes", "scopes"]
  },
  "sdk-v2/McpAuthSdk.make": gate(SdkV2.make as never),
  "sdk-v2/McpAuthSdk.mock": mock(SdkV2.mock as never),
  "sdk-v2/McpAuthSdk.McpAuthSdk.createMcpHandler": {
    call: (given) => sdkV2.createMcpHandler((() => {}) as never, given),
    valid: {},
    misspelled: ["legcy", "legacy"],
    isOptional: true
  },
  "sdk-v2/McpAuthSdk.McpAuthSdk.local": {
    call: (given) => sdkV2.local(given),
    valid: { subject: "alice", scopes: ["todos:read"] },
    misspelled: ["clientID", "clientId"]
  },
  "sdk-v2/McpAuthSdk.McpAuthSdk.registerTool": {
    call: (given) =>
      sdkV2.registerTool(new ServerV2({ name: "s", version: "1" }) as never, "t", given, (() => {}) as never),
    valid: callTool,
    misspelled: ["unauthorised", "unauthorized"]
  },
  "dpop/Dpop.optional": {
    call: (given) => makeFetch({ dpop: Dpop.optional(given) }),
    valid: {},
    misspelled: ["algorithm", "algorithms"],
    isOptional: true
  },
  "dpop/Dpop.required": {
    call: (given) => makeFetch({ dpop: Dpop.required(given) }),
    valid: {},
    misspelled: ["nonces", "nonce"],
    isOptional: true
  },
  "introspection/Introspection.lookUp": {
    call: (given) =>
      makeFetch({
        authorizationServers: [{
          issuer: "https://issuer.test",
          introspection: Introspection.lookUp(() => Effect.succeed({ active: false }) as never, given)
        }]
      }),
    valid: {},
    misspelled: ["cachefor", "cacheFor"],
    isOptional: true
  },
  "introspection/Introspection.make": {
    call: (given) =>
      makeFetch({
        authorizationServers: [{ issuer: "https://issuer.test", introspection: Introspection.make(given) }]
      }),
    valid: { clientId: "client", clientSecret: Redacted.make("secret") },
    misspelled: ["cacheTime", "cacheFor"]
  },
  ...Object.fromEntries((["fromClaim", "fromHeader", "fromPath", "fromRoute"] as const).map((name) => [
    `tenants/Tenants.${name}`,
    {
      call: (given: never) =>
        makeFetch({ tenants: Tenants[name](name === "fromPath" ? "/:tenant/mcp" : "tenant", given) }),
      valid: { authorizationServers: () => Effect.succeed(undefined) },
      misspelled: ["newTenant", "newTenants"]
    } satisfies Entry
  ])),
  "client/DpopKeys.make": {
    call: (given) => DpopKeys.make(given),
    valid: {},
    misspelled: ["algorithms", "algorithm"],
    isOptional: true
  },
  "client/Grant.clientCredentials": {
    call: (given) => Grant.clientCredentials(given),
    valid: machine,
    misspelled: ["clientSecrt", "clientSecret"]
  },
  "client/Grant.identityAssertion": {
    call: (given) => Grant.identityAssertion(given),
    valid: { ...machine, identityProvider: machine, subjectToken: async () => token },
    misspelled: ["subjecttoken", "subjectToken"]
  },
  "client/Grant.workloadIdentity": {
    call: (given) => Grant.workloadIdentity(given),
    valid: { issuer: "https://issuer.test", assertion: async () => token },
    misspelled: ["clientID", "clientId"]
  },
  "sign-in/AuthorizationCode.grant": {
    call: (given) => AuthorizationCode.grant(given),
    valid: {
      client: { name: "Test" },
      redirect: NodeBrowser.loopback({ ports: [13316] }),
      store: MemoryStore.make()
    },
    misspelled: ["redirects", "redirect"]
  },
  "sign-in/DeviceAuthorization.grant": {
    call: (given) => DeviceAuthorization.grant(given),
    valid: { client: { name: "Test" }, prompt: NodeBrowser.printCode, store: MemoryStore.make() },
    misspelled: ["prompts", "prompt"]
  },
  "sign-in/DeviceAuthorization.make": {
    call: (given) => DeviceAuthorization.make(given),
    valid: { prompt: NodeBrowser.printCode },
    misspelled: ["prompts", "prompt"]
  },
  "client-node/NodeBrowser.loopback": {
    call: (given) => NodeBrowser.loopback(given),
    valid: { ports: [13316] },
    misspelled: ["port", "ports"]
  },
  ...Object.fromEntries((["layer", "make"] as const).map((name) => [
    `sign-in/Connections.${name}`,
    {
      call: (given: never) =>
        run(
          Effect.scoped(
            name === "layer"
              ? Effect.asVoid(Layer.build(Connections.layer(given)))
              : Effect.asVoid(Connections.make(given))
          ).pipe(Effect.provide(MemoryStore.layer()))
        ),
      valid: {
        client: { name: "Test" },
        redirectUri: "https://app.test/callback",
        allowIssuers: ["https://issuer.test"]
      },
      misspelled: ["redirectUrl", "redirectUri"]
    } satisfies Entry
  ])),
  ...Object.fromEntries((["layer", "make"] as const).map((name) => [
    `client-events/ClientEvents.${name}`,
    {
      call: (given: never) => name === "layer" ? build(ClientEvents.layer(given)) : ClientEvents.make(given),
      valid: {},
      misspelled: ["linesPerminute", "linesPerMinute"],
      isOptional: true
    } satisfies Entry
  ])),
  "client/McpAuthClient.make": {
    call: (given) => McpAuthClient.make(given),
    valid: { resource, grant: Grant.clientCredentials(machine) },
    misspelled: ["scope", "scopes"]
  },
  "token-exchange/TokenExchange.layer": {
    call: (given) => build(TokenExchange.layer(given)),
    valid: { authorizationServer: "https://issuer.test", clientId: "client", clientSecret: Redacted.make("secret") },
    misspelled: ["issuer", "authorizationServer"]
  },
  "token-exchange/TokenExchange.make": {
    call: (given) => build(TokenExchange.make(given)),
    valid: { authorizationServer: "https://issuer.test", clientId: "client", clientSecret: Redacted.make("secret") },
    misspelled: ["issuer", "authorizationServer"]
  },
  "host/AddressGuard.allows": {
    call: (given) => run(AddressGuard.allows(new URL("https://127.0.0.1"), given)),
    valid: {},
    misspelled: ["allowLoopbak", "allowLoopback"],
    isOptional: true
  },
  "host/AddressGuard.guard": {
    call: (given) => AddressGuard.guard({} as never, given),
    valid: {},
    misspelled: ["allowLoopbak", "allowLoopback"],
    isOptional: true
  },
  "host/Gate.layer": gate((given) => build(Gate.layer(given))),
  "host/Host.bodyReader": {
    call: (given) => Host.bodyReader({ body: "", contentType: undefined } as never, given),
    valid: {},
    misspelled: ["maxBody", "maximumBody"],
    isOptional: true
  },
  "host/NodeRequest.bodyReader": {
    call: (given) => NodeRequest.bodyReader(host, given),
    valid: {},
    misspelled: ["maxBody", "maximumBody"],
    isOptional: true
  },
  "host/WebRequest.bodyReader": {
    call: (given) => WebRequest.bodyReader(new Request(resource), given),
    valid: {},
    misspelled: ["bodyTimout", "bodyTimeout"],
    isOptional: true
  },
  "host/ProtectedResource.make": {
    call: (given) => ProtectedResource.make(given, ["https://issuer.test"]),
    valid: { resource, scopes: ["todos:read"] },
    misspelled: ["resourcename", "resourceName"]
  },
  "host/Sessions.make": {
    call: (given) => Sessions.make(given),
    valid: {},
    misspelled: ["percaller", "perCaller"],
    isOptional: true
  },
  "http-client/AuthorizedHttpClient.layer": {
    call: (given) => build(AuthorizedHttpClient.layer(given)),
    valid: { resource, grant: Grant.clientCredentials(machine) },
    misspelled: ["scope", "scopes"]
  },
  "http-client/GuardedHttpClient.make": {
    call: (given) => GuardedHttpClient.make({} as HttpClient.HttpClient, given),
    valid: {},
    misspelled: ["allowloopback", "allowLoopback"],
    isOptional: true
  },
  "api-keys/ApiKeys.generate": {
    call: (given) => run(ApiKeys.generate(given)),
    valid: { subject: "nightly-report", scopes: ["todos:read"] },
    misspelled: ["scope", "scopes"]
  },
  "api-keys/ApiKeys.make": {
    call: (given) => makeFetch({ apiKeys: ApiKeys.make(given) }),
    valid: { header: "x-api-key", store: { find: () => Effect.undefined } },
    misspelled: ["headr", "header"]
  },
  "quotas/Quotas.make": {
    call: (given) => makeFetch({ quotas: Quotas.make(given) }),
    valid: { requests: { limit: 600, window: "1 minute" } },
    misspelled: ["request", "requests"]
  },
  "sessions/SessionStore.memory": {
    call: (given) => run(SessionStore.memory(given)),
    valid: {},
    misspelled: ["capasity", "capacity"],
    isOptional: true
  },
  "sessions/SessionStore.redis": {
    call: (given) => SessionStore.redis({} as never, given),
    valid: {},
    misspelled: ["prefx", "prefix"],
    isOptional: true
  },
  "token-header/TokenHeader.make": {
    call: (given) => makeFetch({ tokenHeader: TokenHeader.make(given) }),
    valid: { name: "x-token", setBy: "the gateway" },
    misspelled: ["setby", "setBy"]
  },
  "public-url/PublicUrl.make": {
    call: (given) => makeFetch({ resource: PublicUrl.make(given) }),
    valid: { url: resource },
    misspelled: ["metadataURI", "metadataUrl"]
  },
  "store/Lease.withLease": {
    call: (given) => Lease.withLease({} as never, "key", given),
    valid: { lifetime: "1 minute" },
    misspelled: ["lifetme", "lifetime"]
  },
  ...Object.fromEntries(([["FileStore", FileStore], ["SqliteStore", SqliteStore]] as const).flatMap(([name, store]) =>
    [
      [
        `store-node/${name}.make`,
        { call: (given: never) => run(Effect.scoped(store.make(given))), valid: {}, misspelled: ["fil", "file"] }
      ],
      [
        `store-node/${name}.layer`,
        { call: (given: never) => build(store.layer(given)), valid: {}, misspelled: ["files", "file"] }
      ]
    ] satisfies ReadonlyArray<[string, Entry]>
  )),
  "verification/AuthorizationServer.make": {
    call: (given) => AuthorizationServer.make(given, "authorizationServers[0]"),
    valid: { issuer: "https://issuer.test" },
    misspelled: ["jwksUrl", "jwksUri"]
  },
  "verification/TokenCache.settings": {
    call: (given) => TokenCache.settings(given),
    valid: {},
    misspelled: ["capasity", "capacity"],
    isOptional: true
  },
  "provider/Check.run": {
    call: (given) => run(Check.run("not a url", given)),
    valid: {},
    misspelled: ["revison", "revision"],
    isOptional: true
  },
  "provider/Check.checkDocuments": {
    call: (given) => Check.checkDocuments([], given),
    valid: { now: 0 },
    misspelled: ["isuer", "issuer"]
  },
  "provider/Doctor.run": {
    call: (given) => run(Doctor.run("not a url", given)),
    valid: {},
    misspelled: ["foriegnToken", "foreignToken"],
    isOptional: true
  },
  "provider/TokenReport.run": {
    call: (given) => run(TokenReport.run(token, given)),
    valid: { resource },
    misspelled: ["audience", "audiences"]
  },
  "provider/TokenReport.describe": {
    call: (given) => run(TokenReport.describe(token, given)),
    valid: {},
    misspelled: ["widht", "width"],
    isOptional: true
  },
  "testing/DpopClient.make": {
    call: (given) => run(DpopClient.make(given)),
    valid: {},
    misspelled: ["algoritm", "algorithm"],
    isOptional: true
  },
  "testing/DpopClient.start": {
    call: (given) => DpopClient.start(given),
    valid: {},
    misspelled: ["algoritm", "algorithm"],
    isOptional: true
  },
  "testing/DpopClient.DpopClient.proof": {
    call: (given) => client.proof(given),
    valid: { method: "POST", url: resource },
    misspelled: ["nonc", "nonce"]
  },
  "proxy/Admit.githubOrganization": {
    call: (given) => Admit.githubOrganization("acme", given),
    valid: {},
    misspelled: ["ids", "id"],
    isOptional: true
  },
  "proxy/OAuthProxy.layer": {
    call: (given) => build(OAuthProxy.layer(given)),
    valid: proxy,
    misspelled: ["secrets", "secret"]
  },
  "proxy/OAuthProxy.make": {
    call: (given) => OAuthProxy.make(given),
    valid: proxy,
    misspelled: ["stor", "store"]
  },
  "proxy/OAuthProxy.makeWith": {
    call: (given) => OAuthProxy.makeWith((gate) => McpAuthNode.make(gate), given),
    valid: proxy,
    misspelled: ["enviroment", "environment"]
  },
  "proxy/Upstream.entra": {
    call: (given) => Upstream.entra(given),
    valid: { ...upstream, tenant: "11111111-2222-3333-4444-555555555555" },
    misspelled: ["authoriti", "authority"]
  },
  "proxy/Upstream.github": {
    call: (given) => Upstream.github(given),
    valid: upstream,
    misspelled: ["servr", "server"]
  },
  "proxy/Upstream.githubApp": {
    call: (given) => Upstream.githubApp(given),
    valid: upstream,
    misspelled: ["scope", "scopes"]
  },
  "proxy/Upstream.google": {
    call: (given) => Upstream.google(given),
    valid: upstream,
    misspelled: ["isuer", "issuer"]
  },
  "proxy/Upstream.oauth2": {
    call: (given) => Upstream.oauth2(given),
    valid: {
      ...upstream,
      name: "slack",
      authorizationEndpoint: "https://slack.test/authorize",
      tokenEndpoint: "https://slack.test/token",
      userEndpoint: "https://slack.test/user",
      identity: () => ({ id: "1" })
    },
    misspelled: ["tokenTyps", "tokenTypes"]
  },
  "proxy/Upstream.oidc": {
    call: (given) => Upstream.oidc(given),
    valid: { ...upstream, issuer: "https://auth.test" },
    misspelled: ["baseScope", "baseScopes"]
  },
  "testing/DpopClient.DpopClient.headers": {
    call: (given) => client.headers(given),
    valid: { method: "POST", url: resource, token: "t" },
    misspelled: ["metod", "method"]
  },
  "testing/Expect.expectChallenge": {
    call: (given) => expectChallenge(given),
    valid: {},
    misspelled: ["scopes", "scope"],
    isOptional: true
  },
  "testing/FaultProxy.serve": {
    call: (given) => build(FaultProxy.serve(given)),
    valid: {},
    misspelled: ["algoritm", "algorithm"],
    isOptional: true
  },
  "testing/SigningKey.make": {
    call: (given) => run(SigningKey.make(given)),
    valid: {},
    misspelled: ["modulusLenght", "modulusLength"],
    isOptional: true
  },
  "testing/SigningKey.start": {
    call: (given) => SigningKey.start(given),
    valid: {},
    misspelled: ["keyid", "kid"],
    isOptional: true
  },
  "testing/MisbehavingServers.make": {
    call: (given) => run(MisbehavingServers.make(given)),
    valid: {},
    misspelled: ["foult", "fault"],
    isOptional: true
  },
  "testing/MisbehavingServers.start": {
    call: (given) => MisbehavingServers.start(given),
    valid: {},
    misspelled: ["isuer", "issuer"],
    isOptional: true
  },
  "testing/TestBrowser.make": {
    call: (given) => TestBrowser.make(given),
    valid: {},
    misspelled: ["usernam", "username"],
    isOptional: true
  },
  "testing/TestBrowser.start": {
    call: (given) => TestBrowser.start(given),
    valid: {},
    misspelled: ["pasword", "password"],
    isOptional: true
  },
  "testing/TestClient.layer": {
    call: (given) => build(TestClient.layer(Layer.empty, given).pipe(Layer.provide(TestIssuer.layer())) as never),
    valid: {},
    misspelled: ["protocl", "protocol"],
    isOptional: true
  },
  "testing/TestClient.make": {
    call: (given) => TestClient.make(given),
    valid: { url: resource, handler: () => new Response() },
    misspelled: ["isuer", "issuer"]
  },
  "testing/TestClient.start": {
    call: (given) => TestClient.start(given),
    valid: { url: resource, handler: () => new Response() },
    misspelled: ["decision", "decisions"]
  },
  "testing/TestIssuer.layer": {
    call: (given) => build(TestIssuer.layer(given)),
    valid: {},
    misspelled: ["resorce", "resource"],
    isOptional: true
  },
  "testing/TestIssuer.make": {
    call: (given) => run(TestIssuer.make(given)),
    valid: {},
    misspelled: ["audience", "resource"],
    isOptional: true
  },
  "testing/TestIssuer.serve": {
    call: (given) => build(TestIssuer.serve(given)),
    valid: {},
    misspelled: ["jwksUrl", "jwksUri"],
    isOptional: true
  },
  "testing/TestIssuer.start": {
    call: (given) => TestIssuer.start(given),
    valid: {},
    misspelled: ["cachecontrol", "cacheControl"],
    isOptional: true
  },
  "testing/TestUpstream.make": {
    call: (given) => run(TestUpstream.make(given)),
    valid: { form: "github" },
    misspelled: ["acounts", "accounts"]
  },
  "testing/TestUpstream.serve": {
    call: (given) => build(TestUpstream.serve(given)),
    valid: { form: "github" },
    misspelled: ["logn", "login"]
  },
  "testing/TestUpstream.start": {
    call: (given) => TestUpstream.start(given),
    valid: { form: "github" },
    misspelled: ["orgin", "origin"]
  },
  ...Object.fromEntries((["mintIdToken", "mintIdJag"] as const).map((name) => [
    `testing/TestIssuer.TestIssuer.${name}`,
    {
      call: (given: never) => issuer[name](given),
      valid: {},
      misspelled: ["subjet", "subject"],
      isOptional: true
    } satisfies Entry
  ])),
  ...Object.fromEntries((["mint", "mintOpaque", "mintLike", "mintIdTokenLike", "mintBroken"] as const).map((name) => [
    `testing/TestIssuer.TestIssuer.${name}`,
    {
      call: (given: never) =>
        name === "mint" || name === "mintOpaque"
          ? issuer[name](given)
          : name === "mintBroken"
          ? issuer.mintBroken("expired", given)
          : issuer[name]("okta", given),
      valid: {},
      misspelled: ["scope", "scopes"],
      isOptional: true
    } satisfies Entry
  ]))
}

/** Runs the call, whether it throws or returns a promise, an effect or a result. Returns its failure. */
export const failureOf = async (call: () => unknown): Promise<unknown> => {
  try {
    const value = await call()
    if (Effect.isEffect(value)) await run(value)
    if (Result.isResult(value) && Result.isFailure(value)) return value.failure
    return value instanceof Check.InvalidInput ? value : undefined
  } catch (thrown) {
    return thrown
  }
}
