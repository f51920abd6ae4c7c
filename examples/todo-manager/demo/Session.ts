/** The official client of the demo, which `Connections` of this library signs in, and the log of the server. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Context, Effect, Layer } from "effect"
import { Decision } from "effect-mcp-auth"
import { Connections } from "effect-mcp-auth/sign-in"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { decodeJwt, decodeProtectedHeader } from "jose"
import assert from "node:assert/strict"
import { memberLines, type Wire } from "./Wire.ts"

// No server listens at this URL: the browser returns the URL of the callback instead of opening it.
export const redirectUri = "http://127.0.0.1/callback"

/** The account of the person in the application. */
export const account = "alice"

export interface Options {
  /** The URL of the todo manager. */
  readonly url: string
  readonly issuer: string
  readonly wire: Wire
}

/** Creates the part of the client that signs people in, and a function that connects. */
export const make = ({ issuer, url, wire }: Options) =>
  Effect.gen(function*() {
    const connections = yield* Connections.make({
      client: { name: "demo" },
      redirectUri,
      allowIssuers: [issuer],
      fetch: wire.fetch
    }).pipe(Effect.provideServiceEffect(RecordStore.RecordStore, MemoryStore.make()))
    const connect = async () => {
      const client = new Client({ name: "demo", version: "1.0.0" })
      const fetch = connections.fetch({ account, resource: url })
      const transport = new StreamableHTTPClientTransport(new URL(url), { fetch })
      await client.connect(transport)
      /** Lists the todos in the session of the client, with any token. */
      const listTodos = async (token: string) => {
        await wire.fetch(url, {
          method: "POST",
          headers: {
            accept: "application/json, text/event-stream",
            authorization: `Bearer ${token}`,
            "content-type": "application/json",
            "mcp-protocol-version": "2025-11-25",
            "mcp-session-id": transport.sessionId ?? ""
          },
          body: JSON.stringify({
            jsonrpc: "2.0",
            id: "a",
            method: "tools/call",
            params: { name: "list_todos", arguments: {} }
          })
        })
        return wire.take("POST", url, "tools/call list_todos")
      }
      return { client, listTodos }
    }
    return { connections, connect }
  })

export const callTool = async (client: Client, name: string, args: Record<string, unknown>) => {
  const { isError, structuredContent } = await client.callTool({ name, arguments: args })
  assert(isError !== true, `${name} answers with an error`)
  return structuredContent as Record<string, unknown>
}

/** Compares scopes as sets, because their order has no meaning. */
export const assertScopes = (actual: unknown, expected: string) =>
  assert.deepEqual(String(actual).split(" ").sort(), expected.split(" ").sort())

export const tellToken = (accessToken: string) => {
  const { aud, scope, sub } = decodeJwt(accessToken)
  return [
    "  in the token:",
    ...memberLines({ typ: decodeProtectedHeader(accessToken).typ, sub, aud, scope })
  ]
}

/** The decisions of the server in order, with the reasons, which are not sent to clients. */
export class Decisions extends Context.Service<Decisions, Array<Decision.Decision>>()("demo/Decisions") {}

/** Records the decisions of a server. */
export const layerDecisions = Layer.effect(
  Decision.DecisionListener,
  Effect.map(
    Decisions,
    (decisions) => (decision: Decision.Decision) => Effect.sync(() => void decisions.push(decision))
  )
).pipe(Layer.provideMerge(Layer.sync(Decisions, () => [])))

/** Checks the reason of the last rejection in the decisions of the server, because the response does not contain it. */
export const tellRejection = (decisions: ReadonlyArray<Decision.Decision>, reason: string) => {
  const last = decisions.at(-1)
  assert.equal(last?.outcome, "rejected")
  assert.equal(last.reason, reason)
  return [`  in the log of the todo manager: rejected with ${last.status}, reason ${reason}`]
}
