import { assert, describe, it } from "@effect/vitest"
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { SubscribeRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import * as V2 from "@modelcontextprotocol/server"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { modern, request } from "./rpc.ts"

/* Tests that a result which depends on the caller neither reaches another caller nor is marked as cacheable for all callers. */

const url = "https://server.test/mcp"
const callerWith = (granted: ReadonlyArray<"read" | "admin">) =>
  ({ subject: "alice", resource: url, scopes: ["read", "admin"], granted }) as const
const contents = (uri: URL) => ({ contents: [{ uri: uri.href, text: "text" }] })
const shared = { ttlMs: 60_000, cacheScope: "public" } as const

const post = (message: object, capabilities: object = {}, token: string | undefined = "any"): Request => {
  const { body, headers } = modern(message, capabilities)
  return new Request(url, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...headers
    },
    body: JSON.stringify(body)
  })
}

describe("SDK v2", () => {
  const start = async (scopes: ReadonlyArray<"read" | "admin">) => {
    const auth = await SdkV2.mock(callerWith(scopes))
    const handler = auth.createMcpHandler(() => {
      const server = new V2.McpServer({ name: "test", version: "1.0.0" }, {
        capabilities: { resources: { subscribe: true, listChanged: true } },
        cacheHints: {
          "tools/list": shared,
          "resources/list": shared,
          "resources/templates/list": shared,
          "prompts/list": shared,
          "server/discover": shared
        }
      })
      auth.registerTool(server, "purge", { scopes: ["admin"], unauthorized: "hide" }, () => ({ content: [] }))
      auth.registerPrompt(server, "plan", { scopes: ["read"] }, () => ({ messages: [] }))
      auth.registerResource(server, "open", "todo://open", { cacheHint: shared }, contents)
      auth.registerResource(server, "all", "todo://all", { scopes: ["read"], cacheHint: shared }, contents)
      auth.registerResource(
        server,
        "returned",
        "todo://returned",
        { scopes: ["read"] },
        (uri) => ({ ...contents(uri), cacheScope: "public" as const, ttlMs: 1 })
      )
      auth.registerResource(
        server,
        "one",
        new V2.ResourceTemplate("todo://one/{id}", { list: undefined }),
        { scopes: ["read"], cacheHint: shared },
        contents
      )
      auth.registerResource(server, "hidden", "todo://hidden", { scopes: ["admin"], unauthorized: "hide" }, contents)
      auth.registerResource(
        server,
        "secret",
        new V2.ResourceTemplate("todo://secret/{id}", { list: undefined }),
        { scopes: ["admin"], unauthorized: "hide" },
        contents
      )
      return server
    })
    return { auth, handler }
  }

  it.each(
    [
      request("tools/list"),
      request("prompts/list"),
      request("resources/list"),
      request("resources/templates/list"),
      request("server/discover"),
      request("resources/read", { uri: "todo://open" }),
      request("resources/read", { uri: "todo://all" }),
      request("resources/read", { uri: "todo://returned" }),
      request("resources/read", { uri: "todo://one/1" })
    ].map((message) => ({ message, title: `${message.method} ${(message.params as { uri?: string }).uri ?? ""}` }))
  )("[T-AUD-13b] a result for a caller is private for every cache hint: $title", async ({ message }) => {
    const { auth, handler } = await start(["read"])
    const response = await handler.fetch(post(message))
    const text = await response.text()
    assert.strictEqual(response.status, 200, text)
    assert.include(text, "\"cacheScope\":\"private\"")
    assert.notInclude(text, "public")
    if (message.method.endsWith("list")) assert.include(text, "\"ttlMs\":60000")
    await auth.dispose()
  })

  it("[T-AUD-13a] a server that serves a second caller is an error, since entries hidden from the first one are missing", async () => {
    const auth = await SdkV2.mock(callerWith(["read"]))
    const server = new V2.McpServer({ name: "test", version: "1.0.0" })
    auth.registerTool(server, "purge", { scopes: ["admin"], unauthorized: "hide" }, () => ({ content: [] }))
    const handler = auth.createMcpHandler(() => server)
    assert.notInclude(await (await handler.fetch(post(request("tools/list")))).text(), "purge")
    const again = await handler.fetch(post(request("tools/list")))
    assert.strictEqual(again.status, 500)
    await auth.dispose()
  })

  const open = async (scopes: ReadonlyArray<"read" | "admin">, resourceSubscriptions: ReadonlyArray<string>) => {
    const { auth, handler } = await start(scopes)
    const message = request("subscriptions/listen", {
      notifications: { resourceSubscriptions, toolsListChanged: true }
    })
    const response = await handler.fetch(post(message, { subscriptions: {} }))
    assert.strictEqual(response.status, 200)
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ""
    const until = async (awaited: string) => {
      while (!text.includes(awaited)) {
        const { done, value } = await reader.read()
        if (done) break
        text += value
      }
      return text
    }
    const close = async () => {
      await reader.cancel()
      await auth.dispose()
    }
    return { handler, until, close }
  }

  it("[T-AUD-13a] a subscription leaves out hidden resources, as those that do not exist", async () => {
    const uris = ["todo://hidden", "todo://secret/1", "todo://unknown", "todo://all", "todo://one/1"]
    const { close, handler, until } = await open(["read"], uris)
    assert.include(await until("\n\n"), "\"resourceSubscriptions\":[\"todo://all\",\"todo://one/1\"]")
    for (const uri of uris) handler.notify.resourceUpdated(uri)
    const received = await until("\"uri\":\"todo://one/1\"")
    assert.notMatch(received, /hidden|secret|unknown/)
    await close()
  })

  it("[T-AUD-13a] a caller with the scopes receives the updates of a resource that is hidden from others", async () => {
    const { close, handler, until } = await open(["read", "admin"], ["todo://hidden", "todo://secret/1"])
    handler.notify.resourceUpdated("todo://secret/1")
    handler.notify.resourceUpdated("todo://hidden")
    assert.include(await until("\"uri\":\"todo://hidden\""), "\"uri\":\"todo://secret/1\"")
    await close()
  })
})

describe("Subscriptions on SDK v1", () => {
  const start = async (scopes: ReadonlyArray<"read" | "admin">) => {
    const auth = await SdkV1.mock(callerWith(scopes))
    const subscribed: Array<string> = []
    const make = () => {
      const server = new V1.McpServer({ name: "test", version: "1.0.0" }, {
        capabilities: { resources: { subscribe: true } }
      })
      auth.registerResource(server, "all", "todo://all", { scopes: ["read"] }, contents)
      auth.registerResource(server, "hidden", "todo://hidden", { scopes: ["admin"], unauthorized: "hide" }, contents)
      auth.registerResource(
        server,
        "secret",
        new V1.ResourceTemplate("todo://secret/{id}", { list: undefined }),
        { scopes: ["admin"], unauthorized: "hide" },
        contents
      )
      server.server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
        subscribed.push(params.uri)
        return {}
      })
      return server
    }
    const server = make()
    const handler = auth.protectFetch(server, async (request, options) => {
      const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
      await make().connect(transport as never)
      return transport.handleRequest(request, options)
    })
    const subscribe = async (uri: string) => {
      const response = await handler(
        new Request(url, {
          method: "POST",
          headers: {
            accept: "application/json, text/event-stream",
            "content-type": "application/json",
            authorization: "Bearer any"
          },
          body: JSON.stringify(request("resources/subscribe", { uri }))
        })
      )
      return { status: response.status, text: await response.text() }
    }
    return { auth, subscribe, subscribed }
  }

  it("[T-AUD-13a] a hidden resource is answered as one that does not exist, and nothing is subscribed", async () => {
    const { auth, subscribe, subscribed } = await start(["read"])
    const unknown = await subscribe("todo://unknown")
    for (const uri of ["todo://hidden", "todo://secret/1", "TODO://hidden"]) {
      const { status, text } = await subscribe(uri)
      assert.deepStrictEqual([status, text.replaceAll(uri, "x")], [
        unknown.status,
        unknown.text.replaceAll("todo://unknown", "x")
      ])
    }
    assert.include(unknown.text, "-32602")
    assert.strictEqual((await subscribe("todo://all")).status, 200)
    assert.deepStrictEqual(subscribed, ["todo://all"])
    await auth.dispose()
  })

  it("[T-AUD-13a] a caller with the scopes subscribes to a resource that is hidden from others", async () => {
    const { auth, subscribe, subscribed } = await start(["read", "admin"])
    assert.include((await subscribe("todo://hidden")).text, "\"result\":{}")
    assert.deepStrictEqual(subscribed, ["todo://hidden"])
    await auth.dispose()
  })
})
