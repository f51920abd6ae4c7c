/**
 * Sends random bytes to every input that a client or an authorization server controls. The server must not crash, must respond
 * within its time limit, and must not respond with a 5xx status other than 503. FUZZ_RUNS sets the number of runs, as in
 * `npm run test:long`.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Hostile from "./threats/Hostile.ts"
import * as Running from "./threats/Running.ts"

const { bearer, goodClaims, goodHeader, messageHeaders, resultOf, segment } = Running

const runs = Number(process.env["FUZZ_RUNS"] ?? 80)

const byte = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))
const bytes = Arbitrary.map(Arbitrary.array(Arbitrary.schema(byte)), (_) => Uint8Array.from(_))

/** The names of members in the random JSON. Many of them have a meaning for the library. */
const names = [
  "keys",
  "kty",
  "n",
  "e",
  "crv",
  "x",
  "y",
  "kid",
  "use",
  "alg",
  "issuer",
  "jwks_uri",
  "iss",
  "sub",
  "aud",
  "exp",
  "scope"
]
  .concat([
    "method",
    "params",
    "name",
    "uri",
    "id",
    "jsonrpc",
    "__proto__",
    "constructor",
    "length",
    "cnf",
    "typ",
    "crit",
    "arguments"
  ])
const strings = [
  "",
  "RSA",
  "EC",
  "OKP",
  "P-256",
  "ES256",
  "AQAB",
  "key-1",
  "https://issuer.test",
  "https://issuer.test/jwks",
  "at+jwt"
]
  .concat([
    "tools/call",
    "initialize",
    "2.0",
    "list_todos",
    "resources/read",
    "todo://1",
    "completion/complete",
    "\u0000",
    "\ud800"
  ])
const leaf = Arbitrary.schema(Schema.Union([
  Schema.Literals(strings),
  Schema.Null,
  Schema.Literals([true, false, 0, -1, 1e300, 1800000300]),
  Schema.String
]))
const nest = (inner: Arbitrary.Arbitrary<unknown>): Arbitrary.Arbitrary<unknown> =>
  Arbitrary.map(
    Arbitrary.all({
      shape: Arbitrary.schema(Schema.Literals(["leaf", "list", "record"])),
      items: Arbitrary.array(inner, { maxLength: 5 }),
      keys: Arbitrary.array(Arbitrary.schema(Schema.Literals(names)), { maxLength: 5 })
    }),
    ({ items, keys, shape }) =>
      shape === "leaf"
        ? items[0]
        : shape === "list"
        ? items
        : Object.fromEntries(keys.map((key, i) => [key, items[i]]))
  )
const json: Arbitrary.Arbitrary<unknown> = nest(nest(nest(leaf)))

/** A response of an authorization server: JSON, truncated JSON, JSON with inserted bytes, or bytes. */
const document = Arbitrary.map(
  Arbitrary.all({
    json,
    bytes,
    cut: Arbitrary.schema(byte),
    kind: Arbitrary.schema(Schema.Literals(["json", "cut", "mixed", "bytes"]))
  }),
  ({ bytes, cut, json, kind }): Uint8Array => {
    const whole = new TextEncoder().encode(JSON.stringify(json) ?? "")
    const at = Math.floor(whole.length * cut / 256)
    switch (kind) {
      case "json":
        return whole
      case "cut":
        return whole.slice(0, at)
      case "mixed":
        return Uint8Array.from([...whole.slice(0, at), ...bytes, ...whole.slice(at)])
      default:
        return bytes
    }
  }
)

/** The longest time until a response: the time limit for fetching metadata (8 seconds) plus that for keys (5 seconds). */
const limit = "13 seconds"

/**
 * Sends a request and returns the response. If there is none, advances the clock to the limit, and fails if there is still no
 * response.
 */
const within = <E>(send: Effect.Effect<Running.Answer, E>) =>
  Effect.gen(function*() {
    const sent = yield* Effect.forkChild(send, { startImmediately: true })
    for (let i = 0; i < 20 && sent.pollUnsafe() === undefined; i++) yield* Running.breathe(2)
    if (sent.pollUnsafe() === undefined) {
      yield* TestClock.adjust(limit)
      for (let i = 0; i < 500 && sent.pollUnsafe() === undefined; i++) yield* Running.breathe(2)
    }
    assert.isDefined(sent.pollUnsafe(), "an answer within the limit")
    return yield* Fiber.join(sent)
  })

const fine = (answer: Running.Answer, allowed: ReadonlyArray<number>) =>
  assert.include(allowed, answer.status, `${answer.status} ${answer.body.slice(0, 200)}`)

/** Asserts that the server still accepts a valid request. */
const lives = (server: Running.Running) =>
  Effect.gen(function*() {
    const token = yield* server.issuer.mint({ scopes: ["todos:read"] })
    resultOf(yield* server.call("list_todos", bearer(token)))
  })

const options = { arbitrary: { runs, size: 40 }, timeout: Math.max(120_000, runs * 500) }

describe("the server answers within its limit to any bytes", () => {
  it.effect.prop("as the Authorization header", { value: Hostile.fieldValue }, ({ value }) =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      for (const authorization of [value, `Bearer ${value}`, `Bearer ${segment(goodHeader)}.${value}.${value}`]) {
        const answer = yield* within(
          server.raw(
            Buffer.concat([
              Buffer.from(
                "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 0\r\nAuthorization: "
              ),
              Buffer.from(authorization, "latin1"),
              Buffer.from("\r\n\r\n")
            ])
          ).pipe(Effect.map((received): Running.Answer => ({
            status: Number(/^HTTP\/1\.1 (\d{3})/.exec(received)?.[1]),
            body: received,
            headers: {},
            challenges: []
          })))
        )
        fine(answer, [400, 401])
      }
      yield* lives(server)
    }), options)

  it.effect.prop(
    "as the parts of a token, signed or not",
    { header: document, claims: document },
    ({ claims, header }) =>
      Effect.gen(function*() {
        const server = yield* Running.start()
        const good = { header: segment(goodHeader), claims: segment(goodClaims(server)) }
        for (
          const [one, other] of [[segment(header), segment(claims)], [good.header, segment(claims)], [
            segment(header),
            good.claims
          ]] as const
        ) {
          for (const token of [yield* server.issuer.signSegments(one, other), `${one}.${other}.AAAA`]) {
            fine(yield* within(server.call("list_todos", bearer(token))), [400, 401, 431])
          }
        }
        yield* lives(server)
      }),
    options
  )

  it.effect.prop(
    "as claims of good form around a good token",
    { claims: json, header: json },
    ({ claims, header }) =>
      Effect.gen(function*() {
        const server = yield* Running.start()
        const record = (_: unknown) => typeof _ === "object" && _ !== null && !Array.isArray(_) ? _ : {}
        const token = yield* server.issuer.signSegments(
          segment({ ...goodHeader, ...record(header) }),
          segment({ ...goodClaims(server), ...record(claims) })
        )
        fine(yield* within(server.call("add_todo", bearer(token), { title: "x" })), [200, 401, 403, 431])
        yield* lives(server)
      }),
    options
  )

  it.effect.prop(
    "as the metadata or the key set of the provider",
    { body: document, typed: Schema.Boolean },
    ({ body, typed }) =>
      Effect.gen(function*() {
        for (const where of ["/.well-known/", "/jwks"]) {
          const server = yield* Running.start()
          const token = yield* server.issuer.mint({ scopes: ["todos:read"] })
          yield* server.issuer.fail(
            { _tag: "Body", body, contentType: typed ? "application/json" : "text/plain" },
            where
          )
          const answer = yield* within(server.call("list_todos", bearer(token)))
          fine(answer, [401, 503])
          if (answer.status === 503) Running.assertUnavailable(answer)
          yield* server.issuer.recover
          yield* TestClock.adjust("11 minutes")
          yield* lives(server)
        }
      }),
    options
  )

  it.effect.prop(
    "as members of a key set",
    { keys: Arbitrary.array(json, { maxLength: 5 }) },
    ({ keys }) =>
      Effect.gen(function*() {
        const server = yield* Running.start()
        const { publicJwk } = yield* server.issuer.currentKey
        yield* server.issuer.publishKeys([...keys, { ...publicJwk, kid: "other" }, ...keys, publicJwk])
        yield* lives(server)
        const nameless = yield* server.issuer.mint({ scopes: ["todos:read"], header: { kid: undefined } })
        fine(yield* within(server.call("list_todos", bearer(nameless))), [200, 401])
      }),
    options
  )

  it.effect.prop(
    "as the body of a request",
    { body: document, whole: json },
    ({ body, whole }) =>
      Effect.gen(function*() {
        const server = yield* Running.start()
        const token = yield* server.issuer.mint({ scopes: ["todos:read"] })
        const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "list_todos", arguments: {} } }
        const shaped = typeof whole === "object" && whole !== null && !Array.isArray(whole) ? whole : { params: whole }
        for (const content of [body, JSON.stringify({ ...message, ...shaped }), JSON.stringify([message, whole])]) {
          for (
            const version of [messageHeaders("tools/call", "list_todos"), {
              ...messageHeaders("tools/call"),
              "mcp-protocol-version": "2025-11-25"
            }]
          ) {
            const answer = yield* within(server.send({ headers: { ...version, ...bearer(token) }, body: content }))
            fine(answer, [200, 202, 400, 403, 404, 406])
          }
        }
        yield* lives(server)
      }),
    options
  )

  it.effect.prop(
    "as any header of a request",
    {
      name: Schema.Literals([
        "origin",
        "mcp-session-id",
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
        "content-type",
        "accept",
        "dpop",
        "cookie",
        "access-control-request-method"
      ]),
      value: Hostile.fieldValue,
      method: Schema.Literals(["POST", "GET", "DELETE", "OPTIONS", "PUT", "PATCH", "HEAD"])
    },
    ({ method, name, value }) =>
      Effect.gen(function*() {
        const server = yield* Running.start()
        const token = yield* server.issuer.mint({ scopes: ["todos:read"] })
        const headers = { ...messageHeaders("ping"), ...bearer(token), [name]: value }
        const answer = yield* within(server.send({
          method,
          headers,
          ...(method === "POST" ? { body: "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}" } : {})
        }))
        assert.isBelow(answer.status, 500)
        yield* lives(server)
      }),
    options
  )
})

describe("a body that nests", () => {
  it.effect("is answered at any depth", () =>
    Effect.gen(function*() {
      const server = yield* Running.start()
      const token = yield* server.issuer.mint({ scopes: ["todos:read", "todos:write"] })
      for (const levels of [100, 10_000, 1_000_000]) {
        const deep = `${"[".repeat(levels)}${"]".repeat(levels)}`
        for (
          const body of [
            deep,
            `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add_todo","arguments":{"title":${deep}}}}`
          ]
        ) {
          const headers = { ...messageHeaders("tools/call", "add_todo"), ...bearer(token) }
          const answer = yield* within(server.send({ headers, body }))
          assert.isBelow(answer.status, 500, `${levels} ${answer.body.slice(0, 200)}`)
        }
      }
      yield* lives(server)
    }))
})
