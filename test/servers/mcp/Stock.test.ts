import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { Decision, Principal } from "effect-mcp-auth"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, McpServer, McpTest } from "effect/ai"
import { HttpClient, HttpRouter } from "effect/http"
import { principal } from "../../authorization/support.ts"
import * as Host from "../Host.ts"
import * as Mcp from "../Mcp.ts"
import * as TodoServer from "../TodoServer.ts"

/**
 * Starts Effect's own `McpServer.layerHttp` behind the authentication layer. This library adds only the scope guard around
 * each call, and not the checks of `McpAuth.layerHttp`.
 */
const start = (
  kind: keyof typeof Host.hosts,
  { allowedOrigins, middleware = Layer.empty }: {
    readonly allowedOrigins?: ReadonlyArray<string>
    readonly middleware?: Layer.Layer<never, never, HttpRouter.HttpRouter>
  } = {}
) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
    const server = TodoServer.make()
    const decisions: Array<Decision.Decision> = []
    const host = yield* Host.hosts[kind](
      McpServer.layerHttp({
        ...server.options,
        allowedOrigins,
        protocols: TodoServer.protocols,
        registrations: Layer.mergeAll(server.registrations.protectedByScope, server.registrations.open)
      }).pipe(
        Layer.provide(TodoServer.auth(issuer.issuer, { allowedOrigins })),
        Layer.merge(middleware),
        Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
      )
    ).pipe(
      Effect.provideService(Decision.DecisionListener, (decision) => Effect.sync(() => void decisions.push(decision)))
    )
    return { host, issuer, ran: server.ran, decisions }
  }).pipe(Effect.provide(Logger.layer([])))

const challenge = `Bearer error="insufficient_scope", scope="todos:read todos:write", ` +
  `resource_metadata="${TodoServer.metadataUrl}", error_description="The access token lacks a scope that this operation needs"`

describe.each(["web", "node"] as const)("The stock server behind the gate, %s", (kind) => {
  it.live("HDR-01 HDR-18 without a token: 401, and the server receives nothing", () =>
    Effect.gen(function*() {
      const { host, ran } = yield* start(kind)
      const received = yield* host.send(Mcp.call("whoami"))
      assert.strictEqual(received.status, 401)
      assert.include(received.headers["www-authenticate"], TodoServer.metadataUrl)
      assert.deepStrictEqual(ran, [])
    }))

  it.live("CHAL-03 a missing scope is a 403 with its challenge, and nothing runs", () =>
    Effect.gen(function*() {
      const { decisions, host, issuer, ran } = yield* start(kind)
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const operations = [
        Mcp.call("add", { token }),
        Mcp.modern("resources/read", { uri: "todo://items/1" }, { token }),
        Mcp.modern("completion/complete", {
          ref: { type: "ref/resource", uri: "todo://items/{id}" },
          argument: { name: "id", value: "" }
        }, { token })
      ]
      for (const operation of operations) {
        const received = yield* host.send(operation)
        assert.strictEqual(received.status, 403)
        assert.strictEqual(received.headers["www-authenticate"], challenge)
        assert.strictEqual(JSON.parse(received.body).error, "insufficient_scope")
      }
      assert.deepStrictEqual(ran, [])
      // Only the web handler runs with the services of this fiber, which include the decision listener.
      if (kind === "web") assert.deepStrictEqual(decisions.map(({ reason }) => reason), Array(3).fill("missing-scope"))
      assert.strictEqual((yield* host.send(Mcp.call("list", { token }))).status, 200)
      assert.deepStrictEqual(ran, ["list"])
    }))

  it.live("[T-AUD-02b] a page reads the challenge of a 403, and the headers that HttpRouter.cors exposes", () =>
    Effect.gen(function*() {
      const app = "https://app.test"
      const { host, issuer } = yield* start(kind, {
        allowedOrigins: [app],
        middleware: HttpRouter.cors({ allowedOrigins: [app], exposedHeaders: ["X-Own"], credentials: true })
      })
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const { headers, status } = yield* host.send(Mcp.call("add", { token, headers: [["origin", app]] }))
      assert.deepStrictEqual([status, headers["www-authenticate"]], [403, challenge])
      assert.strictEqual(headers["access-control-allow-origin"], app)
      assert.strictEqual(headers["access-control-allow-credentials"], "true")
      assert.strictEqual(headers["access-control-expose-headers"], "X-Own, WWW-Authenticate")
      assert.strictEqual(headers["vary"], "Origin")
    }))

  it.live("a 403 allows no credentials for an origin that HttpRouter.cors does not allow", () =>
    Effect.gen(function*() {
      const [app, partner] = ["https://app.test", "https://partner.test"]
      const { host, issuer } = yield* start(kind, {
        allowedOrigins: [app, partner],
        middleware: HttpRouter.cors({ allowedOrigins: [app, "https://other.test"], credentials: true })
      })
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const { headers, status } = yield* host.send(Mcp.call("add", { token, headers: [["origin", partner]] }))
      assert.strictEqual(status, 403)
      assert.strictEqual(headers["access-control-allow-origin"], partner)
      assert.notProperty(headers, "access-control-allow-credentials")
    }))

  it.live("SCOPE-14 hides hidden operations", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start(kind)
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const hidden = Mcp.answer(yield* host.send(Mcp.call("purge", { token })))
      const unknown = Mcp.answer(yield* host.send(Mcp.call("qurge", { token })))
      assert.deepStrictEqual(JSON.stringify(hidden), JSON.stringify(unknown).replaceAll("qurge", "purge"))
      const { tools } = Mcp.answer(yield* host.send(Mcp.modern("tools/list", {}, { token }))).result
      assert.notInclude(tools.map(({ name }: { readonly name: string }) => name), "purge")
      assert.deepStrictEqual(ran, [])
    }))

  it.live("a legacy batch is rejected with 403, but its allowed calls have already run", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start(kind)
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const version = "2025-03-26"
      const { headers } = yield* host.send(Mcp.initialize(version, { token }))
      const call = (name: string, id: number) => Mcp.message("tools/call", { name, arguments: {} }, id)
      const batch = [call("whoami", 1), call("add", 2), call("list", 3)]
      const received = yield* host.send(Mcp.legacy(headers["mcp-session-id"]!, batch, { token, version }))
      assert.strictEqual(received.status, 403)
      // The scope guard checks each call separately, so the challenge names the granted scopes and the scopes
      // that one call requires.
      assert.include(received.headers["www-authenticate"], "scope=\"todos:read todos:write\"")
      assert.notInclude(received.body, "whoami")
      assert.notInclude(ran, "add")
      assert.sameMembers(ran, ["whoami", "list"])
    }))
})

describe("Without HTTP", () => {
  it.live("a server in memory rejects a tool with scopes without a caller, and for a caller without them", () =>
    Effect.gen(function*() {
      const connect = Effect.fnUntraced(function*(caller: Principal | undefined) {
        const server = TodoServer.make()
        const provided = McpServer.middleware<{ provides: any }>()((effect) =>
          caller === undefined ? effect : Effect.provideService(effect, Principal, caller)
        )
        const client = yield* McpTest.makeClient(
          server.registrations.protectedByScope.pipe(Layer.provide(provided.layer)) as Layer.Layer<
            never,
            never,
            McpServer.McpServer
          >,
          { protocols: [McpProtocol.v2025_11_25] }
        )
        return { client, ran: server.ran }
      })
      for (const caller of [undefined, principal({ scopes: ["todos:read"] })]) {
        const { client, ran } = yield* connect(caller)
        const error = yield* Effect.flip(client.callTool({ name: "add", arguments: {} }))
        assert.deepStrictEqual([error.code, error.message], [-32001, "Insufficient scope"])
        assert.strictEqual((yield* Effect.flip(client.callTool({ name: "purge", arguments: {} }))).code, -32602)
        assert.deepStrictEqual(ran, [])
      }
      const { client, ran } = yield* connect(principal({ scopes: ["todos:read", "todos:write"] }))
      yield* client.callTool({ name: "add", arguments: {} })
      assert.deepStrictEqual(ran, ["add"])
    }))
})
