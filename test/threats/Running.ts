/**
 * A protected MCP server on a real socket, with an issuer in memory, and functions that send it requests or raw bytes.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import type { Context } from "effect"
import { Effect, Exit, Layer, Logger, References, Schema, Scope } from "effect"
import { type AuthLayer, Decision, Policy, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, McpSchema, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter, HttpServer } from "effect/http"
import { TestClock } from "effect/testing"
import { base64url } from "jose"
import { createServer, request as nodeRequest } from "node:http"
import { type AddressInfo, connect, type Socket } from "node:net"
import { authLayer } from "../servers/gates.ts"

/** The time at which every test begins, in seconds since 1970. */
export const now = 1_800_000_000

const Caller = Schema.Struct({
  owner: Schema.String,
  key: Schema.String,
  scopes: Schema.Array(Schema.String)
})
const caller = Effect.map(Principal, ({ key, owner, scopes }) => ({ owner, key, scopes: [...scopes] }))

const WhoAmI = Tool.make("whoami", { success: Caller, dependencies: [Principal] })
const ListTodos = requireScopes("todos:read")(Tool.make("list_todos", { success: Caller }))
const AddTodo = requireScopes("todos:read", "todos:write")(
  Tool.make("add_todo", { parameters: Schema.Struct({ title: Schema.String }), success: Schema.String })
)
const Purge = requireScopes("admin")(
  Tool.make("purge", { success: Schema.String }).annotate(Policy.Unauthorized, "hide")
)
const Tools = Toolkit.make(WhoAmI, ListTodos, AddTodo, Purge)

const ToolsLive = Tools.toLayer({
  whoami: () => caller,
  list_todos: () => caller,
  add_todo: ({ title }) => Effect.succeed(title),
  purge: () => Effect.succeed("purged")
})

const registrations = Layer.mergeAll(
  McpAuth.toolkit(Tools).pipe(Layer.provide(ToolsLive)),
  McpAuth.resource`todo://${McpSchema.param("id", Schema.String)}`({
    name: "todo",
    scopes: ["todos:read"],
    content: (_uri, id) => Effect.succeed(`todo ${id}`)
  }),
  McpAuth.prompt({
    name: "secret_prompt",
    scopes: ["admin"],
    unauthorized: "hide",
    content: () => Effect.succeed("secret")
  })
)

export const scopes = { baseline: ["todos:read"], stepUp: ["todos:write", "admin"] } as const

/** A response with its complete body. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
  /** The values of the `WWW-Authenticate` headers, one for each header. */
  readonly challenges: ReadonlyArray<string>
}

export interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly body?: string | Uint8Array
}

export interface Options extends TestIssuer.Options {
  readonly auth?: Partial<Omit<AuthLayer.Common<typeof scopes>, "scopes">>
  /** Returns the HTTP client that the server uses instead of the issuer's. */
  readonly client?: (own: HttpClient.HttpClient) => HttpClient.HttpClient
  /** The option `authorizationServers` of the server. Default: the issuer. */
  readonly authorizationServers?: AuthLayer.Options<typeof scopes>["authorizationServers"]
  /** Services for the gate and the routes. They take precedence over the services that `start` provides. */
  readonly provide?: Layer.Layer<never>
}

/** The `Authorization` header with a Bearer token. */
export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Waits for real time, so that work on sockets and promises continues while the test clock stands still. */
export const breathe = (millis = 5): Effect.Effect<void> =>
  Effect.promise(() => new Promise((resolve) => setTimeout(resolve, millis)))

/** Waits in real time until the condition holds. Fails after 30 seconds. */
export const until = Effect.fnUntraced(function*(what: string, is: () => boolean) {
  for (let i = 0; i < 3_000; i++) {
    if (is()) return
    yield* breathe(10)
  }
  assert.fail(`never came: ${what}`)
})

/** Starts the server. It runs until the scope closes. */
export const start = Effect.fnUntraced(function*(options: Options = {}) {
  yield* TestClock.setTime(now * 1000)
  const { auth, client: changed, provide = Layer.empty, authorizationServers, ...issuerOptions } = options
  const node = createServer({ maxHeaderSize: 64 * 1024 })
  const sockets = new Set<Socket>()
  node.on("connection", (socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  let bytesOfBodies = 0
  node.on("request", (request) => {
    const { push } = request
    request.push = (chunk, encoding) => {
      bytesOfBodies += chunk?.length ?? 0
      return push.call(request, chunk, encoding)
    }
  })
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer(() => {
    for (const socket of sockets) socket.destroy()
    return Scope.close(scope, Exit.void)
  })
  const build = <A, E>(layer: Layer.Layer<A, E>) => Scope.provide(Layer.build(layer), scope)

  // `NodeHttpServer.layer` also provides a terminal, which adds a listener to standard input. A test with many servers would
  // add too many listeners, so `start` does not use that layer.
  const listening = yield* build(
    Layer.merge(NodeHttpServer.layerServer(() => node, { host: "127.0.0.1", port: 0 }), HttpServer.layerServices)
  )
  const port = (node.address() as AddressInfo).port
  const origin = `http://127.0.0.1:${port}`
  const resource = `${origin}/mcp`
  const { client, issuer } = yield* TestIssuer.make({ ...issuerOptions, resource: issuerOptions.resource ?? resource })

  const lines: Array<string> = []
  const logger = Logger.map(Logger.formatJson, (line) => void lines.push(line))
  const decisions: Array<Decision.Decision> = []
  const app = McpAuth.layerHttp({
    name: "todos",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_06_18, McpProtocol.v2025_03_26],
    registrations
  }).pipe(
    Layer.provide(authLayer({
      resource,
      authorizationServers: authorizationServers ?? [issuer.issuer],
      scopes,
      ...auth
    })),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, changed?.(client) ?? client)),
    Layer.provide(provide),
    Layer.provide(Layer.mergeAll(
      Logger.layer([logger]),
      Layer.succeed(References.MinimumLogLevel, "All"),
      Layer.succeed(Decision.DecisionListener, (decision) => Effect.sync(() => void decisions.push(decision)))
    ))
  )
  yield* build(
    HttpRouter.serve(app, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provide(Layer.succeedContext(listening as Context.Context<any>)),
      Layer.provideMerge(Logger.layer([logger])),
      Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "All"))
    )
  )

  const send = (sent: Sent): Effect.Effect<Answer> =>
    Effect.callback<Answer>((resume) => {
      const { body, headers, method = "POST", path = "/mcp" } = sent
      const request = nodeRequest({
        host: "127.0.0.1",
        port,
        method,
        path,
        agent: false,
        headers: {
          ...headers as Record<string, string>,
          ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) })
        }
      }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("error", (error) => resume(Effect.die(error)))
        response.on("end", () =>
          resume(Effect.succeed({
            status: response.statusCode!,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
            challenges: linesOf(response.rawHeaders, "www-authenticate")
          })))
      })
      request.on("error", (error) => resume(Effect.die(error)))
      request.end(body)
      return Effect.sync(() => request.destroy())
    })

  /** Sends one JSON-RPC message of MCP 2026-07-28, which needs no session. */
  const message = (
    method: string,
    params: Readonly<Record<string, unknown>> = {},
    headers: Readonly<Record<string, string | ReadonlyArray<string>>> = {}
  ) =>
    send({
      headers: { ...messageHeaders(method, params["name"] ?? params["uri"]), ...headers },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method,
        params: { ...params, _meta: { ...meta, ...(params["_meta"] as object) } }
      })
    })
  const call = (
    name: string,
    headers: Readonly<Record<string, string | ReadonlyArray<string>>>,
    args: object = {}
  ) => message("tools/call", { name, arguments: args }, headers)

  /** Sends bytes on a new socket. Returns the bytes received until the socket closes or `enough` returns true. */
  const raw = (text: string | Uint8Array, enough: (received: string) => boolean = () => false): Effect.Effect<string> =>
    Effect.callback<string>((resume) => {
      const socket = connect(port, "127.0.0.1")
      let received = ""
      const end = () => {
        socket.destroy()
        resume(Effect.succeed(received))
      }
      socket.setEncoding("latin1").on("data", (chunk) => {
        received += chunk
        if (enough(received)) end()
      })
      socket.on("close", end).on("error", end)
      socket.write(text)
      return Effect.sync(() => socket.destroy())
    })

  return {
    origin,
    resource,
    port,
    issuer,
    send,
    message,
    call,
    raw,
    decisions,
    logs: () => lines.join("\n"),
    sockets: () => sockets.size,
    bytesOfBodies: () => bytesOfBodies,
    metadataUrl: `${origin}/.well-known/oauth-protected-resource/mcp`
  }
})

/** The server that `start` creates. */
export type Running = Effect.Success<ReturnType<typeof start>>

const meta = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1.0.0" }
}

export const messageHeaders = (method: string, name?: unknown): Record<string, string> => ({
  accept: "application/json, text/event-stream",
  "content-type": "application/json",
  "mcp-protocol-version": "2026-07-28",
  "mcp-method": method,
  ...(typeof name === "string" ? { "mcp-name": nameHeader(name) } : {})
})

// Some names cannot be the value of a header. MCP 2026-07-28 encodes those names in base64.
const nameHeader = (name: string) =>
  /^[\x21-\x7e]+$/.test(name) ? name : `=?base64?${Buffer.from(name).toString("base64")}?=`

const linesOf = (rawHeaders: ReadonlyArray<string>, name: string): ReadonlyArray<string> =>
  rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === name)

/** Returns the parameters of the challenge. Asserts that there is exactly one challenge, and checks its length and grammar. */
export const challengeOf = (answer: Answer): Readonly<Record<string, string>> => {
  assert.strictEqual(answer.challenges.length, 1)
  const [challenge] = answer.challenges as [string]
  assert.isBelow(challenge.length, 4096)
  assert.match(
    challenge,
    /^Bearer [a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*"(?:, [a-z_]+="[\x20\x21\x23-\x5b\x5d-\x7e]*")*$/
  )
  return Object.fromEntries([...challenge.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]))
}

/** Asserts a 401 with the code `invalid_token`, which does not reveal the reason. */
export const assertInvalidToken = (server: Running, answer: Answer): void => {
  assert.strictEqual(answer.status, 401)
  assert.deepStrictEqual(challengeOf(answer), {
    error: "invalid_token",
    scope: "todos:read",
    resource_metadata: server.metadataUrl,
    error_description: "The access token is expired, revoked, malformed or not issued for this server"
  })
  assert.deepStrictEqual(JSON.parse(answer.body), {
    error: "invalid_token",
    error_description: "The access token is expired, revoked, malformed or not issued for this server"
  })
}

/** Asserts a 503 without a challenge, so that the client keeps its token. */
export const assertUnavailable = (answer: Answer): void => {
  assert.strictEqual(answer.status, 503)
  assert.deepStrictEqual(answer.challenges, [])
  assert.match(String(answer.headers["retry-after"]), /^[1-9]\d*$/)
}

/** Returns the JSON-RPC result of a response with status 200. */
export const resultOf = (answer: Answer): any => {
  assert.strictEqual(answer.status, 200, answer.body)
  const text = String(answer.headers["content-type"]).startsWith("text/event-stream")
    ? answer.body.split("\n").findLast((line) => line.startsWith("data: "))!.slice(6)
    : answer.body
  const { result } = JSON.parse(text)
  assert.isDefined(result, answer.body)
  return result
}

/** Encodes a segment of a compact token in base64url. An object is written as JSON first. */
export const segment = (content: object | string | Uint8Array): string =>
  base64url.encode(typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content))

/** The claims of a good token. */
export const goodClaims = (server: Running): Readonly<Record<string, unknown>> => ({
  iss: server.issuer.issuer,
  sub: "alice",
  aud: server.resource,
  client_id: "client-1",
  // This time is earlier than the server's first fetch of keys. A token that is issued after the fetch could be signed by a
  // newer key, so its rejection could be a 503 instead of a 401.
  iat: now - 120,
  exp: now + 300,
  scope: "todos:read"
})

/** The header of a good token. */
export const goodHeader = { alg: "ES256", typ: "at+jwt", kid: "key-1" } as const
