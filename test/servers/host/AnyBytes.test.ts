import { assert, layer } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import * as Hostile from "../../protocol/Hostile.ts"
import type { Received } from "../Host.ts"
import * as Mcp from "../Mcp.ts"
import * as TodoServer from "../TodoServer.ts"
import * as World from "../World.ts"

/** Asserts one of the responses that `WhatAClientSees.test.ts` lists for a request without a good token. */
const checkUnauthenticated = ({ body, headers, status }: Received) => {
  assert.include([400, 401], status, body)
  const challenge = headers["www-authenticate"]!
  assert.include(challenge, `resource_metadata="${TodoServer.metadataUrl}"`)
  assert.match(challenge, /^Bearer (?:error="(?:invalid_request|invalid_token)", )?/)
  assert.match(challenge, /^[\x20-\x7e]+$/)
  if (body !== "") assert.include(["invalid_request", "invalid_token"], JSON.parse(body).error)
}

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** Generates JSON-RPC messages. Some are well formed, and some have wrong names, ids or arguments. */
const message = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Literals([
      "tools/call",
      "tools/list",
      "resources/read",
      "resources/subscribe",
      "prompts/get",
      "completion/complete",
      "initialize",
      "server/discover",
      "ping",
      "notifications/cancelled",
      "notifications/initialized",
      "logging/setLevel",
      "__proto__",
      ""
    ])),
    Arbitrary.schema(
      Schema.Literals(["list", "add", "purge", "todo://items/1", "todo://secret/1", "plan", "__proto__", "%", ""])
    ),
    Arbitrary.schema(Schema.MutableJson),
    Arbitrary.schema(Schema.Union([Schema.Literals([1, "a"]), Schema.Null, Schema.Undefined]))
  ]),
  ([method, name, other, id]) => ({
    jsonrpc: "2.0",
    ...(id === undefined ? {} : { id }),
    method,
    params: {
      name,
      uri: name,
      arguments: other,
      ref: { type: "ref/prompt", name, uri: name },
      argument: other,
      level: other
    }
  })
)

layer(World.layer("web"), { excludeTestServices: true })("Any bytes", (it) => {
  const send = Effect.fnUntraced(function*(request: Parameters<World.World["Service"]["host"]["send"]>[0]) {
    const { host } = yield* World.World
    return yield* host.send(request)
  })

  it.effect.prop(
    "HDR-03 in the Authorization header: 400 or 401 with its challenge, never an error of the server",
    { value: Hostile.fieldValue },
    ({ value }) =>
      Effect.gen(function*() {
        checkUnauthenticated(yield* send(Mcp.call("list", { headers: [["authorization", value]] })))
        checkUnauthenticated(
          yield* send(Mcp.call("list", { headers: [["authorization", `Bearer ${value}`.trimEnd()]] }))
        )
      }),
    { arbitrary: { runs: 300, size: 40 } }
  )

  it.effect.prop(
    "HDR-03 in a token of three segments: 401 or 400, never an error of the server",
    {
      segments: Arbitrary.all([Schema.MutableJson, Schema.MutableJson, Schema.String].map((_) => Arbitrary.schema(_)))
    },
    ({ segments }) =>
      Effect.gen(function*() {
        const token = segments.map((_) => Buffer.from(JSON.stringify(_)).toString("base64url")).join(".")
        checkUnauthenticated(yield* send(Mcp.call("list", { token })))
      }),
    { arbitrary: { runs: 200, size: 20 } }
  )

  it.effect.prop(
    "in the body, with a token without scopes: one of the table's responses, and nothing runs",
    { body: Hostile.text },
    ({ body }) =>
      Effect.gen(function*() {
        const { issuer, ran } = yield* World.fresh
        const received = yield* send(Mcp.raw(body, { token: yield* issuer.mint() }))
        // A few of the generated texts are valid JSON, such as a number. Only those can pass the gate.
        if (isJson(body)) assert.isBelow(received.status, 500, received.body)
        else assert.deepStrictEqual([received.status, JSON.parse(received.body).error], [400, "invalid_request"])
        assert.deepStrictEqual(ran(), [])
      }),
    { arbitrary: { runs: 200, size: 40 } }
  )

  it.effect.prop(
    "any JSON in the body: never an error of the server, and nothing runs that needs a scope",
    {
      body: Schema.MutableJson,
      version: Schema.Literals(["2026-07-28", "2025-11-25", "2025-03-26", "1", ""])
    },
    ({ body, version }) =>
      Effect.gen(function*() {
        const { issuer, ran } = yield* World.fresh
        const headers = [["mcp-protocol-version", version]] as const
        const received = yield* send(Mcp.raw(JSON.stringify(body), { token: yield* issuer.mint(), headers }))
        assert.isBelow(received.status, 500, received.body)
        assert.deepStrictEqual(ran(), [])
      }),
    { arbitrary: { runs: 200, size: 20 } }
  )

  it.effect.prop(
    "any JSON-RPC message or batch, in a session or without: never an error of the server, and nothing runs that needs a scope",
    {
      body: Schema.Boolean,
      messages: Arbitrary.array(message, { minLength: 1 }),
      version: Schema.Literals(["2026-07-28", "2025-11-25", "2025-03-26"])
    },
    ({ body: single, messages, version }) =>
      Effect.gen(function*() {
        const { issuer, ran } = yield* World.fresh
        const token = yield* issuer.mint()
        const { headers } = version === "2026-07-28"
          ? { headers: {} as Received["headers"] }
          : yield* send(Mcp.initialize(version, { token }))
        const body = single ? messages[0] : messages
        const received = yield* send(Mcp.legacy(headers["mcp-session-id"], body, { token, version }))
        assert.isBelow(received.status, 500, received.body)
        assert.deepStrictEqual(ran(), [])
      }),
    { arbitrary: { runs: 200, size: 6 } }
  )

  it.effect.prop(
    "in the headers that route a request: never an error of the server, and nothing runs that needs a scope",
    { name: Hostile.fieldValue, method: Hostile.fieldValue, version: Hostile.fieldValue, session: Hostile.fieldValue },
    ({ method, name, session, version }) =>
      Effect.gen(function*() {
        const { issuer, ran } = yield* World.fresh
        const token = yield* issuer.mint()
        const headers = [
          ["mcp-name", name],
          ["mcp-method", method],
          ["mcp-protocol-version", version],
          ...(session === "" ? [] : [["mcp-session-id", session] as const])
        ] as const
        assert.isBelow((yield* send(Mcp.call("add", { token, headers }))).status, 500)
        assert.isBelow((yield* send(Mcp.call("list", { token, headers: headers.slice(0, 1) }))).status, 500)
        assert.deepStrictEqual(ran(), [])
      }),
    { arbitrary: { runs: 150, size: 20 } }
  )

  it.effect.prop(
    "MCP-09 in Origin: 403 unless it is the origin of the server",
    { origin: Hostile.fieldValue },
    ({ origin }) =>
      Effect.gen(function*() {
        const { status } = yield* send(Mcp.call("list", { headers: [["origin", origin]] }))
        assert.strictEqual(status, origin === "https://server.test" ? 401 : 403)
      }),
    { arbitrary: { runs: 100 } }
  )
})
