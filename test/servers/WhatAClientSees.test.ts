import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Received, Sent } from "./Host.ts"
import * as Mcp from "./Mcp.ts"
import { metadataUrl } from "./TodoServer.ts"
import * as World from "./World.ts"

const invalidTokenText = "The access token is expired, revoked, malformed or not issued for this server"
const lacksScopeText = "The access token lacks a scope that this operation needs"
const noTokenText = "The Authorization header has a scheme but no token"
const oneTokenText =
  "The Authorization header must appear once, with a scheme, one space and one token (RFC 6750 section 2.1)"

const noCredentials: Rejected = {
  status: 401,
  challenge: `Bearer scope="todos:read", resource_metadata="${metadataUrl}"`,
  body: undefined
}

const invalidToken: Rejected = {
  status: 401,
  challenge:
    `Bearer error="invalid_token", scope="todos:read", resource_metadata="${metadataUrl}", error_description="${invalidTokenText}"`,
  body: { error: "invalid_token", error_description: invalidTokenText }
}

const invalidRequest = (description: string): Rejected => ({
  status: 400,
  challenge: `Bearer error="invalid_request", resource_metadata="${metadataUrl}", error_description="${description}"`,
  body: { error: "invalid_request", error_description: description }
})

const insufficientScope = (scope: string): Rejected => ({
  status: 403,
  challenge:
    `Bearer error="insufficient_scope", scope="${scope}", resource_metadata="${metadataUrl}", error_description="${lacksScopeText}"`,
  body: { error: "insufficient_scope", error_description: lacksScopeText, scope }
})

const plainly = (status: number, error: string, description: string): Rejected => ({
  status,
  challenge: undefined,
  body: { error, error_description: description }
})

const wrongOrigin = plainly(403, "invalid_request", "Requests from this origin are not allowed")
const contentType = plainly(415, "invalid_request", "The request body must have the content type application/json")
const notJson = plainly(400, "invalid_request", "The request body is not JSON")

interface Rejected {
  readonly status: number
  readonly challenge: string | undefined
  readonly body: Readonly<Record<string, string>> | undefined
}

/** The tokens that the requests of the rows use. */
interface Tokens {
  readonly reader: string
  readonly writer: string
  readonly expired: string
  readonly foreign: string
  readonly other: string
}

interface Row {
  readonly title: string
  readonly sent: (tokens: Tokens) => Sent
  readonly rejected: Rejected
}

const authorization = (...values: ReadonlyArray<string>) => values.map((value) => ["authorization", value] as const)

/** A call of the tool `list`, which requires `todos:read`. */
const list = (options: Mcp.Options): Sent => Mcp.call("list", options)

const rows: ReadonlyArray<Row> = [
  // Credentials.
  { title: "HDR-01 CHAL-02 HDR-18 no Authorization header: 401", rejected: noCredentials, sent: () => list({}) },
  {
    title: "HDR-18 a list without a token: 401 before the server sees it",
    rejected: noCredentials,
    sent: () => Mcp.modern("tools/list")
  },
  {
    title: "HDR-18 initialize without a token: 401",
    rejected: noCredentials,
    sent: () => Mcp.initialize("2025-11-25")
  },
  {
    title: "HDR-01 an unknown method without a token: 401",
    rejected: noCredentials,
    sent: () => ({ method: "PUT", path: "/mcp" })
  },
  { title: "HDR-01 GET without a token: 401", rejected: noCredentials, sent: () => ({ method: "GET", path: "/mcp" }) },
  {
    title: "HDR-01 DELETE without a token: 401",
    rejected: noCredentials,
    sent: () => ({ method: "DELETE", path: "/mcp" })
  },
  {
    title: "HDR-09 an unknown scheme: 401, no error attribute",
    rejected: noCredentials,
    sent: () => list({ headers: authorization("mac abc") })
  },
  {
    title: "HDR-09 Basic: 401, no error attribute",
    rejected: noCredentials,
    sent: () => list({ headers: authorization("Basic YTpi") })
  },
  {
    title: "HDR-06 a word without a scheme: 401",
    rejected: noCredentials,
    sent: ({ reader }) => list({ headers: authorization(reader) })
  },
  {
    title: "HDR-03 the scheme alone: 400",
    rejected: invalidRequest(noTokenText),
    sent: () => list({ headers: authorization("Bearer") })
  },
  {
    title: "HDR-04 several words: 400, nothing verified",
    rejected: invalidRequest(oneTokenText),
    sent: ({ reader }) => list({ headers: authorization(`Bearer ${reader} b c`) })
  },
  {
    title: "HDR-11 a tab instead of a space: 400",
    rejected: invalidRequest(oneTokenText),
    sent: ({ reader }) => list({ headers: authorization(`Bearer\t${reader}`) })
  },
  {
    title: "HDR-12 two tokens with a comma: 400",
    rejected: invalidRequest(oneTokenText),
    sent: ({ reader }) => list({ headers: authorization(`Bearer ${reader}, Bearer ${reader}`) })
  },
  {
    title: "HDR-15 a token only in the query: never read, 401",
    rejected: noCredentials,
    sent: ({ reader }) => list({ path: `/mcp?access_token=${reader}` })
  },
  {
    title: "HDR-15 a token only in the body: never read, 401",
    rejected: noCredentials,
    sent: ({ reader }) => Mcp.raw({ ...Mcp.message("tools/list"), access_token: reader })
  },
  {
    title: "HDR-15 a form with a token: never read, 401",
    rejected: noCredentials,
    sent: ({ reader }) =>
      Mcp.raw(`access_token=${reader}`, { headers: [["content-type", "application/x-www-form-urlencoded"]] })
  },
  {
    title: "HDR-14 a bad token in the header, a good one in the query: the header decides",
    rejected: invalidToken,
    sent: ({ expired, reader }) => list({ token: expired, path: `/mcp?access_token=${reader}` })
  },
  {
    title: "HDR-16 a bad token in the header, a good one in the body: the header decides",
    rejected: invalidToken,
    sent: ({ expired, reader }) =>
      Mcp.raw(`access_token=${reader}`, {
        token: expired,
        headers: [["content-type", "application/x-www-form-urlencoded"]]
      })
  },

  // Tokens.
  { title: "an expired token: 401", rejected: invalidToken, sent: ({ expired }) => list({ token: expired }) },
  {
    title: "CHAL-17 an expired token that also lacks a scope: 401",
    rejected: invalidToken,
    sent: ({ expired }) => Mcp.call("add", { token: expired })
  },
  {
    title: "a token for another resource: 401",
    rejected: invalidToken,
    sent: ({ foreign }) => list({ token: foreign })
  },
  { title: "a token of another issuer: 401", rejected: invalidToken, sent: ({ other }) => list({ token: other }) },
  { title: "an invalid token: 401", rejected: invalidToken, sent: () => list({ token: "abc" }) },

  // Origin: checked before the credentials.
  {
    title: "MCP-09 a look-alike subdomain: 403",
    rejected: wrongOrigin,
    sent: ({ reader }) => list({ token: reader, headers: [["origin", "https://server.test.evil.test"]] })
  },
  {
    title: "MCP-09 Origin null: 403",
    rejected: wrongOrigin,
    sent: ({ reader }) => list({ token: reader, headers: [["origin", "null"]] })
  },
  {
    title: "MCP-09 an Origin that does not parse: 403",
    rejected: wrongOrigin,
    sent: ({ reader }) => list({ token: reader, headers: [["origin", "http//:x"]] })
  },
  {
    title: "MCP-09 the Origin comes before the credentials: 403",
    rejected: wrongOrigin,
    sent: () => list({ headers: [["origin", "https://evil.test"]] })
  },
  {
    title: "MCP-09 the Origin comes before a preflight: 403",
    rejected: wrongOrigin,
    sent: () => ({
      method: "OPTIONS",
      path: "/mcp",
      headers: [["origin", "https://evil.test"], ["access-control-request-method", "POST"]]
    })
  },
  {
    title: "MCP-09 the origin of the resource is accepted, and the credentials are checked: 401",
    rejected: noCredentials,
    sent: () => list({ headers: [["origin", "https://server.test"]] })
  },

  // Session: checked before the body.
  {
    title: "an unknown session: 404, empty",
    rejected: { status: 404, challenge: undefined, body: undefined },
    sent: ({ reader }) => Mcp.legacy("00000000-0000-4000-8000-000000000000", "no json", { token: reader })
  },
  {
    title: "credentials come before the session: 401",
    rejected: noCredentials,
    sent: () => Mcp.legacy("x", Mcp.message("ping"))
  },

  // Body: checked before the scopes.
  {
    title: "MCP-07 text/plain: 415",
    rejected: contentType,
    sent: ({ reader }) => list({ token: reader, headers: [["content-type", "text/plain"]] })
  },
  {
    title: "MCP-07 no Content-Type: 415",
    rejected: contentType,
    sent: ({ reader }) =>
      Mcp.call("list", { token: reader, without: ["content-type"], headers: [["content-type", ""]] })
  },
  {
    title: "MCP-07 JSON in a parameter only: 415",
    rejected: contentType,
    sent: ({ reader }) => list({ token: reader, headers: [["content-type", "text/plain; a=application/json"]] })
  },
  {
    title: "MCP-07 a type with the same beginning: 415",
    rejected: contentType,
    sent: ({ reader }) => list({ token: reader, headers: [["content-type", "application/json-patch+json"]] })
  },
  {
    title: "MCP-07 two types: 415",
    rejected: contentType,
    sent: ({ reader }) => list({ token: reader, headers: [["content-type", "application/json, text/plain"]] })
  },
  {
    title: "MCP-07 credentials come before the content type: 401",
    rejected: noCredentials,
    sent: () => list({ headers: [["content-type", "text/plain"]] })
  },
  { title: "a body that is not JSON: 400", rejected: notJson, sent: ({ reader }) => Mcp.raw("{", { token: reader }) },
  { title: "an empty body: 400", rejected: notJson, sent: ({ reader }) => Mcp.raw("", { token: reader }) },
  {
    title: "credentials come before the body: 401",
    rejected: invalidToken,
    sent: () => Mcp.raw("{", { token: "abc" })
  },
  {
    title: "a body beyond the limit: 413",
    rejected: plainly(413, "invalid_request", "The request body is larger than this server accepts"),
    sent: ({ reader }) => Mcp.call("list", { token: reader, arguments: { title: "x".repeat(5 * 1024 * 1024) } })
  },

  // Scopes: checked last.
  {
    title: "CHAL-03 SCOPE-09 SCOPE-20 a scope is missing: 403 with every scope of the tool",
    rejected: insufficientScope("todos:read todos:write"),
    sent: ({ reader }) => Mcp.call("add", { token: reader })
  },
  {
    title: "SCOPE-15 an alias requires the scopes of its tool: 403",
    rejected: insufficientScope("todos:read todos:write"),
    sent: ({ reader }) => Mcp.call("alias_of_add", { token: reader })
  },
  {
    title: "an old client replaces its scopes, so the challenge also names the granted ones: 403",
    rejected: insufficientScope("todos:read todos:write"),
    sent: ({ reader }) => Mcp.raw(Mcp.message("resources/read", { uri: "todo://items/1" }), { token: reader })
  }
]

const checkRejection = (received: Received, rejected: Rejected) => {
  assert.strictEqual(received.status, rejected.status, received.body)
  assert.strictEqual(received.headers["www-authenticate"], rejected.challenge)
  assert.strictEqual(received.headers["cache-control"], "no-store")
  assert.strictEqual(
    received.headers["access-control-expose-headers"],
    rejected.challenge === undefined ? undefined : "WWW-Authenticate"
  )
  assert.strictEqual(received.headers["retry-after"], undefined)
  if (rejected.body === undefined) {
    assert.strictEqual(received.body, "")
  } else {
    assert.deepStrictEqual(JSON.parse(received.body), rejected.body)
    assert.match(received.headers["content-type"]!, /^application\/json/)
  }
}

describe.each(["web", "node"] as const)("Responses that a client sees, %s", (kind) => {
  layer(World.layer(kind), { excludeTestServices: true })((it) => {
    const tokens: Effect.Effect<Tokens, never, World.World> = Effect.gen(function*() {
      const { issuer } = yield* World.fresh
      return {
        reader: yield* issuer.mint({ scopes: ["todos:read"] }),
        writer: yield* issuer.mint({ scopes: ["todos:read", "todos:write"] }),
        expired: yield* issuer.mint({ expiresIn: "-1 minute" }),
        foreign: yield* issuer.mint({ scopes: ["todos:read"], audience: "https://other.test/mcp" }),
        other: yield* issuer.mint({ scopes: ["todos:read"], claims: { iss: "https://other.test" } })
      }
    })

    it.effect.each(rows)("$title", ({ rejected, sent }) =>
      Effect.gen(function*() {
        const { host, ran } = yield* World.fresh
        checkRejection(yield* host.send(sent(yield* tokens)), rejected)
        assert.deepStrictEqual(ran(), [])
      }))

    it.effect("HDR-12 two Authorization lines, the first one good: 400, without authentication", () =>
      Effect.gen(function*() {
        const { host, ran } = yield* World.fresh
        const { reader, writer } = yield* tokens
        // Node's `headers` contains only the first of two `Authorization` headers, and the `Headers` of fetch joins both.
        const rejected = invalidRequest(oneTokenText)
        for (const [first, second] of [[reader, writer], [reader, "x"], ["x", reader]] as const) {
          const headers = authorization(`Bearer ${first}`, `Bearer ${second}`)
          checkRejection(yield* host.send(list({ headers })), rejected)
        }
        const cases = [["Authorization", `Bearer ${reader}`], ["AUTHORIZATION", `Bearer ${reader}`]] as const
        checkRejection(yield* host.send(list({ headers: cases })), rejected)
        const mixed = authorization(`Bearer ${reader}`, "Basic YTpi")
        checkRejection(yield* host.send(list({ headers: mixed })), rejected)
        assert.deepStrictEqual(ran(), [])
      }))

    it.effect.each(["Bearer", "bearer", "BEARER", "BeArEr", "Bearer   "])(
      "HDR-07 the scheme %s: accepted, and the verifier receives only the token",
      (scheme) =>
        Effect.gen(function*() {
          const { host, ran } = yield* World.fresh
          const { reader } = yield* tokens
          const received = yield* host.send(list({ headers: authorization(`${scheme} ${reader}`) }))
          assert.strictEqual(received.status, 200)
          assert.strictEqual(Mcp.text(received), "\"listed\"")
          assert.deepStrictEqual(ran(), ["list"])
        })
    )

    it.effect("HDR-14 a good token in the header, another in the query: the header decides", () =>
      Effect.gen(function*() {
        const { host, issuer, ran } = yield* World.fresh
        const alice = yield* issuer.mint({ subject: "alice", scopes: ["todos:read"] })
        const bob = yield* issuer.mint({ subject: "bob", scopes: ["todos:admin"] })
        const received = yield* host.send(Mcp.call("whoami", { token: alice, path: `/mcp?access_token=${bob}` }))
        assert.strictEqual(Mcp.answer(received).result?.structuredContent.subject, "alice")
        assert.deepStrictEqual(ran(), ["whoami"])
      }))

    it.effect.each([
      "/mcp/",
      "//mcp",
      "/MCP",
      "/mcp?a=b",
      "/mcp#a",
      "/mcp;a=b",
      "/m%63p",
      "/%6Dcp",
      "/./mcp",
      "/a/../mcp",
      "/mcp/.",
      "/mcp%2F",
      "/mcp/x"
    ])("HDR-18 no spelling of the path bypasses the gate: %s", (path) =>
      Effect.gen(function*() {
        const { host, ran } = yield* World.fresh
        for (const sent of [Mcp.call("whoami", { path }), Mcp.modern("tools/list", {}, { path })]) {
          const { headers, status } = yield* host.send(sent)
          assert.include([401, 404], status)
          if (status === 401) assert.strictEqual(headers["www-authenticate"], noCredentials.challenge)
        }
        assert.deepStrictEqual(ran(), [])
      }))

    it.effect.each(["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])(
      "HDR-01 HDR-18 %s without a token is 401, and with a token the server answers",
      (method) =>
        Effect.gen(function*() {
          const { host } = yield* World.fresh
          const { reader } = yield* tokens
          const without = yield* host.send({ method, path: "/mcp" })
          assert.deepStrictEqual([without.status, without.headers["www-authenticate"]], [401, noCredentials.challenge])
          const received = yield* host.send({ method, path: "/mcp", headers: Mcp.bearer(reader) })
          assert.strictEqual(received.status, method === "DELETE" ? 400 : 405)
        })
    )

    it.effect("MCP-01 the handler receives the verified caller, and nothing from headers or body", () =>
      Effect.gen(function*() {
        const { host, issuer, ran } = yield* World.fresh
        const token = yield* issuer.mint({ subject: "alice", clientId: "client-7", scopes: ["todos:read"] })
        const received = yield* host.send(Mcp.call("whoami", {
          token,
          arguments: { subject: "mallory", principal: { subject: "mallory" } },
          headers: [["x-user", "mallory"], ["x-forwarded-user", "mallory"], ["mcp-principal", "mallory"]]
        }))
        assert.deepStrictEqual(Mcp.answer(received).result?.structuredContent, {
          issuer: issuer.issuer,
          subject: "alice",
          clientId: "client-7",
          scopes: ["todos:read"]
        })
        assert.deepStrictEqual(ran(), ["whoami"])
      }))

    it.effect("with every scope the tool runs, and the response has no challenge", () =>
      Effect.gen(function*() {
        const { host, ran } = yield* World.fresh
        const { writer } = yield* tokens
        const received = yield* host.send(Mcp.call("add", { token: writer }))
        assert.strictEqual(received.status, 200)
        assert.isUndefined(received.headers["www-authenticate"])
        assert.deepStrictEqual(ran(), ["add"])
      }))

    it.effect("CHAL-10 no rejection reveals internal details", () =>
      Effect.gen(function*() {
        const { host, issuer } = yield* World.fresh
        const all = yield* tokens
        const subject = "marked-subject"
        const token = yield* issuer.mint({ subject, scopes: ["marked-scope"], claims: { marked: "marked-claim" } })
        const requests = [
          ...rows.map(({ sent }) => sent({ ...all, expired: `${token}x`, foreign: `${token}.x` })),
          Mcp.call("add", { token }),
          Mcp.raw("{\"marked\":", { token })
        ]
        for (const request of requests) {
          const { body, headers, status } = yield* host.send(request)
          assert.isAtLeast(status, 400)
          const response = body + JSON.stringify(headers)
          for (
            const secret of [
              "marked",
              token,
              "alice",
              "stack",
              "node_modules",
              ".ts:",
              "Error:",
              "unknown-issuer",
              "audience"
            ]
          ) {
            assert.notInclude(response, secret)
          }
        }
      }))
  })
})
