import { assert, describe, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js"
import { Effect } from "effect"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import { TestIssuer } from "effect-mcp-auth/testing"
import express5 from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { fetcherWith } from "../gates.ts"

const resource = "https://server.test/mcp"
const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource }))
const tokenOf = (subject: string) => Effect.runPromise(issuer.mint({ subject }))

const options = {
  resource,
  authorizationServers: [issuer.issuer],
  scopes: ["todos:read"],
  layer: fetcherWith(client)
} as const

const listen = async (listener: RequestListener) => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

interface Gate extends AsyncDisposable {
  readonly protect: () => (req: IncomingMessage, res: ServerResponse, next: () => void) => Promise<unknown>
}

interface Host {
  readonly name: string
  readonly gate: () => Promise<Gate>
  readonly serve: (
    guard: ReturnType<Gate["protect"]>,
    handler: (req: IncomingMessage, res: ServerResponse) => unknown
  ) => RequestListener
}

const onExpress = (framework: typeof express5): Host["serve"] => (guard, handler) => {
  const app = framework()
  app.use(guard)
  app.all(["/sse", "/messages"], handler)
  return app
}

const nodeGate = (): Promise<Gate> => McpAuthNode.make(options)
const nodeRouteGate = async (): Promise<Gate> => {
  const auth = await McpAuthNode.make(options)
  return { protect: () => auth.protectRoute(), [Symbol.asyncDispose]: auth.dispose }
}
const sdkGate = async (): Promise<Gate> => {
  const auth = await McpAuthSdk.make(options)
  const server = new McpServer({ name: "test", version: "1.0.0" })
  auth.registerTool(server, "whoami", {}, () => ({ content: [] }))
  return { protect: () => auth.protect(server), [Symbol.asyncDispose]: auth.dispose }
}
const bare: Host["serve"] = (guard, handler) => (req, res) => void guard(req, res, () => void handler(req, res))

const hosts: ReadonlyArray<Host> = [
  { name: "node:http", gate: nodeGate, serve: bare },
  { name: "Express 4", gate: nodeGate, serve: onExpress(express4 as unknown as typeof express5) },
  { name: "Express 5", gate: nodeGate, serve: onExpress(express5) },
  { name: "node:http, protectRoute", gate: nodeRouteGate, serve: bare },
  { name: "SDK v1 on Express 5", gate: sdkGate, serve: onExpress(express5) }
]

/** Creates a server with the SDK's transport of 2024-11-05, and a tool that returns its caller. */
const makeHandler = (ran: Array<string>) => {
  const open = new Map<string, SSEServerTransport>()
  return async (req: IncomingMessage, res: ServerResponse) => {
    if (req.method === "GET") {
      const transport = new SSEServerTransport("/messages", res)
      open.set(transport.sessionId, transport)
      const server = new McpServer({ name: "test", version: "1.0.0" })
      server.registerTool("whoami", {}, ({ authInfo }) => {
        const subject = String((authInfo as { extra?: { principal?: { subject?: string } } }).extra?.principal?.subject)
        ran.push(subject)
        return { content: [{ type: "text", text: subject }] }
      })
      return server.connect(transport as never)
    }
    const query = new URL(req.url!, "http://server.test").searchParams
    const id = query.get("sessionId") ?? query.get("[sessionId]") ?? query.get("sessionId[]")
    const transport = open.get(id!)
    if (transport === undefined) {
      res.writeHead(410).end()
      return
    }
    await transport.handlePostMessage(req as never, res, (req as { body?: unknown }).body)
  }
}

const connect = async (url: string, token: string) => {
  const authorization = `Bearer ${token}`
  const addresses: Array<string> = []
  const transport = new SSEClientTransport(new URL(`${url}/sse`), {
    fetch: (input, init) => {
      addresses.push(String(input))
      const headers = new Headers(init?.headers)
      headers.set("authorization", authorization)
      return fetch(input, { ...init, headers })
    }
  })
  const client = new Client({ name: "test", version: "1.0.0" })
  await client.connect(transport as never)
  return { client, messages: () => addresses.at(-1)!, [Symbol.asyncDispose]: () => client.close() }
}

const call = (address: string, token: string | undefined) =>
  fetch(address, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "whoami", arguments: {} } })
  })

describe.each(hosts)("Sessions of the transport of 2024-11-05, $name", ({ gate, name, serve }) => {
  it("[T-AUD-19] serve the caller who opened them, and do not exist for other callers", async () => {
    await using auth = await gate()
    const ran: Array<string> = []
    await using server = await listen(serve(auth.protect(), makeHandler(ran)))
    const alice = await tokenOf("alice")
    const bob = await tokenOf("bob")
    await using connected = await connect(server.url, alice)
    await connected.client.callTool({ name: "whoami", arguments: {} })
    assert.lengthOf(ran, 1)

    const address = connected.messages()
    const id = new URL(address).searchParams.get("sessionId")!
    const spellings = [
      address,
      `${address}&sessionId=x`,
      address.replace("sessionId", "session%49d"),
      address.replace("sessionId=", "sessionId[]="),
      address.replace("sessionId=", "[sessionId]="),
      address.replace("?", "?a=b&")
    ]
    for (const spelling of spellings) {
      assert.strictEqual((await call(spelling, bob)).status, 404, spelling)
    }
    assert.strictEqual((await call(address, undefined)).status, 401)
    assert.lengthOf(ran, 1)

    // A session of Bob's serves Bob, and no other caller. It does not give Bob access to the session of Alice either.
    await using other = await connect(server.url, bob)
    await other.client.callTool({ name: "whoami", arguments: {} })
    assert.strictEqual((await call(other.messages(), alice)).status, 404)
    assert.strictEqual((await call(`${other.messages()}&sessionId=${id}`, bob)).status, 404)
    assert.lengthOf(ran, 2)

    // A session id that was never issued. Behind `protectRoute`, the request reaches the server, which answers 410.
    const unknown = name.endsWith("protectRoute") ? 410 : 404
    assert.strictEqual((await call(address.replace(id, "made-up"), alice)).status, unknown)
  })
})

describe("A stream of the transport of 2024-11-05", () => {
  const endpoint = "event: endpoint\ndata: /messages?sessionId=s1\n\n"
  const writers: ReadonlyArray<readonly [string, (res: ServerResponse) => void]> = [
    ["in one piece", (res) => void res.writeHead(200, { "content-type": "text/event-stream" }).write(endpoint)],
    ["character by character", (res) => {
      res.setHeader("content-type", "text/event-stream; charset=utf-8")
      for (const character of endpoint) res.write(character)
    }],
    ["in bytes", (res) => {
      res.setHeader("Content-Type", "text/event-stream")
      for (const byte of Buffer.from(endpoint)) res.write(Buffer.of(byte))
    }],
    [
      "with an encoding",
      (res) => void res.writeHead(200, { "content-type": "text/event-stream" }).write(endpoint, "utf8")
    ],
    ["after flushed headers and a comment", (res) => {
      res.setHeader("content-type", "text/event-stream")
      res.flushHeaders()
      res.write(": hello\r\nretry: 10\r\n\r\n")
      res.write(endpoint.replaceAll("\n", "\r\n"))
    }],
    ["with carriage returns", (res) => {
      res.writeHead(200, { "content-type": "text/event-stream" })
      res.write(`\uFEFF${endpoint.replaceAll("\n", "\r")}`)
      res.write(": more")
    }]
  ]

  const open = async (write: (res: ServerResponse) => void) => {
    const auth = await McpAuthNode.make(options)
    const guard = auth.protect()
    const server = await listen((req, res) =>
      void guard(req, res, () => {
        if (req.method === "GET") write(res)
        else res.writeHead(202).end()
      })
    )
    const alice = await tokenOf("alice")
    const stream = await fetch(`${server.url}/sse`, { headers: { authorization: `Bearer ${alice}` } })
    const reader = stream.body!.getReader()
    await reader.read()
    return {
      status: async (token = alice) => (await call(`${server.url}/messages?sessionId=s1`, token)).status,
      reader,
      [Symbol.asyncDispose]: async () => {
        await reader.cancel()
        await server[Symbol.asyncDispose]()
        await auth.dispose()
      }
    }
  }

  it.each(writers)("[T-AUD-19] is bound for every form of its first event: %s", async (_, write) => {
    await using opened = await open(write)
    assert.strictEqual(await opened.status(), 202)
    assert.strictEqual(await opened.status(await tokenOf("bob")), 404)
  })

  const unbound: ReadonlyArray<readonly [string, (res: ServerResponse) => void]> = [
    ["another event comes first", (res) => {
      res.writeHead(200, { "content-type": "text/event-stream" }).write("data: 1\n\n")
      res.write(endpoint)
    }],
    ["the event does not end", (res) => {
      res.writeHead(200, { "content-type": "text/event-stream" }).write(endpoint.slice(0, -1))
    }],
    ["it is too long", (res) => {
      res.writeHead(200, { "content-type": "text/event-stream" }).write(`:${" ".repeat(8192)}`)
      res.write(`\n\n${endpoint}`)
    }],
    ["it names several sessions", (res) => {
      res.writeHead(200, { "content-type": "text/event-stream" }).write(
        endpoint.replace("?", "?sessionId=s2&")
      )
    }],
    ["it has another encoding", (res) => {
      res.writeHead(200, { "content-type": "text/event-stream" }).write(Buffer.from(endpoint).toString("hex"), "hex")
    }],
    [
      "the response is not an event stream",
      (res) => void res.writeHead(200, { "content-type": "text/plain" }).write(endpoint)
    ]
  ]

  it.each(unbound)("[T-AUD-19] opens no session if the event is not certain: %s", async (_, write) => {
    await using opened = await open(write)
    assert.strictEqual(await opened.status(), 404)
  })

  it("[T-AUD-19] a second stream cannot take over the session of another caller", async () => {
    await using auth = await McpAuthNode.make(options)
    const guard = auth.protect()
    await using server = await listen((req, res) =>
      void guard(req, res, () => {
        if (req.method === "GET") res.writeHead(200, { "content-type": "text/event-stream" }).write(endpoint)
        else res.writeHead(202).end()
      })
    )
    const alice = await tokenOf("alice")
    const bob = await tokenOf("bob")
    const streams = []
    for (const token of [alice, bob]) {
      const stream = await fetch(`${server.url}/sse`, { headers: { authorization: `Bearer ${token}` } })
      const reader = stream.body!.getReader()
      await reader.read()
      streams.push(reader)
    }
    assert.strictEqual((await call(`${server.url}/messages?sessionId=s1`, bob)).status, 404)
    assert.strictEqual((await call(`${server.url}/messages?sessionId=s1`, alice)).status, 202)
    for (const reader of streams) await reader.cancel()
  })

  it("[T-AUD-19] is bound on fetch hosts, until it ends", async () => {
    await using auth = await McpAuthFetch.make(options)
    let close = () => {}
    const handle = auth.protect((request) => {
      if (request.method !== "GET") return new Response(null, { status: 202 })
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          for (const part of ["event: endpoint\nda", "ta: /messages?session_id=s1\n\n"]) {
            controller.enqueue(new TextEncoder().encode(part))
          }
          close = () => controller.close()
        }
      })
      return new Response(body, { headers: { "content-type": "text/event-stream" } })
    })
    const tokens = { alice: await tokenOf("alice"), bob: await tokenOf("bob") }
    const status = async (subject: "alice" | "bob") => {
      const { body, headers, method } = new Request("https://server.test/messages", {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${tokens[subject]}` },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
      })
      const text = await new Response(body).text()
      const request = new Request("https://server.test/messages?session_id=s1", { method, headers, body: text })
      return (await handle(request)).status
    }
    assert.strictEqual(await status("alice"), 404)
    const stream = await handle(
      new Request("https://server.test/sse", { headers: { authorization: `Bearer ${tokens.alice}` } })
    )
    const reader = stream.body!.getReader()
    await reader.read()
    await reader.read()
    assert.deepStrictEqual([await status("alice"), await status("bob")], [202, 404])
    close()
    assert.isTrue((await reader.read()).done)
    assert.strictEqual(await status("alice"), 404)
  })
})

describe("A call that is rejected over the transport of 2024-11-05", () => {
  const policy = Policy.role("admin")
  const inResults = { ...options, roles: [["roles"]], authChallenge: "tool-result", structuredDenials: true } as const
  const onNode = async (): Promise<Gate> => {
    const auth = await McpAuthNode.make(inResults)
    return {
      protect: () => auth.protect({ policy: ({ kind }) => kind === "tool" ? policy : undefined }),
      [Symbol.asyncDispose]: auth.dispose
    }
  }
  const onSdk = async (): Promise<Gate> => {
    const auth = await McpAuthSdk.make(inResults)
    const server = new McpServer({ name: "test", version: "1.0.0" })
    auth.registerTool(server, "whoami", { policy }, () => ({ content: [] }))
    return { protect: () => auth.protect(server), [Symbol.asyncDispose]: auth.dispose }
  }

  it.each([["node:http", onNode], ["SDK v1", onSdk]] as const)(
    "[T-LAZY-02] [T-DENY-02] keeps its status, because the client ignores the body of a response: %s",
    async (_, gate) => {
      await using auth = await gate()
      const ran: Array<string> = []
      await using server = await listen(bare(auth.protect(), makeHandler(ran)))
      await using connected = await connect(server.url, await tokenOf("alice"))
      const failure: unknown = await connected.client.callTool({ name: "whoami", arguments: {} }).catch((error) =>
        error
      )
      assert.include(String(failure), "HTTP 403")
      assert.strictEqual((await call(connected.messages(), undefined)).status, 401)
      assert.lengthOf(ran, 0)
    }
  )

  it("[T-LAZY-02] keeps its status on fetch hosts", async () => {
    await using auth = await McpAuthFetch.make(inResults)
    const handle = auth.protect(() => new Response(null, { status: 202 }))
    const body = JSON.stringify({
      jsonrpc: "2.0",
      id: 9,
      method: "tools/call",
      params: { name: "whoami", arguments: {} }
    })
    const headers = { "content-type": "application/json" }
    const statusAt = async (url: string) => (await handle(new Request(url, { method: "POST", headers, body }))).status
    assert.strictEqual(await statusAt("https://server.test/messages?session_id=s1"), 401)
    assert.strictEqual(await statusAt("https://server.test/mcp"), 200)
  })
})
