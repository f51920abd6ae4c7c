import type { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { Config, Context, Effect, type Layer, Redacted } from "effect"
import type { AuthError, AuthLayer } from "effect-mcp-auth"
import { Admit, type GrantAdministration, OAuthProxy, Upstream, type UpstreamAccess } from "effect-mcp-auth/proxy"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import { MemoryStore, type RecordStore } from "effect-mcp-auth/store"
import type { HttpRouter } from "effect/http"
import { describe, expect, test } from "tstyche"

type Requires<L> = L extends Layer.Layer<infer _A, infer _E, infer R> ? R : never
type Fails<L> = L extends Layer.Layer<infer _A, infer E, infer _R> ? E : never
type Provides<L> = L extends Layer.Layer<infer A, infer _E, infer _R> ? A : never

const upstream = Upstream.github({
  clientId: "client",
  clientSecret: Redacted.make("secret"),
  scopes: { "todos:read": [], "todos:write": ["repo"] }
})

const options = {
  resource: "https://server.test/mcp",
  scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] },
  upstream,
  admit: Admit.anyone,
  secret: Redacted.make("secret")
} as const

const { admit: _admit, ...withoutAdmit } = options
const { secret: _secret, ...withoutSecret } = options
const { upstream: _upstream, ...withoutUpstream } = options
const { scopes: _scopes, ...withoutScopes } = options
const { resource: _resource, ...withoutResource } = options

class Members extends Context.Service<Members, { readonly has: (subject: string) => Effect.Effect<boolean> }>()(
  "test/Members"
) {}

const admitMembers = Admit.custom(({ person }) => Effect.flatMap(Members, ({ has }) => has(person.subject)))

describe("the required options of a proxy", () => {
  test("suffice for the layer and for other hosts", () => {
    expect(OAuthProxy.layer).type.toBeCallableWith(options)
    expect(OAuthProxy.make).type.toBeCallableWith(options)
  })

  test("attack 17: include the rule of admission", () => {
    expect(OAuthProxy.layer).type.not.toBeCallableWith(withoutAdmit)
    expect(OAuthProxy.make).type.not.toBeCallableWith(withoutAdmit)
  })

  test("include the secret, the upstream, the scopes and the resource", () => {
    expect(OAuthProxy.layer).type.not.toBeCallableWith(withoutSecret)
    expect(OAuthProxy.layer).type.not.toBeCallableWith(withoutUpstream)
    expect(OAuthProxy.layer).type.not.toBeCallableWith(withoutScopes)
    expect(OAuthProxy.layer).type.not.toBeCallableWith(withoutResource)
    expect(OAuthProxy.make).type.not.toBeCallableWith(withoutSecret)
    expect(OAuthProxy.make).type.not.toBeCallableWith(withoutUpstream)
    expect(OAuthProxy.make).type.not.toBeCallableWith(withoutScopes)
    expect(OAuthProxy.make).type.not.toBeCallableWith(withoutResource)
  })
})

describe("the secret", () => {
  test("is redacted, a Config, a list, or one for each purpose", () => {
    const secret = options.secret
    expect(OAuthProxy.layer).type.toBeCallableWith({ ...options, secret: Config.Redacted("PROXY_SECRET") })
    expect(OAuthProxy.layer).type.toBeCallableWith({ ...options, secret: [secret, secret] })
    expect(OAuthProxy.layer).type.not.toBeCallableWith({ ...options, secret: "a plain text" })
    expect(OAuthProxy.layer).type.not.toBeCallableWith({ ...options, secret: { signing: secret } })
    expect(OAuthProxy.make).type.not.toBeCallableWith({ ...options, secret: "a plain text" })
  })
})

describe("the scopes of a proxy", () => {
  test("are all mapped by the upstream", () => {
    const fewer = Upstream.google({
      clientId: "client",
      clientSecret: Redacted.make("secret"),
      scopes: { "todos:read": [] }
    })
    expect(OAuthProxy.layer).type.not.toBeCallableWith({ ...options, upstream: fewer })
    expect(OAuthProxy.make).type.not.toBeCallableWith({ ...options, upstream: fewer })
    expect(OAuthProxy.make).type.toBeCallableWith({ ...options, scopes: ["todos:read"], upstream: fewer })
  })

  test("are all that the upstream maps", () => {
    const more = Upstream.github({
      clientId: "client",
      clientSecret: Redacted.make("secret"),
      scopes: { "todos:read": [], "todos:write": [], "todos:delete": [] }
    })
    expect(OAuthProxy.layer).type.not.toBeCallableWith({ ...options, upstream: more })
    expect(OAuthProxy.make).type.not.toBeCallableWith({ ...options, upstream: more })
  })

  test("must be written as literals", () => {
    expect(OAuthProxy.layer).type.not.toBeCallableWith({ ...options, scopes: ["todos:read"] as Array<string> })
  })
})

describe("an upstream without scopes", () => {
  test("fits a proxy with any scopes", () => {
    const plain = Upstream.github({ clientId: Config.String("ID"), clientSecret: Config.Redacted("SECRET") })
    expect(OAuthProxy.layer).type.toBeCallableWith({ ...options, upstream: plain })
    expect(OAuthProxy.make).type.toBeCallableWith({ ...options, upstream: plain })
  })
})

describe("the descriptions of scopes", () => {
  test("describe scopes of the proxy only", () => {
    expect(OAuthProxy.make).type.toBeCallableWith({ ...options, pages: { scopes: { "todos:read": "read" } } })
    // @ts-expect-error '"todos:delete"' does not exist
    OAuthProxy.layer({ ...options, pages: { scopes: { "todos:delete": "delete" } } })
  })
})

describe("a proxy with the gate of an adapter", () => {
  test("offers the scopes to the tools of the adapter", () => {
    void OAuthProxy.makeWith((gate) => McpAuthSdk.make(gate), options).then((auth) => {
      expect(auth.router).type.toBe<OAuthProxy.OAuthProxy<typeof options.scopes>["router"]>()
      const server = null as unknown as McpServer
      auth.registerTool(server, "add", { scopes: ["todos:write"] }, () => ({ content: [] }))
      // @ts-expect-error is not assignable to type
      auth.registerTool(server, "remove", { scopes: ["todos:delete"] }, () => ({ content: [] }))
    })
  })
})

describe("an unknown option of a proxy", () => {
  test("is rejected, also below the pages, the grants and the gate", () => {
    OAuthProxy.layer({
      ...options,
      // @ts-expect-error 'consent' does not exist
      consent: false
    })
    void OAuthProxy.make({
      ...options,
      // @ts-expect-error 'consent' does not exist
      consent: false
    })
    // @ts-expect-error 'logo' does not exist
    OAuthProxy.layer({ ...options, pages: { logo: "https://server.test/logo.png" } })
    // @ts-expect-error 'hello' does not exist
    OAuthProxy.layer({ ...options, pages: { messages: { hello: "Hello" } } })
    // @ts-expect-error 'retries' does not exist
    OAuthProxy.layer({ ...options, grants: { retries: 3 } })
    // @ts-expect-error 'audience' does not exist
    OAuthProxy.layer({ ...options, gate: { audience: "https://other.test" } })
    // @ts-expect-error 'environment' does not exist
    OAuthProxy.layer({ ...options, environment: {} })
  })
})

describe("the layer of a proxy", () => {
  test("requires a router, and the services of the rule of admission and of the store", () => {
    const plain = OAuthProxy.layer(options)
    expect<Requires<typeof plain>>().type.toBe<HttpRouter.HttpRouter>()
    const custom = OAuthProxy.layer({ ...options, admit: admitMembers })
    expect<Requires<typeof custom>>().type.toBe<HttpRouter.HttpRouter | Members>()
    const store = null as unknown as Layer.Layer<RecordStore.RecordStore, RangeError, Members>
    const stored = OAuthProxy.layer({ ...options, store })
    expect<Requires<typeof stored>>().type.toBe<HttpRouter.HttpRouter | Members>()
    expect<Fails<typeof stored>>().type.toBe<AuthError.AuthConfigError | Config.ConfigError | RangeError>()
  })

  test("fails only because of its options", () => {
    const plain = OAuthProxy.layer(options)
    expect<Fails<typeof plain>>().type.toBe<AuthError.AuthConfigError | Config.ConfigError>()
  })

  test("provides its scopes, the upstream token of the caller, and the administration of grants", () => {
    const plain = OAuthProxy.layer(options)
    expect<Provides<typeof plain>>().type.toBe<
      AuthLayer.Provided<"todos:read" | "todos:write", UpstreamAccess> | GrantAdministration
    >()
    expect<Provides<typeof plain>>().type.not.toBe<
      AuthLayer.Provided<"todos:read" | "todos:write" | "todos:delete", UpstreamAccess> | GrantAdministration
    >()
  })
})

describe("a proxy outside Effect", () => {
  test("accepts no rule of admission that needs services", () => {
    expect(OAuthProxy.make).type.not.toBeCallableWith({ ...options, admit: admitMembers })
    const provided = Admit.custom(({ person }) => Effect.succeed(person.subject !== ""))
    expect(OAuthProxy.make).type.toBeCallableWith({ ...options, admit: provided })
  })

  test("accepts a store without requirements", () => {
    expect(OAuthProxy.make).type.toBeCallableWith({ ...options, store: MemoryStore.layer() })
    const unmet = null as unknown as Layer.Layer<RecordStore.RecordStore, never, Members>
    expect(OAuthProxy.make).type.not.toBeCallableWith({ ...options, store: unmet })
  })
})
