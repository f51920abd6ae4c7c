import { assert, describe, it } from "@effect/vitest"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { SubscribeRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import * as V2 from "@modelcontextprotocol/server"
import { Effect, Exit, Logger, Scope } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { randomUUID } from "node:crypto"
import type { RequestListener } from "node:http"
import { fetchOf } from "../hosts/Host.ts"
import { listen } from "./listen.ts"
import { initialize, modern, request } from "./rpc.ts"

/* Tests which updates of resources reach a caller over HTTP, if the resources have policies. */

const resource = "https://server.test/mcp"
const info = { name: "test", version: "1.0.0" }
const capabilities = { resources: { subscribe: true } }
const contents = (uri: URL) => ({ contents: [{ uri: uri.href, text: "text" }] })

const makeOptions = async () => {
  const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource }))
  const mint = (subject: string, roles: ReadonlyArray<string>) =>
    Effect.runPromise(issuer.mint({ subject, scopes: ["read"], claims: { roles } }))
  const options = {
    resource,
    authorizationServers: [issuer.issuer] as const,
    scopes: ["read"] as const,
    roles: [["roles"]] as const,
    layer: Logger.layer([]),
    fetch: fetchOf(client)
  }
  return { mint, options }
}

/** Registers a resource for each answer to a caller without the role, and one that every caller may read. */
const registerAll = (auth: { readonly registerResource: (...args: Array<any>) => unknown }, server: object) => {
  const policy = Policy.role("admin")
  auth.registerResource(server, "hidden", "todo://hidden", { policy, unauthorized: "hide" }, contents)
  auth.registerResource(server, "challenge", "todo://challenge", { policy }, contents)
  auth.registerResource(server, "open", "todo://open", {}, contents)
}

/** A server with one session, which sends updates to the event stream of the session. */
interface Session {
  readonly send: (request: Request) => Promise<Response>
  readonly update: (uri: string) => Promise<void>
  readonly stop: () => Promise<void>
}

const onWeb = (protectedFetch: (request: Request) => Promise<Response>) => protectedFetch

const kinds: Readonly<Record<string, (options: any) => Promise<Session>>> = {
  "SDK v1, fetch": async (options) => {
    const auth = await SdkV1.make(options)
    const server = new V1.McpServer(info, { capabilities })
    registerAll(auth, server)
    server.server.setRequestHandler(SubscribeRequestSchema, () => ({}))
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID })
    await server.connect(transport as never)
    return {
      send: onWeb(auth.protectFetch(server, (request, given) => transport.handleRequest(request, given))),
      update: (uri) => server.server.sendResourceUpdated({ uri }),
      stop: auth.dispose
    }
  },
  "SDK v1, node:http": async (options) => {
    const auth = await SdkV1.make(options)
    const server = new V1.McpServer(info, { capabilities })
    registerAll(auth, server)
    server.server.setRequestHandler(SubscribeRequestSchema, () => ({}))
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID })
    await server.connect(transport as never)
    const guard = auth.protect(server)
    const listener: RequestListener = (req, res) =>
      void guard(req, res, () => void transport.handleRequest(req, res, (req as { body?: unknown }).body))
    const scope = Scope.makeUnsafe()
    const listening = listen(() => Effect.succeed(listener))
    const origin = await Effect.runPromise(Effect.provideService(listening, Scope.Scope, scope))
    return {
      send: async (request) =>
        fetch(`${origin}/mcp`, {
          method: request.method,
          headers: [...request.headers],
          signal: request.signal,
          ...(request.method === "POST" ? { body: await request.text() } : {})
        }),
      update: (uri) => server.server.sendResourceUpdated({ uri }),
      stop: async () => {
        await Effect.runPromise(Scope.close(scope, Exit.void))
        await auth.dispose()
      }
    }
  },
  "SDK v2, fetch": async (options) => {
    const auth = await SdkV2.make(options)
    const server = new V2.McpServer(info, { capabilities })
    registerAll(auth, server)
    server.server.setRequestHandler("resources/subscribe", () => ({}))
    const transport = new V2.WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID })
    await server.connect(transport)
    return {
      send: onWeb(auth.protectFetch(server, (request, given) => transport.handleRequest(request, given))),
      update: (uri) => server.server.sendResourceUpdated({ uri }),
      stop: auth.dispose
    }
  }
}

const requestOf = (method: string, token: string, session: string | undefined, body?: object, signal?: AbortSignal) =>
  new Request(resource, {
    method,
    headers: {
      accept: method === "GET" ? "text/event-stream" : "application/json, text/event-stream",
      "content-type": "application/json",
      authorization: `Bearer ${token}`,
      ...(session === undefined ? {} : { "mcp-session-id": session })
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal })
  })

/** Reads a stream until the received text contains `awaited`, and returns the URIs of the updates in it. */
const reading = (response: Response) => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  return {
    until: async (awaited: string) => {
      while (!text.includes(awaited)) {
        const { done, value } = await reader.read()
        if (done) throw new Error(`the stream ended before ${awaited}: ${text}`)
        text += value
      }
      return [...text.matchAll(/resources\/updated[^\n]*"uri":"todo:\/\/(\w+)"/g)].map((found) => found[1])
    },
    cancel: () => reader.cancel()
  }
}

const uris = ["todo://hidden", "todo://challenge", "todo://open"]

describe.each(Object.keys(kinds))("Updates to the stream of a session on %s", (kind) => {
  it("a subscriber that has lost the role receives no update of a resource whose policy needs it", async () => {
    const { mint, options } = await makeOptions()
    const { send, stop, update } = await kinds[kind]!(options)
    const [admin, other] = [await mint("alice", ["admin"]), await mint("alice", [])]
    const opened = await send(requestOf("POST", admin, undefined, initialize))
    const session = opened.headers.get("mcp-session-id")!
    await opened.text()
    for (const uri of uris) {
      const subscribed = await send(requestOf("POST", admin, session, request("resources/subscribe", { uri })))
      assert.include(await subscribed.text(), "\"result\":{}")
    }
    const first = new AbortController()
    const asAdmin = reading(await send(requestOf("GET", admin, session, undefined, first.signal)))
    for (const uri of uris) await update(uri)
    assert.deepStrictEqual(await asAdmin.until("todo://open"), ["hidden", "challenge", "open"])
    await asAdmin.cancel()
    first.abort()
    // The transport rejects a second stream until it knows that the first one has ended.
    let again = await send(requestOf("GET", other, session))
    while (again.status === 409) {
      await again.body?.cancel()
      again = await send(requestOf("GET", other, session))
    }
    assert.strictEqual(again.status, 200)
    const asOther = reading(again)
    for (const uri of uris) await update(uri)
    assert.deepStrictEqual(await asOther.until("todo://open"), ["open"])
    await asOther.cancel()
    await stop()
  })
})

describe("Subscriptions of MCP 2026-07-28 on SDK v2", () => {
  it("a caller without the role receives no update of a hidden resource", async () => {
    const { mint, options } = await makeOptions()
    const auth = await SdkV2.make(options as never) as any
    const handler = auth.createMcpHandler(() => {
      const server = new V2.McpServer(info, { capabilities })
      registerAll(auth, server)
      return server
    })
    const open = async (token: string) => {
      const { body, headers } = modern(
        request("subscriptions/listen", { notifications: { resourceSubscriptions: ["todo://hidden", "todo://open"] } }),
        { subscriptions: {} }
      )
      const sent = requestOf("POST", token, undefined, body)
      for (const [name, value] of Object.entries(headers)) sent.headers.set(name, value)
      const response = await handler.fetch(sent)
      assert.strictEqual(response.status, 200)
      return reading(response)
    }
    const asAdmin = await open(await mint("alice", ["admin"]))
    const asOther = await open(await mint("alice", []))
    handler.notify.resourceUpdated("todo://hidden")
    handler.notify.resourceUpdated("todo://open")
    assert.deepStrictEqual(await asAdmin.until("\"uri\":\"todo://open\""), ["hidden", "open"])
    assert.deepStrictEqual(await asOther.until("\"uri\":\"todo://open\""), ["open"])
    await asAdmin.cancel()
    await asOther.cancel()
    await auth.dispose()
  })
})
