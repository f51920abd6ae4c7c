/** The clients of both official SDKs and of Effect sign in as machines, at an MCP server that this library protects. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect, Layer, Redacted } from "effect"
import { ClientError, DpopKeys, Grant, McpAuthClient } from "effect-mcp-auth/client"
import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpClient, McpProtocol } from "effect/ai"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { decodeJwt } from "jose"
import { makeNotes } from "../../examples/hosts/NotesV2.ts"
import { servers } from "./world.ts"

const resource = "https://notes.test/mcp"

/** Starts the servers. `scopes` are the scopes of each token request. */
const start = async () => {
  const { issuer } = await Effect.runPromise(TestIssuer.make({ resource }))
  const toIssuer = await Effect.runPromise(issuer.fetch)
  const notes = await makeNotes({ resource, authorizationServers: [issuer.issuer], fetch: toIssuer })
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    if (new URL(request.url).origin !== "https://notes.test") return toIssuer(request)
    return await notes.metadata(request) ?? await notes.mcp(request)
  }
  const grantWith = (secret: string) =>
    Grant.clientCredentials({
      issuer: issuer.issuer,
      clientId: issuer.client.clientId,
      clientSecret: Redacted.make(secret)
    })
  const scopes = async () => {
    const requests = await Effect.runPromise(issuer.takeRequests)
    return requests.filter(({ url }) => url === issuer.tokenEndpoint).map(({ body }) =>
      new URLSearchParams(body).get("scope")
    )
  }
  return { fetch, grant: grantWith(issuer.client.clientSecret), grantWith, scopes, clientId: issuer.client.clientId }
}

type World = Awaited<ReturnType<typeof start>>

const clients = {
  "SDK v1": async (fetch: typeof globalThis.fetch) => {
    const client = new ClientV1({ name: "report", version: "1.0.0" })
    await client.connect(new TransportV1(new URL(resource), { fetch }) as never)
    return client
  },
  "SDK v2": async (fetch: typeof globalThis.fetch) => {
    const client = new ClientV2({ name: "report", version: "1.0.0" })
    await client.connect(new TransportV2(new URL(resource), { fetch }))
    return client
  }
}

let world: World
beforeAll(async () => {
  world = await start()
})

describe.each(["SDK v1", "SDK v2"] as const)("the client of %s", (sdk) => {
  it("signs in, lists tools, calls one, and obtains another scope for another tool", async () => {
    await world.scopes()
    const auth = await McpAuthClient.make({ resource, grant: world.grant, fetch: world.fetch })
    const client = await clients[sdk](auth.fetch)
    const { tools } = await client.listTools()
    assert.deepStrictEqual(tools.map(({ name }) => name), ["list_notes", "add_note"])
    for (const [name, text] of [["list_notes", "The notes of"], ["add_note", "A note of"]] as const) {
      const { content } = await client.callTool({ name, arguments: {} })
      assert.deepStrictEqual(content, [{ type: "text", text: `${text} ${world.clientId}` }])
    }
    assert.deepStrictEqual(await world.scopes(), ["notes:read", "notes:read notes:write"])
    await client.close()
    await auth.dispose()
  })

  it("rejects with the error of this library if the authorization server rejects the client", async () => {
    const auth = await McpAuthClient.make({ resource, grant: world.grantWith("wrong"), fetch: world.fetch })
    const error = await clients[sdk](auth.fetch).then(() => undefined, (thrown: unknown) => thrown)
    assert.instanceOf(error, ClientError.AuthorizationDenied)
    assert.strictEqual(error.code, "invalid_client")
    await auth.dispose()
  })
})

describe("the client of SDK v2 with the mode auto", () => {
  it("wraps the error of this library, which ClientError.find returns", async () => {
    const auth = await McpAuthClient.make({ resource, grant: world.grantWith("wrong"), fetch: world.fetch })
    const client = new ClientV2({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
    const transport = new TransportV2(new URL(resource), { fetch: auth.fetch })
    const error = await client.connect(transport).then(() => undefined, (thrown: unknown) => thrown)
    assert.notInstanceOf(error, ClientError.AuthorizationDenied)
    const found = ClientError.find(error)
    assert.instanceOf(found, ClientError.AuthorizationDenied)
    assert.strictEqual(found.code, "invalid_client")
    await auth.dispose()
  })

  it("finds nothing in an error of another library, and in values that are no errors", () => {
    for (const value of [new Error("other", { cause: "text" }), undefined, null, "Unavailable", { _tag: "Other" }]) {
      assert.isUndefined(ClientError.find(value))
    }
    const circular: { cause?: unknown } = {}
    circular.cause = circular
    assert.isUndefined(ClientError.find(circular))
  })
})

describe("the client of Effect", () => {
  const over = (fetch: typeof globalThis.fetch) =>
    // oxlint-disable-next-line no-restricted-properties -- this client reaches only TestIssuer and a server of this library
    HttpClient.make((request) =>
      Effect.map(
        Effect.flatMap(Effect.orDie(HttpClientRequest.toWeb(request)), (web) => Effect.promise(() => fetch(web))),
        (response) => HttpClientResponse.fromWeb(request, response)
      )
    )

  const layerOf = (grant: Grant.Grant) =>
    McpClient.layerHttp({ name: "report", version: "1.0.0", protocol: McpProtocol.v2026_07_28, url: resource }).pipe(
      Layer.provide(AuthorizedHttpClient.layer({ resource, grant })),
      Layer.provide(Layer.succeed(HttpClient.HttpClient, over(world.fetch)))
    )

  it.effect("signs in, calls a tool, and obtains another scope for another tool", () =>
    Effect.gen(function*() {
      yield* Effect.promise(world.scopes)
      yield* Effect.gen(function*() {
        const client = yield* McpClient.McpClient
        const texts = []
        for (const tool of yield* client.listTools()) {
          const { content } = yield* client.callTool({ tool, arguments: {} })
          texts.push(content[0]?.type === "text" ? content[0].text : content)
        }
        assert.deepStrictEqual(texts, [`The notes of ${world.clientId}`, `A note of ${world.clientId}`])
      }).pipe(Effect.provide(layerOf(world.grant)))
      assert.deepStrictEqual(yield* Effect.promise(world.scopes), ["notes:read", "notes:read notes:write"])
    }))

  it.effect("sends a proof of its key with each request if the option dpop is set", () =>
    Effect.gen(function*() {
      const todos = yield* servers
      const call = HttpClient.get(`${todos.issuer.resource}?page=1`).pipe(
        Effect.provide(
          AuthorizedHttpClient.layer({ resource: todos.issuer.resource, grant: todos.grant, dpop: DpopKeys.make() })
        ),
        Effect.provideService(HttpClient.HttpClient, over(todos.fetch))
      )
      assert.strictEqual((yield* call).status, 200)
      const { authorization, headers } = todos.received.at(-1)!
      assert.match(authorization!, /^DPoP /)
      const { htm, htu } = decodeJwt(headers.get("dpop")!)
      assert.deepStrictEqual([htm, htu], ["GET", todos.issuer.resource])
    }))

  it.live("reads no more than a chunk of a rejection that never ends", () =>
    Effect.gen(function*() {
      let chunks = 0
      let isCancelled = false
      const endless = () =>
        new ReadableStream<Uint8Array>({
          pull: (controller) => {
            chunks++
            controller.enqueue(new Uint8Array(65_536))
          },
          cancel: () => {
            isCancelled = true
          }
        })
      const client = over(async (input, init) => {
        const response = await world.fetch(input, init)
        return response.status === 401
          ? new Response(endless(), { status: 401, headers: response.headers })
          : response
      })
      const listed = Effect.flatMap(McpClient.McpClient, (mcp) => mcp.listTools())
      const tools = yield* listed.pipe(Effect.provide(
        McpClient.layerHttp({ name: "report", version: "1.0.0", protocol: McpProtocol.v2026_07_28, url: resource })
          .pipe(
            Layer.provide(AuthorizedHttpClient.layer({ resource, grant: world.grant })),
            Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
          )
      ))
      assert.lengthOf(tools, 2)
      assert.isTrue(isCancelled)
      assert.isBelow(chunks, 10)
    }))

  it.effect("fails with a cause that contains the error of this library", () =>
    Effect.gen(function*() {
      const call = Effect.gen(function*() {
        const client = yield* McpClient.McpClient
        return yield* client.listTools()
      }).pipe(Effect.provide(layerOf(world.grantWith("wrong"))))
      const error = AuthorizedHttpClient.clientError(yield* Effect.flip(call))
      assert.strictEqual(error?._tag, "AuthorizationDenied")
    }))
})

describe("the options", () => {
  const grant = () => world.grant
  const rejected: ReadonlyArray<readonly [string, () => unknown]> = [
    ["options", () => undefined],
    ["resource", () => ({ grant: grant() })],
    ["resource", () => ({ resource: "http://notes.test/mcp", grant: grant() })],
    ["resource", () => ({ resource: "notes", grant: grant() })],
    ["grant", () => ({ resource })],
    ["grant", () => ({ resource, grant: "client_credentials" })],
    ["scope", () => ({ resource, grant: grant(), scope: ["a"] })],
    ["scopes", () => ({ resource, grant: grant(), scopes: ["a b"] })],
    ["fetch", () => ({ resource, grant: grant(), fetch: "fetch" })]
  ]
  it.each(rejected)("reject a wrong %s with an error that names it", async (option, options) => {
    const error = await McpAuthClient.make(options() as never).then(() => undefined, (thrown: unknown) => thrown)
    assert.strictEqual((error as { readonly _tag?: string })._tag, "AuthConfigError")
    assert.strictEqual((error as { readonly option?: string }).option, option)
  })

  it.each([undefined, {}, { issuer: "x", clientId: "a", clientSecret: Redacted.make("s") }, { issuer: 1 }])(
    "reject the credentials %j",
    (credentials) => {
      assert.throws(() => Grant.clientCredentials(credentials as never), /grant/)
    }
  )

  it("reject credentials without a secret or key before the first request", async () => {
    const grant = Grant.clientCredentials({ issuer: "https://auth.test", clientId: "a" } as never)
    const error = await McpAuthClient.make({ resource, grant }).then(() => undefined, (thrown: unknown) => thrown)
    assert.strictEqual((error as { readonly option?: string }).option, "grant.clientSecret")
  })
})

describe("the fetch of a client", () => {
  it("leaves requests with other credentials and requests to other servers as they are", async () => {
    const sent: Array<Request> = []
    const auth = await McpAuthClient.make({
      resource,
      grant: world.grant,
      fetch: async (input, init) => {
        sent.push(new Request(input, init))
        return new Response(null, { status: 401 })
      }
    })
    assert.strictEqual((await auth.fetch(resource, { headers: { authorization: "Basic eDp5" } })).status, 401)
    assert.strictEqual((await auth.fetch(new Request("https://other.test/"))).status, 401)
    assert.deepStrictEqual(sent.map(({ headers }) => headers.get("authorization")), ["Basic eDp5", null])
    await auth.dispose()
  })

  it("rejects with the reason of an aborted signal, and with the error of the platform if the connection fails", async () => {
    const failure = new TypeError("fetch failed")
    const auth = await McpAuthClient.make({
      resource,
      grant: world.grant,
      fetch: (input, init) => {
        const { signal, url } = new Request(input, init)
        if (url.endsWith("/fails")) return Promise.reject(failure)
        return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
      }
    })
    const abort = new AbortController()
    const waiting = auth.fetch(resource, { signal: abort.signal }).then(() => undefined, (thrown: unknown) => thrown)
    const reason = new Error("enough")
    abort.abort(reason)
    assert.strictEqual(await waiting, reason)
    assert.strictEqual(
      await auth.fetch(`${resource}/fails`).then(() => undefined, (thrown: unknown) => thrown),
      failure
    )
    await auth.dispose()
  })

  it("sends the body of a Request that is a stream once, and returns the 401", async () => {
    const auth = await McpAuthClient.make({ resource, grant: world.grant, fetch: world.fetch })
    const request = () =>
      new Request(resource, {
        method: "POST",
        headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
      })
    assert.strictEqual((await auth.fetch(request())).status, 401)
    assert.notStrictEqual((await auth.fetch(request())).status, 401)
    await auth.dispose()
  })
})
