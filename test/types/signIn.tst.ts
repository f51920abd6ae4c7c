import { type Effect, Layer, Redacted } from "effect"
import { Grant, McpAuthClient } from "effect-mcp-auth/client"
import { NodeBrowser } from "effect-mcp-auth/client-node"
import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
import { AuthorizationCode, Connections } from "effect-mcp-auth/sign-in"
import { MemoryStore, type RecordStore } from "effect-mcp-auth/store"
import { McpClient, McpProtocol } from "effect/ai"
import { FetchHttpClient } from "effect/http"
import { describe, expect, it } from "tstyche"

const url = "https://todos.example.com/mcp"
const machine = Grant.clientCredentials({
  issuer: "https://auth.example.com",
  clientId: "report",
  clientSecret: Redacted.make("secret")
})
const connections = {
  client: { name: "assistant" },
  redirectUri: "https://assistant.example.com/callback",
  allowIssuers: ["https://auth.example.com"]
}

describe("clients that compile", () => {
  it("has a machine client below the client of Effect", () => {
    const todos = McpClient.layerHttp({ name: "agent", version: "1", protocol: McpProtocol.v2026_07_28, url }).pipe(
      Layer.provide(AuthorizedHttpClient.layer({ resource: url, grant: machine })),
      Layer.provide(FetchHttpClient.layer)
    )
    expect<Layer.Services<typeof todos>>().type.toBe<never>()
  })

  it("has a fetch function for other clients", () => {
    expect(McpAuthClient.make({ resource: url, grant: machine })).type.toBe<Promise<McpAuthClient.Client>>()
  })

  it("has a command-line tool with a browser", () => {
    expect(AuthorizationCode.grant({
      client: { name: "tool", metadataUrl: "https://tool.example/client.json" },
      redirect: NodeBrowser.loopback({ ports: [13316, 13317], otherwise: ["paste"] }),
      store: MemoryStore.make()
    })).type.toBe<Grant.Grant>()
  })

  it("has the option legacy for old MCP servers", () => {
    expect(Connections.layer).type.toBeCallableWith({ ...connections, legacy: true })
    expect(Connections.layer).type.not.toBeCallableWith({ ...connections, legacy: "yes" })
    expect(Grant.clientCredentials).type.not.toBeCallableWith({
      issuer: "https://auth.example.com",
      clientId: "report",
      clientSecret: Redacted.make("secret"),
      legacy: true
    })
  })

  it("has connections of many accounts, which need a store", () => {
    const layer = Connections.layer(connections)
    expect<Layer.Services<typeof layer>>().type.toBe<RecordStore.RecordStore>()
    const http = AuthorizedHttpClient.forAccount({ account: "alice", resource: url })
    expect<Effect.Services<typeof http>>().type.toBe<Connections.Connections>()
  })
})

describe("clients that do not compile", () => {
  it("rejects credentials without an issuer", () => {
    expect(Grant.clientCredentials).type.not.toBeCallableWith({ clientId: "a", clientSecret: Redacted.make("b") })
  })

  it("rejects a plain secret, and a browser without ports or a store", () => {
    expect(Grant.clientCredentials).type.not.toBeCallableWith({ issuer: url, clientId: "a", clientSecret: "b" })
    expect(NodeBrowser.loopback).type.not.toBeCallableWith({ ports: [] })
    expect(AuthorizationCode.grant).type.not.toBeCallableWith({
      client: { name: "tool" },
      redirect: NodeBrowser.loopback({ ports: [13316] })
    })
  })

  it("rejects connections without allowed issuers, and a callback without an account", () => {
    const { allowIssuers: _, ...rest } = connections
    expect(Connections.layer).type.not.toBeCallableWith(rest)
    const service = {} as Connections.Connections["Service"]
    expect(service.complete).type.not.toBeCallableWith({ url: "https://a.test" }, {})
  })
})
