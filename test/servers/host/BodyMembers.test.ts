/**
 * Tests that members of a message have no effect if JSON-RPC does not define them. Without the gate, Effect's RPC layer reads
 * HTTP headers and trace context from such members.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, References, Schema } from "effect"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, McpSchema, Tool, Toolkit } from "effect/ai"
import { HttpClient } from "effect/http"
import * as Host from "../Host.ts"
import * as Mcp from "../Mcp.ts"
import * as TodoServer from "../TodoServer.ts"

/** A tool that returns what the server stores for the session of the call: the client's name and the log level. */
const Session = Tool.make("session", { success: Schema.Struct({ client: Schema.String, level: Schema.String }) })
const Tools = Toolkit.make(Session)

const session = Effect.map(Effect.context<never>(), (context) => ({
  client: Context.getUnsafe(context as Context.Context<McpSchema.McpServerClient>, McpSchema.McpServerClient)
    .clientInfo.name,
  level: Context.get(context, References.CurrentLogLevel)
}))

const start = Effect.gen(function*() {
  const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
  const app = McpAuth.layerHttp({
    name: "sessions",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2025_11_25],
    registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(Tools.toLayer({ session: () => session })))
  }).pipe(
    Layer.provide(TodoServer.auth(issuer.issuer)),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
  )
  return { app, issuer }
})

describe.each(Object.keys(Host.hosts) as Array<keyof typeof Host.hosts>)("%s", (kind) => {
  it.live("[T-AUD-04a] a session in the body does not replace the session of the request", () =>
    Effect.gen(function*() {
      const { app, issuer } = yield* start
      const host = yield* Host.hosts[kind](app)
      const open = Effect.fnUntraced(function*(subject: string) {
        const token = yield* issuer.mint({ subject, scopes: ["todos:read"] })
        const { body } = Mcp.initialize("2025-11-25")
        const opened = yield* host.send(Mcp.raw(body!.replace(`"client"`, JSON.stringify(subject)), { token }))
        const id = opened.headers["mcp-session-id"]!
        yield* host.send(Mcp.legacy(id, Mcp.notification("notifications/initialized"), { token }))
        return { id, send: (body: unknown) => host.send(Mcp.legacy(id, body, { token })) }
      })
      const alice = yield* open("alice")
      const bob = yield* open("bob")
      const call = Mcp.message("tools/call", { name: "session", arguments: {} })
      const sessionOf = (received: Host.Received) => Mcp.answer(received).result?.structuredContent
      const before = sessionOf(yield* alice.send(call))
      assert.deepStrictEqual([before.client, sessionOf(yield* bob.send(call)).client], ["alice", "bob"])

      const headers = [["mcp-session-id", alice.id]]
      const read = yield* bob.send({ ...call, headers })
      const changed = yield* bob.send({ ...Mcp.message("logging/setLevel", { level: "emergency" }), headers })
      assert.deepStrictEqual(sessionOf(yield* alice.send(call)), before)
      assert.notInclude(read.body, "alice")
      assert.deepStrictEqual([read.status, changed.status], [400, 400])
    }).pipe(Effect.provide(Logger.layer([]))))
})
