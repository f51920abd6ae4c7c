import { assert, describe, it } from "@effect/vitest"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import * as V2 from "@modelcontextprotocol/server"
import { Logger } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestClient, TestIssuer } from "effect-mcp-auth/testing"
import mocks from "node-mocks-http"
import { callTool, modern } from "./rpc.ts"

/* Tests that mistakes in the setup of a server are errors, or are logged. */

const resource = "https://a.example/mcp"
const info = { name: "test", version: "1.0.0" }
const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })

const post = (body: object, headers: Readonly<Record<string, string>> = {}) =>
  new Request(resource, {
    method: "POST",
    headers: { accept: "application/json, text/event-stream", "content-type": "application/json", ...headers },
    body: JSON.stringify(body)
  })

const collect = () => {
  const lines: Array<{ readonly level: string; readonly message: string }> = []
  const logger = Logger.map(Logger.formatJson, (line) => void lines.push(JSON.parse(line)))
  return { lines, layer: Logger.layer([logger]) }
}

/** Serves a request with a server, through the transport of SDK v1. */
const answer = (makeServer: () => McpServer) => async (request: Request, options: object) => {
  const server = makeServer()
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
  await server.connect(transport as Parameters<typeof server.connect>[0])
  return transport.handleRequest(request, options)
}

const mock = (layer: ReturnType<typeof collect>["layer"]) =>
  McpAuthSdk.mock({ resource, subject: "alice", scopes: ["read", "write"], granted: ["read"], layer })

const makeServer = (auth: Awaited<ReturnType<typeof mock>>) => () => {
  const server = new McpServer(info)
  auth.registerTool(server, "write", { scopes: ["write"] }, () => text("written"))
  return server
}

describe("protectFetch", () => {
  it("reads the policies of the servers that a factory makes", async () => {
    const { layer } = collect()
    await using auth = await mock(layer)
    const handle = auth.protectFetch(makeServer(auth), answer(makeServer(auth)))
    const response = await handle(post(callTool("write")))
    assert.strictEqual(response.status, 403)
    assert.include(response.headers.get("www-authenticate"), "scope=\"write read\"")
  })

  it(
    "given another server than the one that answers leads to one log line that names the mistake, and to 403",
    async () => {
      const { layer, lines } = collect()
      await using auth = await mock(layer)
      const other = () => {
        const server = new McpServer(info)
        auth.registerTool(server, "write", {}, () => text("never"))
        return server
      }
      const handle = auth.protectFetch(other, answer(makeServer(auth)))
      for (let i = 0; i < 2; i++) {
        assert.strictEqual((await handle(post(callTool("write")))).status, 403)
      }
      const errors = lines.filter(({ level }) => level === "ERROR")
      assert.strictEqual(errors.length, 1)
      assert.include(JSON.stringify(errors), "tool write was rejected by its own check of scopes")
    }
  )
})

describe("protect", () => {
  it("[T-AUD-41] fails for options in place of the server, which would require no scope", async () => {
    const { layer } = collect()
    await using v1 = await mock(layer)
    await using v2 = await SdkV2.mock({ resource, subject: "alice", scopes: ["read"], layer })
    const calls: ReadonlyArray<(wrong: never) => unknown> = [
      (wrong) => v1.protect(wrong),
      (wrong) => v1.protectFetch(wrong, () => new Response()),
      (wrong) => v2.protectFetch(wrong, () => new Response())
    ]
    for (const call of calls) {
      for (const wrong of [{ maximumBody: 4 }, { server: makeServer(v1)() }, {}, null, "server"]) {
        assert.throws(
          () => call(wrong as never),
          /the first argument: .* is not an McpServer\. Give the McpServer, or a function/
        )
      }
    }
  })

  it("answers 500 if it is called without next, and the log names the missing argument", async () => {
    const { layer, lines } = collect()
    await using auth = await mock(layer)
    const guard = auth.protect(makeServer(auth)) as (...args: ReadonlyArray<unknown>) => Promise<void>
    const res = mocks.createResponse()
    await guard(mocks.createRequest({ method: "GET", url: "/mcp", headers: { host: "a.example" } }), res)
    assert.strictEqual(res.statusCode, 500)
    assert.include(JSON.stringify(lines), "expected a function as the third argument of the middleware")
  })
})

describe("The second argument of a protected fetch handler", () => {
  /** A class whose instances have a member of the options, as a value of a platform may have. */
  class Platform {
    readonly parsedBody = callTool("read")
  }

  const handlers = async (layer: ReturnType<typeof collect>["layer"]) => {
    const v1 = await mock(layer)
    const v2 = await SdkV2.mock({ resource, subject: "alice", scopes: ["read", "write"], granted: ["read"], layer })
    const handler = v2.createMcpHandler(() => {
      const server = new V2.McpServer(info)
      v2.registerTool(server, "write", { scopes: ["write"] }, () => text("written"))
      v2.registerTool(server, "read", { scopes: ["read"] }, () => text("read"))
      return server
    })
    const makeBoth = () => {
      const server = makeServer(v1)()
      v1.registerTool(server, "read", { scopes: ["read"] }, () => text("read"))
      return server
    }
    return {
      handlers: [v1.protectFetch(makeBoth(), answer(makeBoth)), handler.fetch] as ReadonlyArray<
        (...args: ReadonlyArray<unknown>) => Promise<Response>
      >,
      dispose: () => Promise.all([v1.dispose(), v2.dispose()])
    }
  }

  it("is not read as options if it is a value of the platform", async () => {
    const { dispose, handlers: all } = await handlers(collect().layer)
    const { body, headers } = modern(callTool("write"))
    for (const handle of all) {
      const parsedBody = modern(callTool("read")).body
      const values: ReadonlyArray<ReadonlyArray<unknown>> = [
        // The environment and the context of a Worker.
        [{ parsedBody, tenant: "acme" }, {}],
        [{ parsedBody, tenant: "acme" }, undefined],
        // The environment alone, with a variable whose name is not that of an option.
        [{ parsedBody, KEY: "value" }],
        [new Platform()],
        [() => Promise.resolve()],
        ["parsedBody"],
        [null]
      ]
      for (const value of values) {
        assert.strictEqual((await handle(post(body, headers), ...value)).status, 403, JSON.stringify(value))
      }
    }
    await dispose()
  })

  it("is read as options if it is a plain object that has only the members of options", async () => {
    const { dispose, handlers: [first, second] } = await handlers(collect().layer)
    const messages = [{ body: callTool("read"), headers: {} }, modern(callTool("read"))] as const
    for (const [index, handle] of [first!, second!].entries()) {
      const { body, headers } = messages[index]!
      const request = post(body, headers)
      const parsedBody = await request.json()
      assert.strictEqual((await handle(request, { parsedBody, authInfo: undefined })).status, 200)
    }
    await dispose()
  })
})

describe("A server without its gate", () => {
  it("logs an error that names what is missing in front of the transport", async () => {
    const { layer, lines } = collect()
    await using auth = await mock(layer)
    const body = await (await answer(makeServer(auth))(post(callTool("write")), {})).text()
    assert.include(body, "Authentication required")
    assert.include(JSON.stringify(lines), "tool write was called without a caller of its gate")
  })

  it("logs nothing if a local caller lacks a scope", async () => {
    const { layer, lines } = collect()
    await using auth = await SdkV2.mock({ resource, scopes: ["read", "write"], layer })
    const server = new V2.McpServer(info)
    auth.registerTool(server, "write", { scopes: ["write"] }, () => text("written"))
    const [near, far] = V2.InMemoryTransport.createLinkedPair()
    const answers: Array<string> = []
    Object.assign(near, { onmessage: (message: unknown) => void answers.push(JSON.stringify(message)) })
    await auth.local({ subject: "alice", scopes: ["read"] })(server).connect(far)
    await near.send({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "write", arguments: {} } })
    while (answers.length === 0) await new Promise((resolve) => setImmediate(resolve))
    assert.include(answers[0], "Insufficient scope")
    assert.deepStrictEqual(lines, [])
  })
})

describe("Two gates on one server", () => {
  it("fail when the second one registers a tool, or protects the server", async () => {
    const { layer } = collect()
    await using first = await mock(layer)
    await using second = await mock(layer)
    const server = makeServer(first)()
    assert.throws(() => second.registerTool(server, "read", {}, () => text("")), /another gate already protects/)
    assert.throws(() => second.protect(server), /another gate already protects/)
    assert.throws(() => second.protectFetch(server, () => new Response()), /another gate already protects/)
    assert.throws(() => second.local({ subject: "alice", scopes: [] })(server), /another gate already protects/)
    first.protect(server)
  })

  it("are answered with 500 if a function returns a server of another gate", async () => {
    const { layer } = collect()
    await using first = await mock(layer)
    await using second = await mock(layer)
    const handle = second.protectFetch(makeServer(first), () => new Response("never"))
    assert.strictEqual((await handle(post(callTool("write")))).status, 500)
  })
})

describe("A function that returns the server of a request", () => {
  const send = async (returned: (auth: Awaited<ReturnType<typeof mock>>) => unknown) => {
    const { layer, lines } = collect()
    await using auth = await mock(layer)
    const handle = auth.protectFetch(
      (() => returned(auth)) as () => McpServer,
      async (request, options) => answer(() => auth.serverFor(request) as never)(request, options)
    )
    const { status } = await handle(post(callTool("write")))
    return { status, log: JSON.stringify(lines) }
  }

  it("is reported if it returns no McpServer", async () => {
    for (const [value, described] of [[null, "null"], [1, "1"], [{}, "an object"], [{ maximumBody: 1 }, "an object"]]) {
      const { log, status } = await send(() => value)
      assert.strictEqual(status, 500)
      assert.include(log, `returned ${described}; expected an McpServer`)
    }
  })

  it("is reported if it returns the member server of an McpServer, which has no registrations", async () => {
    const { log, status } = await send((auth) => makeServer(auth)().server)
    assert.strictEqual(status, 500)
    assert.include(log, "Give the McpServer itself")
    await using auth = await mock(collect().layer)
    assert.throws(
      () => auth.protectFetch(makeServer(auth)().server as never, () => new Response()),
      /Give the McpServer itself/
    )
  })

  it("may return a promise of another library", async () => {
    const { status } = await send((auth) => {
      const promise = Promise.resolve(makeServer(auth)())
      return { then: promise.then.bind(promise) }
    })
    assert.strictEqual(status, 403)
  })
})

describe("Scopes that depend on the arguments", () => {
  it("are reported if the function returns no list, and a promise that fails ends no process", async () => {
    for (const scopes of [async () => assert.fail("late"), () => "write", () => undefined, () => new Set(["write"])]) {
      const { layer, lines } = collect()
      await using auth = await mock(layer)
      const server = new McpServer(info)
      auth.registerTool(server, "write", { scopes: scopes as never }, () => text("never"))
      const { status } = await auth.protectFetch(server, () => new Response("ran"))(post(callTool("write")))
      assert.strictEqual(status, 500)
      assert.include(JSON.stringify(lines), "the function of tools/call write returned ")
    }
  })
})

describe("With anonymous: \"allow-unscoped\"", () => {
  it("the log names public tools once, and a tool of the SDK itself that rejects an anonymous request", async () => {
    const { layer, lines } = collect()
    await using auth = await SdkV2.make({
      resource,
      authorizationServers: ["https://as.example"],
      scopes: ["read"],
      anonymous: "allow-unscoped",
      layer
    })
    const handler = auth.createMcpHandler(() => {
      const server = new V2.McpServer(info)
      auth.registerTool(server, "public", {}, () => text("public"))
      auth.registerTool(server, "read", { scopes: ["read"] }, () => text("read"))
      server.registerTool("stock", {}, () => text("stock"))
      return server
    })
    const call = async (name: string) => {
      const { body, headers } = modern(callTool(name))
      return (await handler.fetch(post(body, headers))).status
    }
    assert.deepStrictEqual([await call("public"), await call("stock"), await call("stock")], [200, 401, 401])
    const messages = lines.map(({ message }) => message).filter((message) => /public/.test(message))
    assert.deepStrictEqual(messages, [
      "tool public is public: it requires no scopes, and anonymous requests are allowed",
      "tool stock was registered with the SDK itself, so an anonymous request for it is rejected with 401. To make it " +
      "public, register it with this gate and without scopes"
    ])
  })
})

describe("A tool of the SDK itself that a caller uses", () => {
  it.each(["allow", "deny"] as const)(
    "is named by a warning once, unless it is rejected (unlisted: %s)",
    async (unlisted) => {
      const { layer, lines } = collect()
      const issuer = await TestIssuer.start({ resource })
      await using auth = await SdkV2.make({
        resource,
        authorizationServers: [issuer.issuer],
        scopes: ["read"],
        unlisted,
        fetch: issuer.fetch,
        layer
      })
      const handler = auth.createMcpHandler(() => {
        const server = new V2.McpServer(info)
        // A program in JavaScript can write options that the SDK ignores.
        server.registerTool("purge", { policy: Policy.role("admin") } as never, () => text("purged"))
        return server
      })
      const client = TestClient.start({ issuer, handler: (request) => handler.fetch(request) }).as({ subject: "alice" })
      const statuses = [(await client.callTool("purge")).status, (await client.callTool("purge")).status]
      const warnings = lines.map(({ message }) => String(message)).filter((message) => message.startsWith("tool purge"))
      assert.deepStrictEqual(
        [statuses, warnings],
        unlisted === "deny" ? [[403, 403], []] : [[200, 200], [
          "tool purge was registered with the SDK itself, so any valid token can use it, also if its options contain scopes or a " +
          "policy. Register it with this gate, or reject such operations with unlisted: \"deny\""
        ]]
      )
    }
  )
})
