/**
 * The rule for header values on hosts with requests of Node: middleware before the gate may set, replace and remove values, but
 * cannot hide a duplicate. Some platforms create requests without raw headers.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { McpAuthNode } from "effect-mcp-auth/node"
import mocks from "node-mocks-http"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import serverless from "serverless-http"
import { overSocket } from "../hosts/Host.ts"
import * as Mcp from "../Mcp.ts"
import { effectMiddleware, hosts, type Made, mint, options } from "./nodeHosts.ts"

const removeRaw = (req: IncomingMessage) => void Object.assign(req, { rawHeaders: undefined })
const emptyRaw = (req: IncomingMessage) => void Object.assign(req, { rawHeaders: [] })
const set = (name: string, value: string | Array<string>) => (req: IncomingMessage) => {
  ;(req.headers as Record<string, unknown>)[name] = value
}
const remove = (name: string) => (req: IncomingMessage) => void delete req.headers[name]
const both = (...all: ReadonlyArray<(req: IncomingMessage) => void>) => (req: IncomingMessage) =>
  all.forEach((prepare) => prepare(req))

type Row = readonly [title: string, {
  /** The changes of a middleware in front of the gate. */
  readonly prepare: (req: IncomingMessage) => void
  /** The headers that the client sends. Default: none. */
  readonly headers?: ReadonlyArray<readonly [string, string]>
  readonly hosts?: ReadonlyArray<string>
  readonly status: number
}]

const valid = await mint()
const token = `Bearer ${valid}`
const other = `Bearer ${await mint()}`
const credentials = ["authorization", token] as const
const session = ["mcp-session-id", "unknown"] as const

const rows: ReadonlyArray<Row> = [
  ["a token without raw headers", { prepare: removeRaw, headers: [credentials], status: 200 }],
  ["a token with an empty list of raw headers", { prepare: emptyRaw, headers: [credentials], status: 200 }],
  ["no token and no raw headers", { prepare: removeRaw, status: 401 }],
  ["a token that a middleware sets", { prepare: set("authorization", token), status: 200 }],
  ["a token that a middleware sets without raw headers", {
    prepare: both(removeRaw, set("authorization", token)),
    status: 200
  }],
  ["a wrong token that a middleware replaces", {
    prepare: set("authorization", token),
    headers: [["authorization", "Bearer wrong"]],
    status: 200
  }],
  ["a valid token that a middleware replaces with a wrong one", {
    prepare: set("authorization", "Bearer wrong"),
    headers: [credentials],
    status: 401
  }],
  ["a token that a middleware removes", { prepare: remove("authorization"), headers: [credentials], status: 401 }],
  ["two lines", { prepare: () => {}, headers: [credentials, credentials], status: 400 }],
  ["[T-AUD-41a] two lines that a middleware replaces with one value", {
    prepare: set("authorization", token),
    headers: [credentials, ["authorization", other]],
    status: 400
  }],
  ["[T-AUD-41a] two lines that a middleware removes", {
    prepare: remove("authorization"),
    headers: [credentials, ["authorization", other]],
    status: 400
  }],
  ["a list of two tokens", { prepare: set("authorization", [token, other]), status: 400 }],
  ["[T-AUD-41b] two tokens joined to one value, without raw headers", {
    prepare: both(removeRaw, set("authorization", `${token}, ${other}`)),
    status: 400
  }],
  ["[T-AUD-41b] a foreign origin without raw headers", {
    prepare: emptyRaw,
    headers: [credentials, ["origin", "https://evil.test"]],
    status: 403
  }],
  ["an allowed origin without raw headers", {
    prepare: emptyRaw,
    headers: [credentials, ["origin", "https://app.test"]],
    status: 200
  }],
  ["two origins", {
    prepare: () => {},
    headers: [credentials, ["origin", "https://app.test"], ["origin", "https://evil.test"]],
    status: 403
  }],
  ["[T-AUD-41b] a foreign host without raw headers", {
    prepare: removeRaw,
    headers: [credentials],
    hosts: ["evil.test"],
    status: 403
  }],
  ["an allowed host without raw headers", {
    prepare: removeRaw,
    headers: [credentials],
    hosts: ["public.test"],
    status: 200
  }],
  ["an allowed host that a middleware replaces with another allowed host", {
    prepare: set("host", "public.test"),
    headers: [credentials],
    status: 200
  }],
  ["an allowed host that a middleware replaces with a foreign one", {
    prepare: set("host", "evil.test"),
    headers: [credentials],
    status: 403
  }],
  [
    "[T-AUD-41d] a foreign host that a middleware replaces with an allowed one, as a page could cause with X-Forwarded-Host",
    {
      prepare: set("host", "public.test"),
      headers: [credentials],
      hosts: ["evil.test"],
      status: 403
    }
  ],
  ["the session of a request without raw headers", {
    prepare: removeRaw,
    headers: [credentials, session],
    status: 404
  }],
  ["a session that a middleware sets", { prepare: set("mcp-session-id", "set"), headers: [credentials], status: 404 }]
]

describe("a middleware of Effect that changes headers", () => {
  const [, make] = effectMiddleware
  let made: Made
  let server: Server
  beforeAll(async () => {
    made = await make()
    server = createServer(made.listener)
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await made.dispose()
  })

  // The same rows as for a middleware in front of the server. Raw headers and hosts belong to the platform, so it cannot change them.
  it.each(rows.filter(([title]) => /token that a middleware|two lines/.test(title)))("%s", async (_, row) => {
    made.setMiddleware!(row.prepare as never)
    const sent = Mcp.call("list")
    const { body, status } = await overSocket((server.address() as AddressInfo).port).send({
      ...sent,
      headers: [...sent.headers!, ...row.headers ?? []],
      body: sent.body!
    })
    assert.strictEqual(status, row.status, body)
  })
})

describe.each(hosts)("the headers of a request of Node, %s", (name, make) => {
  let made: Made
  let server: Server
  let prepare: (req: IncomingMessage) => void
  beforeAll(async () => {
    made = await make()
    server = createServer((req, res) => {
      prepare(req)
      made.listener(req, res)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await made.dispose()
  })

  const send = async (row: Row[1]) => {
    prepare = row.prepare
    const sent = Mcp.call("list")
    const headers = [...sent.headers!, ...row.headers ?? []]
    const { body, status } = await overSocket((server.address() as AddressInfo).port).send({
      ...sent,
      headers,
      ...(row.hosts === undefined ? {} : { hosts: row.hosts }),
      body: sent.body!
    })
    return { status, body }
  }

  it.each(rows)("%s", async (_, row) => {
    const { body, status } = await send(row)
    assert.strictEqual(status, row.status, body)
  })

  // Effect's server reads only `headers`, so there the value in `headers` is the only one.
  const changes = name === "Effect"
    ? []
    : [["replaces", set("mcp-session-id", "other")], ["removes", remove("mcp-session-id")]] as const
  it.each(changes)(
    "[T-AUD-41c] the gate answers 404 to a session id that a middleware %s, because a transport may read the raw line",
    async (_, prepare) => {
      assert.strictEqual((await send({ prepare, headers: [credentials, session], status: 404 })).status, 404)
    }
  )
})

const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "list" } })
const contentType = { "content-type": "application/json" }

describe("AWS Lambda through serverless-http", () => {
  const answer = async (headers: Readonly<Record<string, string>>) => {
    await using auth = await McpAuthNode.make(options)
    const guard = auth.protect()
    const handle = serverless(
      ((req: IncomingMessage, res: ServerResponse) => guard(req, res, () => res.end("admitted"))) as never
    )
    const { statusCode } = await handle({
      version: "2.0",
      rawPath: "/mcp",
      rawQueryString: "",
      headers: { host: "server.test", ...contentType, ...headers },
      requestContext: { http: { method: "POST", sourceIp: "192.0.2.1" } },
      body,
      isBase64Encoded: false
    }, {}) as { readonly statusCode: number }
    return statusCode
  }

  it("a valid token is accepted, and a missing, wrong or second one is rejected", async () => {
    assert.strictEqual(await answer({ authorization: token }), 200)
    assert.strictEqual(await answer({}), 401)
    assert.strictEqual(await answer({ authorization: "Bearer wrong" }), 401)
    assert.strictEqual(await answer({ authorization: `${token},${other}` }), 400)
    assert.strictEqual(await answer({ authorization: token, origin: "https://evil.test" }), 403)
    assert.strictEqual(await answer({ authorization: token, host: "evil.test" }), 403)
  })
})

describe("node-mocks-http", () => {
  it("protect accepts a mock request with a valid token and its parsed body, and rejects one without a token", async () => {
    await using auth = await McpAuthNode.make(options)
    const send = async (headers: Record<string, string>) => {
      const req = mocks.createRequest({
        method: "POST",
        url: "/mcp",
        headers: { host: "server.test", ...contentType, ...headers },
        body: JSON.parse(body)
      })
      const res = mocks.createResponse()
      const admission = await auth.protect()(req as never, res as never)
      return admission?.operations.map(({ target }) => target) ?? res.statusCode
    }
    assert.deepStrictEqual(await send({ authorization: token }), ["list"])
    assert.deepStrictEqual(await send({}), 401)
  })
})
