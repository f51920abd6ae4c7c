/** The table of cases: requests, and for each request the response that every host must give, byte for byte. */
import { Effect } from "effect"
import type { TestIssuer } from "effect-mcp-auth/testing"
import { type Answer, origin, type Sent, type Settings } from "./Host.ts"
import { gatewayHeader } from "./middleware.ts"

/** The response headers that the gate sets. Other headers depend on the host, and are not compared. */
export const ownHeaders = [
  "www-authenticate",
  "access-control-expose-headers",
  "cache-control",
  "content-type",
  "retry-after",
  "access-control-allow-origin",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-max-age",
  "vary"
] as const

export interface Rejected {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type Expected =
  | Rejected
  /** The gate admits the request, and these operations run. */
  | { readonly ran: ReadonlyArray<string>; readonly status?: number }

export interface Step {
  readonly sent: Sent | ((before: ReadonlyArray<Answer>) => Sent)
  readonly expected: Expected
}

export interface Case {
  readonly title: string
  readonly settings?: Settings
  /**
   * The name of a host where a client cannot observe the response. For example, workerd closes the connection while a client
   * still sends a large body.
   */
  readonly notOn?: string
  /** Whether the authorization server fails from the start. */
  readonly outage?: boolean
  readonly steps: (tokens: Tokens) => ReadonlyArray<Step>
}

/* Tokens */

export type Tokens = Awaited<ReturnType<typeof mint>>

export const mint = (issuer: TestIssuer.TestIssuer["Service"]) =>
  Effect.runPromise(Effect.all({
    reader: issuer.mint({ scopes: ["todos:read"] }),
    writer: issuer.mint({ scopes: ["todos:read", "todos:write"] }),
    none: issuer.mint({ scopes: [] }),
    foreign: issuer.mint({ scopes: ["todos:read"], audience: "https://other.test/mcp" }),
    expired: issuer.mint({ scopes: ["todos:read"], expiresIn: "-1 minute" }),
    expiredNone: issuer.mint({ scopes: [], expiresIn: "-1 minute" }),
    bob: issuer.mint({ subject: "bob", scopes: ["todos:read"] }),
    otherClient: issuer.mint({ clientId: "client-2", scopes: ["todos:read"] })
  }))

/* Requests */

const protocolVersion = "2026-07-28"

const meta = {
  "io.modelcontextprotocol/protocolVersion": protocolVersion,
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1.0.0" }
}

type Lines = ReadonlyArray<readonly [string, string]>

export const bearer = (token: string): Lines => [["authorization", `Bearer ${token}`]]

const json: Lines = [["accept", "application/json, text/event-stream"], ["content-type", "application/json"]]

/** One request of MCP 2026-07-28. */
export const ask = (
  authorization: Lines,
  method: string,
  params: Readonly<Record<string, unknown>> = {},
  others: Lines = []
): Sent => {
  const name = params["name"] ?? params["uri"] ?? params["taskId"]
  return {
    method: "POST",
    path: "/mcp",
    headers: [
      ...authorization,
      ...json,
      ["mcp-protocol-version", protocolVersion],
      ["mcp-method", method],
      ...(typeof name === "string" ? [["mcp-name", name] as const] : []),
      ...others
    ],
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: meta } })
  }
}

export const call = (authorization: Lines, name: string, others: Lines = []): Sent =>
  ask(authorization, "tools/call", { name, arguments: {} }, others)

/** A request with this body, without the headers of an MCP revision. */
export const raw = (authorization: Lines, body: string | Uint8Array<ArrayBuffer>, others: Lines = []): Sent => ({
  method: "POST",
  path: "/mcp",
  headers: [...authorization, ...json, ...others],
  body
})

export const initialize = (authorization: Lines, version = "2025-11-25"): Sent =>
  raw(
    authorization,
    JSON.stringify({
      jsonrpc: "2.0",
      id: 1,
      method: "initialize",
      params: { protocolVersion: version, capabilities: {}, clientInfo: { name: "test", version: "1.0.0" } }
    })
  )

export const message = (id: number | undefined, method: string, params: Readonly<Record<string, unknown>>) => ({
  jsonrpc: "2.0",
  ...(id === undefined ? {} : { id }),
  method,
  params
})

/** A request in the session that an earlier response opened: by default the first response. */
export const inSession =
  (authorization: Lines, body: unknown, version = "2025-11-25", opened = 0) => (before: ReadonlyArray<Answer>): Sent =>
    raw(authorization, JSON.stringify(body), [
      ["mcp-session-id", before[opened]!.headers["mcp-session-id"]!],
      ["mcp-protocol-version", version]
    ])

export const callOf = (name: string) => message(2, "tools/call", { name, arguments: {} })

/* Answers */

export const metadata = `resource_metadata="https://server.test/.well-known/oauth-protected-resource/mcp"`
const described = (text: string) => `error_description="${text}"`

export const challenged = (
  status: number,
  challenge: string,
  body: { error: string; error_description: string; scope?: string } | undefined
) => ({
  status,
  headers: {
    "www-authenticate": challenge,
    "access-control-expose-headers": "WWW-Authenticate",
    "cache-control": "no-store",
    ...(body === undefined ? {} : { "content-type": "application/json" })
  },
  body: body === undefined ? "" : JSON.stringify(body)
})

export const plain = (
  status: number,
  body: { error: string; error_description: string } | undefined,
  more = {}
): Rejected => ({
  status,
  headers: {
    "cache-control": "no-store",
    ...(body === undefined ? {} : { "content-type": "application/json" }),
    ...more
  },
  body: body === undefined ? "" : JSON.stringify(body)
})

export const noCredentials = challenged(401, `Bearer scope="todos:read", ${metadata}`, undefined)

const invalidText = "The access token is expired, revoked, malformed or not issued for this server"
export const invalidToken = challenged(
  401,
  `Bearer error="invalid_token", scope="todos:read", ${metadata}, ${described(invalidText)}`,
  { error: "invalid_token", error_description: invalidText }
)

const overQuota = plain(429, {
  error: "too_many_requests",
  error_description: "Too many requests; try again after the time in Retry-After"
}, { "retry-after": "3600" })

export const malformed = (text: string) =>
  challenged(400, `Bearer error="invalid_request", ${metadata}, ${described(text)}`, {
    error: "invalid_request",
    error_description: text
  })
export const oneToken = malformed(
  "The Authorization header must appear once, with a scheme, one space and one token (RFC 6750 section 2.1)"
)

const lacks = "The access token lacks a scope that this operation needs"
export const insufficient = (scope: string) =>
  challenged(403, `Bearer error="insufficient_scope", scope="${scope}", ${metadata}, ${described(lacks)}`, {
    error: "insufficient_scope",
    error_description: lacks,
    scope
  })

const signIn = (scope: string) => challenged(401, `Bearer scope="${scope}", ${metadata}`, undefined)

export const foreignOrigin = plain(403, {
  error: "invalid_request",
  error_description: "Requests from this origin are not allowed"
})
export const noSession = plain(404, undefined)
export const notJson = plain(400, { error: "invalid_request", error_description: "The request body is not JSON" })
const nameNotText = plain(400, {
  error: "invalid_request",
  error_description: "The name, URI or id of a tool, prompt, resource or task must be a string"
})

export const notJsonRpc = plain(400, {
  error: "invalid_request",
  error_description: "The request body must be a JSON-RPC 2.0 message, or a batch of such messages"
})
const tooDeep = plain(400, {
  error: "invalid_request",
  error_description: "The request body nests objects and arrays too deeply"
})
const tooMany = plain(400, {
  error: "invalid_request",
  error_description: "The request body has more operations than this server accepts in one request"
})
export const contentType = plain(415, {
  error: "invalid_request",
  error_description: "The request body must have the content type application/json"
})
const tooLarge = plain(413, {
  error: "invalid_request",
  error_description: "The request body is larger than this server accepts"
})
const nameTooLong = plain(400, {
  error: "invalid_request",
  error_description: "The name, URI or id of a tool, prompt, resource or task has more than 8192 characters"
})
export const unlisted = plain(403, {
  error: "access_denied",
  error_description: "This server rejects operations for which no scopes are configured"
})
export const unavailable = plain(
  503,
  {
    error: "temporarily_unavailable",
    error_description: "Access tokens cannot be checked at the moment; try again later"
  },
  { "retry-after": "1" }
)

/** The same response with the CORS headers that let a page of an allowed origin read it. */
export const readable = (rejected: Rejected): Rejected => {
  const exposed = [
    rejected.headers["access-control-expose-headers"],
    "retry-after" in rejected.headers ? "Retry-After" : undefined
  ].filter((_) => _ !== undefined)
  return {
    ...rejected,
    headers: {
      ...rejected.headers,
      ...(exposed.length === 0 ? {} : { "access-control-expose-headers": exposed.join(", ") }),
      "access-control-allow-origin": origin,
      vary: "Origin"
    }
  }
}

export const sentByClients =
  "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, " +
  "mcp-method, mcp-name, dpop"

export const preflight = (requested: Lines = [["access-control-request-method", "POST"]], from = origin): Sent => ({
  method: "OPTIONS",
  path: "/mcp",
  headers: [["origin", from], ...requested]
})

export const preflightAnswer = (headers = sentByClients): Rejected => ({
  status: 204,
  headers: {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
    "access-control-allow-headers": headers,
    "access-control-max-age": "7200",
    vary: "Origin, Access-Control-Request-Headers"
  },
  body: ""
})

export const ran = (...lines: ReadonlyArray<string>): Expected => ({ ran: lines })
export const accepted: Expected = { ran: [] }

/* The table */

export const one = (
  title: string,
  sent: (tokens: Tokens) => Sent,
  expected: Expected,
  settings?: Settings
): Case => ({
  title,
  ...(settings === undefined ? {} : { settings }),
  steps: (tokens) => [{ sent: sent(tokens), expected }]
})

export const lines = (value: string): Lines => [["authorization", value]]
export const anonymous: Settings = { anonymous: "allow-unscoped" }

const encodeName = (sent: Sent): Sent => ({
  ...sent,
  headers: sent.headers.map(([name, value]) =>
    [name, name === "mcp-name" ? `=?base64?${btoa(value)}?=` : value] as const
  )
})

/** A valid message to which other members are added. */
const withMember = (json: string) =>
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","arguments":{}},${json}}`

/** Bodies that are not JSON-RPC 2.0. Each name states the fault. */
const notMessages: Readonly<Record<string, string>> = {
  "headers": withMember(`"headers":[["mcp-session-id","x"]]`),
  "traceId, spanId and sampled": withMember(`"traceId":"a","spanId":"b","sampled":true`),
  "discard": withMember(`"discard":true`),
  "_tag": withMember(`"_tag":"Request"`),
  "chunk": `{"jsonrpc":"2.0","id":1,"chunk":true,"result":[]}`,
  "__proto__": withMember(`"__proto__":{"headers":[]}`),
  "an error with _tag": `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"","_tag":"Defect","data":{}}}`,
  "no version": `{"id":1,"method":"tools/call","params":{"name":"list_todos"}}`,
  "another version": `{"jsonrpc":"1.0","id":1,"method":"tools/call","params":{"name":"list_todos"}}`,
  "a version that is a number": `{"jsonrpc":2.0,"id":1,"method":"tools/call","params":{"name":"list_todos"}}`,
  "an id that is an object": `{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{"name":"list_todos"}}`,
  "an id that is a boolean": `{"jsonrpc":"2.0","id":true,"method":"tools/call","params":{"name":"list_todos"}}`,
  "an id that is null": `{"jsonrpc":"2.0","id":null,"method":"tools/call","params":{"name":"list_todos"}}`,
  "an id that is infinite": `{"jsonrpc":"2.0","id":1e999,"method":"tools/call","params":{"name":"list_todos"}}`,
  "a method in a list": `{"jsonrpc":"2.0","id":1,"method":["tools/call"],"params":{"name":"list_todos"}}`,
  "params that are a string": `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":"list_todos"}`,
  "params that are null": `{"jsonrpc":"2.0","id":1,"method":"tools/list","params":null}`,
  "a request that is a response as well": withMember(`"result":{}`),
  "a response that is an error as well": `{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}`,
  "neither a request nor a response": `{"jsonrpc":"2.0","id":1}`,
  "a member hidden by a later member of the same name": withMember(`"method":7`)
}

const bodiesOfNoMessage: Readonly<Record<string, string>> = {
  "a batch in a batch": `[[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos"}}]]`,
  "an empty batch": "[]",
  "a batch of numbers": "[1,2]",
  "a batch of empty batches": "[[],[]]",
  "a batch with null": `[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos"}},null]`,
  "a batch with a foreign member in its last message": `[{"jsonrpc":"2.0","id":1,"method":"ping"},${
    withMember(`"headers":[]`)
  }]`,
  "null": "null",
  "a string": `"tools/call"`,
  "a number": "1",
  "true": "true"
}

const nested = (levels: number) => {
  // The message, its params and the arguments are the first three levels.
  const inside = "[".repeat(levels - 3) + "]".repeat(levels - 3)
  return `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_todos","arguments":{"a":${inside}}}}`
}

const bytes = (...numbers: ReadonlyArray<number>) => new Uint8Array(numbers)

export const cases: ReadonlyArray<Case> = [
  // Credentials
  one("HDR-01 no credentials", () => call([], "list_todos"), noCredentials),
  one("HDR-09 another scheme", () => call(lines("Basic YWxpY2U6c2VjcmV0"), "list_todos"), noCredentials),
  one(
    "HDR-09 a scheme with parameters",
    () => call(lines(`Digest username="a", realm="b"`), "list_todos"),
    noCredentials
  ),
  one("an empty header", () => call(lines(""), "list_todos"), noCredentials),
  one(
    "HDR-03 Bearer without a token",
    () => call(lines("Bearer"), "list_todos"),
    malformed("The Authorization header has a scheme but no token")
  ),
  one("HDR-04 several words", () => call(lines("Bearer a b c"), "list_todos"), oneToken),
  one("HDR-11 a tab", ({ reader }) => call(lines(`Bearer\t${reader}`), "list_todos"), oneToken),
  one("HDR-06 a word without a scheme", () => call(lines("@@@"), "list_todos"), oneToken),
  one(
    "a middleware in front of the gate sets Authorization",
    ({ reader }) => call([], "list_todos", [[gatewayHeader, `Bearer ${reader}`]]),
    ran("list_todos alice")
  ),
  one(
    "a middleware in front of the gate replaces an invalid token by a valid one",
    ({ reader }) => call(bearer("garbage"), "list_todos", [[gatewayHeader, `Bearer ${reader}`]]),
    ran("list_todos alice")
  ),
  one(
    "a middleware in front of the gate replaces a valid token by an invalid one",
    ({ reader }) => call(bearer(reader), "list_todos", [[gatewayHeader, "Bearer garbage"]]),
    invalidToken
  ),
  one(
    "a middleware in front of the gate replaces the token of another caller",
    ({ bob, reader }) => call(bearer(bob), "list_todos", [[gatewayHeader, `Bearer ${reader}`]]),
    ran("list_todos alice")
  ),
  one(
    "a middleware in front of the gate removes Authorization",
    ({ reader }) => call(bearer(reader), "list_todos", [[gatewayHeader, "none"]]),
    noCredentials
  ),
  one(
    "HDR-12 two lines, both good",
    ({ reader }) => call([...bearer(reader), ...bearer(reader)], "list_todos"),
    oneToken
  ),
  one(
    "HDR-12 two lines, Basic first",
    ({ reader }) => call([...lines("Basic x"), ...bearer(reader)], "list_todos"),
    oneToken
  ),
  one(
    "HDR-12 two lines, Bearer first",
    ({ reader }) => call([...bearer(reader), ...lines("Basic x")], "list_todos"),
    oneToken
  ),
  one(
    "HDR-12 two lines, the second empty",
    ({ reader }) => call([...bearer(reader), ...lines("")], "list_todos"),
    oneToken
  ),
  one(
    "HDR-12 two lines of other schemes",
    () => call([...lines("Basic x"), ...lines("Basic y")], "list_todos"),
    oneToken
  ),
  ...([
    ["Basic abc, Bearer TOKEN", oneToken],
    ["Bearer TOKEN, Basic abc", oneToken],
    ["Bearer TOKEN,Basic abc", oneToken],
    ["Bearer TOKEN,\tBearer TOKEN", oneToken],
    ["Basic abc,Bearer TOKEN", oneToken],
    ["Basic abc,\tBearer TOKEN", oneToken],
    ["DPoP abc, Bearer TOKEN", oneToken],
    ["Digest username=\"a\", Bearer TOKEN", oneToken],
    ["Digest username=\"a\", realm=\"b\", Bearer TOKEN", oneToken],
    ["Bearer TOKEN, Digest username=\"a\", realm=\"b\"", oneToken],
    ["Basic abc, Digest username=\"a\", realm=\"b\"", oneToken],
    ["Basic abc, Negotiate", oneToken],
    ["Negotiate, Bearer TOKEN", oneToken],
    ["Basic abc, Bearer", oneToken],
    ["Basic abc, @@@", oneToken],
    ["Bearer a,b", oneToken],
    ["Bearer TOKEN,", oneToken],
    [",Bearer TOKEN", oneToken],
    ["Basic abc,", oneToken],
    ["Basic abc, , Basic def", oneToken],
    [", ", oneToken],
    ["Digest a=\"b, c\", d=e", noCredentials],
    ["Digest a=\"b, Bearer TOKEN\", d = \"\\\", Bearer TOKEN\"", noCredentials]
  ] as const).map(([value, expected]) =>
    one(
      `[T-AUD-24] HDR-12 one line that reads ${JSON.stringify(value)}`,
      ({ reader }) => call(lines(value.replaceAll("TOKEN", reader)), "list_todos"),
      expected
    )
  ),
  one(
    "[T-AUD-24] HDR-12 two lines, of which the second holds parameters of the first",
    () => call([...lines("Digest a=\"b\""), ...lines("c=\"d\"")], "list_todos"),
    noCredentials
  ),
  one(
    "HDR-07 the scheme ignores case",
    ({ reader }) => call(lines(`bEaReR ${reader}`), "list_todos"),
    ran("list_todos alice")
  ),
  one(
    "HDR-14 a token in the query string",
    ({ reader }) => ({ ...call([], "list_todos"), path: `/mcp?access_token=${reader}` }),
    noCredentials
  ),
  one(
    "HDR-15 a token in the body",
    ({ reader }) => ask([], "tools/call", { name: "list_todos", arguments: {}, access_token: reader }),
    noCredentials
  ),
  one(
    "HDR-16 a token in a form and one in the header: only the header counts, and a form is not a message",
    ({ none, reader }) => ({
      method: "POST",
      path: "/mcp",
      headers: [...bearer(none), ["content-type", "application/x-www-form-urlencoded"]],
      body: `access_token=${reader}`
    }),
    contentType
  ),
  one(
    "HDR-16 a token in the body and one in the header: only the header counts",
    ({ none, reader }) => ask(bearer(none), "tools/call", { name: "list_todos", arguments: {}, access_token: reader }),
    insufficient("todos:read")
  ),
  one(
    "CHAL-10 JWT-21 a token for another resource: the response does not contain the reason",
    ({ foreign }) => call(bearer(foreign), "list_todos"),
    invalidToken
  ),
  one("JWT-15 an expired token", ({ expired }) => call(bearer(expired), "list_todos"), invalidToken),
  one("an invalid token", () => call(bearer("garbage"), "list_todos"), invalidToken),
  one(
    "CHAL-17 an expired token without a scope",
    ({ expiredNone }) => call(bearer(expiredNone), "add_todo"),
    invalidToken
  ),

  // Scopes
  one("a call with a granted scope", ({ reader }) => call(bearer(reader), "list_todos"), ran("list_todos alice")),
  one("a call that requires no scope", ({ none }) => call(bearer(none), "whoami"), ran("whoami alice")),
  one("CHAL-03 SCOPE-07 a missing scope", ({ none }) => call(bearer(none), "list_todos"), insufficient("todos:read")),
  one(
    "SCOPE-09 one of two scopes is missing: the challenge names both",
    ({ reader }) => call(bearer(reader), "add_todo"),
    insufficient("todos:read todos:write")
  ),
  one("a call with both scopes", ({ writer }) => call(bearer(writer), "add_todo"), ran("add_todo alice")),
  one(
    "the challenge for an old client also names the granted scopes",
    ({ reader }) =>
      raw(bearer(reader), JSON.stringify(message(1, "prompts/get", { name: "plan" })), [
        ["mcp-protocol-version", "2025-06-18"]
      ]),
    insufficient("todos:write todos:read")
  ),
  one(
    "a resource",
    ({ reader }) => ask(bearer(reader), "resources/read", { uri: "todo://1" }),
    ran("todo://1 alice")
  ),
  one(
    "a resource without its scope",
    ({ none }) => ask(bearer(none), "resources/read", { uri: "todo://1" }),
    insufficient("todos:read")
  ),
  one(
    "SCOPE-15 subscribing to a resource requires the scopes of reading it",
    ({ none }) => ask(bearer(none), "resources/subscribe", { uri: "todo://1" }),
    insufficient("todos:read")
  ),
  one(
    "SCOPE-20 a prompt without its scope, which the metadata does not list",
    ({ reader }) => ask(bearer(reader), "prompts/get", { name: "plan" }),
    insufficient("todos:write")
  ),
  one(
    "SCOPE-15 completing an argument requires the scopes of its prompt",
    ({ reader }) =>
      ask(bearer(reader), "completion/complete", {
        ref: { type: "ref/prompt", name: "plan" },
        argument: { name: "a", value: "" }
      }),
    insufficient("todos:write")
  ),
  one(
    "MCP-03 the headers name a harmless operation",
    ({ none }) => {
      const { headers, ...sent } = call(bearer(none), "list_todos")
      return {
        ...sent,
        headers: headers.map(([name, value]) => [name, name === "mcp-name" ? "whoami" : value] as const)
      }
    },
    insufficient("todos:read")
  ),

  one(
    "MCP-04 an encoded Mcp-Name without the scope",
    ({ none }) => encodeName(call(bearer(none), "list_todos")),
    insufficient("todos:read")
  ),
  one(
    "MCP-04 an encoded Mcp-Name",
    ({ reader }) => encodeName(call(bearer(reader), "list_todos")),
    ran("list_todos alice")
  ),

  // Several spellings of one body
  one(
    "two members with the same name: the last counts, for the gate and the server",
    ({ none }) =>
      raw(
        bearer(none),
        `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call",` +
          `"params":{"name":"whoami","name":"list_todos","arguments":{}}}`
      ),
    insufficient("todos:read")
  ),
  one(
    "escaped letters count as letters",
    ({ none }) =>
      raw(
        bearer(none),
        String.raw`{"jsonrpc":"2.0","id":1,"method":"tools\u002fcall","params":{"name":"li\u0073t_todos"}}`
      ),
    insufficient("todos:read")
  ),
  one(
    "a notification counts as a call",
    ({ none }) => raw(bearer(none), JSON.stringify(message(undefined, "tools/call", { name: "list_todos" }))),
    insufficient("todos:read")
  ),
  one(
    "a batch is rejected as a whole, with the union of its scopes",
    ({ none }) =>
      raw(
        bearer(none),
        JSON.stringify([callOf("whoami"), callOf("list_todos"), message(3, "prompts/get", { name: "plan" })])
      ),
    insufficient("todos:read todos:write")
  ),
  {
    title: "a batch with all scopes",
    steps: ({ reader }) => [
      { sent: initialize(bearer(reader), "2025-03-26"), expected: accepted },
      {
        sent: inSession(bearer(reader), message(undefined, "notifications/initialized", {}), "2025-03-26"),
        expected: { ran: [], status: 202 }
      },
      {
        sent: inSession(bearer(reader), [callOf("whoami"), { ...callOf("list_todos"), id: 3 }], "2025-03-26"),
        expected: ran("whoami alice", "list_todos alice")
      }
    ]
  },

  // Bodies
  one(
    "[T-AUD-06l] a name that takes long to look up",
    ({ writer }) =>
      raw(
        bearer(writer),
        JSON.stringify({
          jsonrpc: "2.0",
          id: 1,
          method: "resources/read",
          params: { uri: `todo://${"1".repeat(8186)}` }
        })
      ),
    nameTooLong
  ),
  one("not JSON", ({ reader }) => raw(bearer(reader), "{"), notJson),
  one("an empty body", ({ reader }) => raw(bearer(reader), ""), notJson),
  one("not UTF-8", ({ reader }) => raw(bearer(reader), bytes(0x22, 0xff, 0xfe, 0x22)), notJson),
  one("a byte order mark", ({ reader }) => raw(bearer(reader), bytes(0xef, 0xbb, 0xbf, 0x7b, 0x7d)), notJson),
  ...Object.entries(notMessages).map(([what, body]) =>
    one(
      `[T-AUD-04a] rejects a message that is not JSON-RPC 2.0: ${what}`,
      ({ reader }) => raw(bearer(reader), body),
      notJsonRpc
    )
  ),
  ...Object.entries(bodiesOfNoMessage).map(([what, body]) =>
    one(
      `[T-AUD-04b] rejects a body that holds no message: ${what}`,
      ({ reader }) => raw(bearer(reader), body),
      notJsonRpc
    )
  ),
  one(
    "[T-AUD-04d] rejects a name that is not a string, which some servers look up as one",
    ({ reader }) =>
      raw(bearer(reader), JSON.stringify(message(1, "tools/call", { name: ["add_todo"], arguments: {} }))),
    nameNotText
  ),
  one(
    "[T-AUD-06a] rejects a batch of more operations than the limit, before any of them is looked up",
    ({ none }) =>
      raw(
        bearer(none),
        JSON.stringify(Array.from({ length: 101 }, (_, id) => message(id, "resources/read", { uri: "todo://1" })))
      ),
    tooMany
  ),
  one(
    "[T-AUD-06a] counts the URIs of a subscription as operations",
    ({ none }) =>
      ask(bearer(none), "subscriptions/listen", {
        notifications: { resourceSubscriptions: Array.from({ length: 100 }, () => "todo://1") }
      }),
    tooMany
  ),
  one(
    "[T-AUD-06a] authorizes as many operations as the limit allows",
    ({ none }) =>
      ask(bearer(none), "subscriptions/listen", {
        notifications: { resourceSubscriptions: Array.from({ length: 99 }, () => "todo://1") }
      }),
    insufficient("todos:read")
  ),
  one(
    "[T-AUD-06a] rejects a body that is nested too deeply",
    ({ none }) => raw(bearer(none), nested(65)),
    tooDeep
  ),
  one(
    "[T-AUD-06a] rejects a body that is nested very deeply, without an end",
    ({ none }) => raw(bearer(none), "[".repeat(1_000_000)),
    tooDeep
  ),
  one(
    "[T-AUD-06a] authorizes a body that is nested as deeply as the limit allows",
    ({ none }) => raw(bearer(none), nested(64)),
    insufficient("todos:read")
  ),
  {
    ...one(
      "a body that is too large",
      ({ reader }) => raw(bearer(reader), `"${"x".repeat(4 * 1024 * 1024)}"`),
      tooLarge
    ),
    notOn: "workerd"
  },
  {
    ...one(
      "a body that is announced as too large: the gate does not wait for it",
      ({ reader }) => ({ ...raw(bearer(reader), `"x`), announced: 4 * 1024 * 1024 + 1 }),
      tooLarge
    ),
    notOn: "node:http, body already read"
  },
  ...["text/plain", "text/plain; a=application/json", "application/json-seq", "multipart/form-data; boundary=x"].map((
    type
  ) =>
    one(
      `MCP-07 a body of type ${type}`,
      ({ reader }) => ({
        method: "POST",
        path: "/mcp",
        headers: [...bearer(reader), ["accept", "application/json, text/event-stream"], ["content-type", type]],
        body: "{}"
      }),
      contentType
    )
  ),
  one("HDR-18 no credentials, and a body that is not JSON: the body is not read", () => raw([], "{"), noCredentials),

  // Browsers
  ...["https://evil.test", "https://app.test.evil.test", "null", "nonsense", `${origin}, ${origin}`].map((from) =>
    one(
      `MCP-09 the origin ${from}`,
      ({ reader }) => call(bearer(reader), "list_todos", [["origin", from]]),
      foreignOrigin
    )
  ),
  one(
    "an allowed origin",
    ({ reader }) => call(bearer(reader), "list_todos", [["origin", origin]]),
    ran("list_todos alice")
  ),
  one(
    "[T-AUD-02b] a page of an allowed origin reads why it needs credentials",
    () => call([], "list_todos", [["origin", origin]]),
    readable(noCredentials)
  ),
  one(
    "[T-AUD-02b] a page of an allowed origin reads why its token is rejected",
    ({ expired }) => call(bearer(expired), "list_todos", [["origin", origin]]),
    readable(invalidToken)
  ),
  one(
    "[T-AUD-02b] a page of an allowed origin reads which scopes it needs",
    ({ none }) => call(bearer(none), "list_todos", [["origin", origin]]),
    readable(insufficient("todos:read"))
  ),
  one(
    "[T-AUD-02b] a page of an allowed origin reads that its body is not JSON",
    ({ reader }) => raw(bearer(reader), "{", [["origin", origin]]),
    readable(notJson)
  ),
  one(
    "[T-AUD-02b] a page of an allowed origin reads that its session does not exist",
    ({ reader }) =>
      raw(bearer(reader), JSON.stringify(callOf("list_todos")), [["mcp-session-id", "made-up"], ["origin", origin]]),
    readable(noSession)
  ),
  one("[T-AUD-02a] a preflight of an allowed origin is answered by the gate", () => preflight(), preflightAnswer()),
  one(
    "[T-AUD-02a] a preflight with a token is answered by the gate",
    ({ writer }) => preflight([["access-control-request-method", "POST"], ...bearer(writer)]),
    preflightAnswer()
  ),
  one(
    "[T-AUD-02a] a preflight is answered by the gate if anonymous callers are allowed",
    () => preflight(),
    preflightAnswer(),
    anonymous
  ),
  one(
    "[T-AUD-02a] a preflight for a method that CORS does not allow is answered by the gate",
    () => preflight([["access-control-request-method", ""]]),
    preflightAnswer()
  ),
  one(
    "[T-AUD-02a] a preflight allows the requested headers, such as those of x-mcp-header",
    () =>
      preflight([
        ["access-control-request-method", "POST"],
        ["access-control-request-headers", "Authorization,mcp-param-region , content-type,traceparent"]
      ]),
    preflightAnswer(`${sentByClients}, mcp-param-region, traceparent`)
  ),
  ...["a b, c", "x".repeat(2000), "ok, <script>", "*"].map((requested) =>
    one(
      `[T-AUD-02a] a preflight does not echo names that are not header names: ${requested.slice(0, 20)}`,
      () => preflight([["access-control-request-method", "POST"], ["access-control-request-headers", requested]]),
      preflightAnswer(
        requested === "a b, c"
          ? `${sentByClients}, c`
          : requested === "ok, <script>"
          ? `${sentByClients}, ok`
          : sentByClients
      )
    )
  ),
  ...["https://evil.test", "null", "", `${origin}.evil.test`].map((from) => ({
    ...one(
      `[T-AUD-02a] a preflight of another origin is rejected: ${from}`,
      () => preflight([["access-control-request-method", "POST"]], from),
      foreignOrigin
    ),
    // workerd drops a header without a value, so the server does not receive an empty `Origin`.
    ...(from === "" ? { notOn: "workerd" } : {})
  })),
  one(
    "[T-AUD-02a] OPTIONS without Origin and Access-Control-Request-Method needs credentials",
    () => ({ method: "OPTIONS", path: "/mcp", headers: [] }),
    noCredentials
  ),
  one(
    "[T-AUD-02a] OPTIONS without Origin needs credentials",
    () => ({ method: "OPTIONS", path: "/mcp", headers: [["access-control-request-method", "POST"]] }),
    noCredentials
  ),
  one(
    "[T-AUD-02a] OPTIONS without Access-Control-Request-Method needs credentials",
    () => ({ method: "OPTIONS", path: "/mcp", headers: [["origin", origin]] }),
    readable(noCredentials)
  ),
  ...["POST", "GET", "DELETE"].map((method) =>
    one(
      `[T-AUD-02a] ${method} with the headers of a preflight needs credentials`,
      () => ({
        method,
        path: "/mcp",
        headers: [["origin", origin], ["access-control-request-method", "POST"]]
      }),
      readable(noCredentials)
    )
  ),

  // Other methods
  ...["GET", "DELETE"].map((method) =>
    one(`${method} without credentials`, () => ({ method, path: "/mcp", headers: [] }), noCredentials)
  ),
  ...["GET", "DELETE"].map((method) =>
    one(
      `${method} with a bad token`,
      ({ expired }) => ({ method, path: "/mcp", headers: bearer(expired) }),
      invalidToken
    )
  ),

  // Sessions
  {
    title: "SESS-01 SESS-02 SESS-04 a session belongs to the caller who opened it",
    steps: ({ bob, otherClient, reader }) => [
      { sent: initialize(bearer(reader)), expected: accepted },
      { sent: inSession(bearer(bob), callOf("list_todos")), expected: noSession },
      { sent: inSession(bearer(otherClient), callOf("list_todos")), expected: noSession },
      { sent: inSession([], callOf("list_todos")), expected: noCredentials },
      ...(["GET", "DELETE"] as const).map((method): Step => ({
        sent: (before) => ({
          method,
          path: "/mcp",
          headers: [...bearer(bob), ["mcp-session-id", before[0]!.headers["mcp-session-id"]!]]
        }),
        expected: noSession
      })),
      {
        sent: inSession(bearer(reader), message(undefined, "notifications/initialized", {})),
        expected: { ran: [], status: 202 }
      },
      { sent: inSession(bearer(reader), callOf("list_todos")), expected: ran("list_todos alice") },
      {
        sent: (before) => ({
          method: "DELETE",
          path: "/mcp",
          headers: [
            ...bearer(reader),
            ["mcp-session-id", before[0]!.headers["mcp-session-id"]!],
            ["mcp-protocol-version", "2025-11-25"]
          ]
        }),
        expected: { ran: [], status: 204 }
      },
      { sent: inSession(bearer(reader), callOf("list_todos")), expected: noSession }
    ]
  },
  {
    title: "[T-AUD-20] a caller who opens too many sessions loses the oldest of them, and no other caller does",
    settings: { sessionsPerCaller: 1 },
    steps: ({ bob, reader }) => [
      { sent: initialize(bearer(bob)), expected: accepted },
      { sent: initialize(bearer(reader)), expected: accepted },
      { sent: initialize(bearer(reader)), expected: accepted },
      { sent: inSession(bearer(reader), callOf("list_todos"), "2025-11-25", 1), expected: noSession },
      { sent: inSession(bearer(reader), callOf("list_todos"), "2025-11-25", 2), expected: ran("list_todos alice") },
      { sent: inSession(bearer(bob), callOf("list_todos")), expected: ran("list_todos bob") }
    ]
  },
  // A window of a day, so that `Retry-After` does not depend on the time that the steps take.
  {
    title:
      "[T-QUOTA-01] a caller that exceeds its quota of requests is 429 before its body is read, and no other caller is",
    settings: { quotas: { requests: { limit: 2, window: "1 day" } } },
    steps: ({ bob, expired, otherClient, reader }) => [
      { sent: call(bearer(expired), "list_todos"), expected: invalidToken },
      { sent: call(bearer(reader), "list_todos"), expected: ran("list_todos alice") },
      { sent: call(bearer(otherClient), "list_todos"), expected: ran("list_todos alice") },
      { sent: raw(bearer(reader), "{"), expected: overQuota },
      { sent: call(bearer(reader), "add_todo"), expected: overQuota },
      { sent: call(bearer(otherClient), "list_todos"), expected: overQuota },
      { sent: call(bearer(expired), "list_todos"), expected: invalidToken },
      {
        sent: call(bearer(reader), "list_todos", [["origin", origin]]),
        expected: {
          ...overQuota,
          headers: {
            ...overQuota.headers,
            "access-control-allow-origin": origin,
            "access-control-expose-headers": "Retry-After",
            vary: "Origin"
          }
        }
      },
      { sent: call(bearer(bob), "list_todos"), expected: ran("list_todos bob") }
    ]
  },
  {
    title: "[T-QUOTA-02] anonymous callers share one quota, and principals do not share it",
    settings: { anonymous: "allow-unscoped", quotas: { requests: { limit: 2, window: "1 day" } } },
    steps: ({ reader }) => [
      { sent: call([], "whoami"), expected: ran("whoami nobody") },
      { sent: call([], "whoami"), expected: ran("whoami nobody") },
      { sent: call([], "whoami"), expected: overQuota },
      { sent: call(bearer(reader), "whoami"), expected: ran("whoami alice") }
    ]
  },
  {
    title: "[T-QUOTA-01] a caller that opens too many sessions is 429, and its sessions still serve it",
    settings: { quotas: { sessions: { limit: 1, window: "1 day" } } },
    steps: ({ bob, reader }) => [
      { sent: initialize(bearer(reader)), expected: accepted },
      { sent: initialize(bearer(reader)), expected: overQuota },
      { sent: inSession(bearer(reader), callOf("list_todos")), expected: ran("list_todos alice") },
      { sent: initialize(bearer(bob)), expected: accepted }
    ]
  },
  one(
    "a session that was never opened",
    ({ reader }) => raw(bearer(reader), JSON.stringify(callOf("list_todos")), [["mcp-session-id", "made-up"]]),
    noSession
  ),
  one(
    "the session of another caller is rejected before the body is read",
    ({ reader }) => raw(bearer(reader), "{", [["mcp-session-id", "made-up"]]),
    noSession
  ),

  // Anonymous callers
  one("anonymous: an operation without scopes", () => call([], "whoami"), ran("whoami nobody"), anonymous),
  one(
    "anonymous: an operation with a scope is challenged",
    () => call([], "list_todos"),
    signIn("todos:read"),
    anonymous
  ),
  one(
    "anonymous: the challenge names the operation's scopes and the baseline",
    () => ask([], "prompts/get", { name: "plan" }),
    signIn("todos:read todos:write"),
    anonymous
  ),
  one(
    "HDR-19 anonymous: an invalid token is rejected",
    ({ expired }) => call(bearer(expired), "whoami"),
    invalidToken,
    anonymous
  ),
  one("HDR-19 anonymous: another scheme is rejected", () => call(lines("Basic x"), "whoami"), noCredentials, anonymous),
  one(
    "anonymous: a valid token is used",
    ({ reader }) => call(bearer(reader), "whoami"),
    ran("whoami alice"),
    anonymous
  ),
  {
    title: "SESS-05 anonymous: a session is claimed once",
    settings: anonymous,
    steps: ({ bob, reader }) => [
      { sent: initialize([]), expected: accepted },
      { sent: inSession([], message(undefined, "notifications/initialized", {})), expected: { ran: [], status: 202 } },
      { sent: inSession([], callOf("whoami")), expected: ran("whoami nobody") },
      { sent: inSession([], callOf("list_todos")), expected: signIn("todos:read") },
      { sent: inSession(bearer(reader), callOf("list_todos")), expected: ran("list_todos alice") },
      { sent: inSession([], callOf("whoami")), expected: noCredentials },
      { sent: inSession(bearer(bob), callOf("whoami")), expected: noSession },
      { sent: inSession(bearer(reader), callOf("whoami")), expected: ran("whoami alice") }
    ]
  },

  // Tasks
  ...["tasks/get", "tasks/result", "tasks/cancel", "tasks/update", "tasks/list"].map((method) =>
    one(
      `[T-AUD-20e] ${method} requires a caller where anonymous requests are allowed`,
      () => ask([], method, method === "tasks/list" ? {} : { taskId: "1" }),
      noCredentials,
      anonymous
    )
  ),
  one(
    "[T-AUD-20e] a task without a policy is rejected under unlisted: \"deny\"",
    ({ reader }) => ask(bearer(reader), "tasks/get", { taskId: "1" }),
    unlisted,
    { unlisted: "deny" }
  ),
  one(
    "[T-AUD-20e] the id of a task that is not a string is rejected",
    ({ reader }) => ask(bearer(reader), "tasks/get", { taskId: ["1"] }),
    nameNotText
  ),
  // `unlisted: "deny"`
  one("unlisted: an operation without scopes is rejected", ({ writer }) => call(bearer(writer), "whoami"), unlisted, {
    unlisted: "deny"
  }),
  one(
    "unlisted: an operation with a granted scope runs",
    ({ reader }) => call(bearer(reader), "list_todos"),
    ran("list_todos alice"),
    { unlisted: "deny" }
  ),

  // Servers without scopes
  {
    title: "scopes: [] means that any valid token is enough, and the challenges name no scope",
    settings: { isWithoutScopes: true },
    steps: ({ expired, foreign, none, reader }) => [
      { sent: call([], "whoami"), expected: challenged(401, `Bearer ${metadata}`, undefined) },
      { sent: call(bearer(none), "whoami"), expected: ran("whoami alice") },
      { sent: call(bearer(reader), "whoami"), expected: ran("whoami alice") },
      ...[expired, foreign].map((token) => ({
        sent: call(bearer(token), "whoami"),
        expected: challenged(401, `Bearer error="invalid_token", ${metadata}, ${described(invalidText)}`, {
          error: "invalid_token",
          error_description: invalidText
        })
      }))
    ]
  },
  one(
    "scopes: [] with unlisted: \"deny\" rejects every tool",
    ({ reader }) => call(bearer(reader), "whoami"),
    unlisted,
    { isWithoutScopes: true, unlisted: "deny" }
  ),

  // Outages
  {
    title: "CHAL-08 the authorization server is unavailable",
    outage: true,
    steps: ({ reader }) => [
      { sent: call(bearer(reader), "list_todos"), expected: unavailable },
      { sent: call([], "list_todos"), expected: noCredentials },
      {
        sent: call(bearer(reader), "list_todos", [["origin", origin]]),
        expected: readable(unavailable)
      }
    ]
  }
]
