/** The rows of the table of cases for the option `authChallenge`. */
import {
  anonymous,
  ask,
  bearer,
  call,
  type Case,
  contentType,
  foreignOrigin,
  initialize,
  insufficient,
  invalidToken,
  lines,
  message,
  metadata,
  noCredentials,
  noSession,
  one,
  oneToken,
  ran,
  raw,
  readable,
  type Rejected
} from "./cases.ts"
import { origin, type Settings } from "./Host.ts"

const toolResult: Settings = { authChallenge: "tool-result" }
const open: Settings = { ...anonymous, ...toolResult }

export const signIn = "Sign in to run this tool"

/** The envelope of a denial. Its `remediation` tells whether the client can act on the denial. */
export const envelope = (remediation: "available" | "undisclosed") => ({
  "io.modelcontextprotocol/authorization": { reason: "insufficient_authorization", remediation }
})

/** The response that is a tool result with this text and these members of `_meta`. */
export const resultWith = (
  text: string,
  meta: object,
  id: unknown = 1,
  first: object = { resultType: "complete" }
): Rejected => ({
  status: 200,
  headers: { "cache-control": "no-store", "content-type": "application/json" },
  body: JSON.stringify({
    jsonrpc: "2.0",
    id,
    result: { ...first, content: [{ type: "text", text }], isError: true, _meta: meta }
  })
})

/** The response that has a challenge in a tool result. */
const inResult = (challenge: string, text: string, id: unknown = 1, first?: object) =>
  resultWith(text, { "mcp/www_authenticate": [challenge] }, id, first)

/** The challenge of a caller without credentials. In a tool result it has an error, without which ChatGPT starts no sign-in. */
export const toSignIn = (scope: string) =>
  `Bearer error="insufficient_scope", scope="${scope}", ${metadata}, error_description="${signIn}"`

/** The same challenge, in a tool result. */
const moved = ({ body, headers }: Rejected) =>
  inResult(headers["www-authenticate"]!, JSON.parse(body).error_description)

const list = message(1, "tools/call", { name: "list_todos", arguments: {} })

export const challengeCases: ReadonlyArray<Case> = [
  one(
    "[T-LAZY-01] a tool result asks a caller without credentials to sign in",
    () => call([], "list_todos"),
    inResult(toSignIn("todos:read"), signIn),
    toolResult
  ),
  one(
    "[T-LAZY-01] a tool result asks the holder of an expired token to sign in",
    ({ expired }) => call(bearer(expired), "list_todos"),
    moved(invalidToken),
    toolResult
  ),
  one(
    "[T-LAZY-01] a tool result asks for a missing scope",
    ({ reader }) => call(bearer(reader), "add_todo"),
    moved(insufficient("todos:read todos:write")),
    toolResult
  ),
  one(
    "[T-LAZY-01] a tool result asks an anonymous caller for the scopes of the tool",
    () => call([], "add_todo"),
    inResult(toSignIn("todos:read todos:write"), signIn),
    open
  ),
  one("an anonymous caller runs a tool without scopes", () => call([], "whoami"), ran("whoami nobody"), open),
  one(
    "a caller with the scope runs the tool",
    ({ reader }) => call(bearer(reader), "list_todos"),
    ran("list_todos alice"),
    toolResult
  ),
  one(
    "a tool result for an older revision has no resultType",
    () => raw([], JSON.stringify({ ...list, id: "é\"1" }), [["mcp-protocol-version", "2025-11-25"]]),
    inResult(toSignIn("todos:read"), signIn, "é\"1", {}),
    toolResult
  ),
  one(
    "a page of an allowed origin reads the challenge in a tool result",
    () => call([], "list_todos", [["origin", origin]]),
    readable(inResult(toSignIn("todos:read"), signIn)),
    toolResult
  ),
  one("the value http changes nothing", () => call([], "list_todos"), noCredentials, { authChallenge: "http" }),

  ...([
    ["initialize", initialize([])],
    ["tools/list", ask([], "tools/list")],
    ["resources/read", ask([], "resources/read", { uri: "todo://1" })],
    ["prompts/get", ask([], "prompts/get", { name: "plan" })],
    ["a batch of one tool call", raw([], JSON.stringify([list]))],
    ["a batch of two tool calls", raw([], JSON.stringify([list, { ...list, id: 2 }]))],
    ["a notification", raw([], JSON.stringify(message(undefined, "tools/call", { name: "list_todos" })))],
    ["a body that is not JSON", raw([], "{")],
    ["a body that is not JSON-RPC 2.0", raw([], JSON.stringify({ ...list, extra: 1 }))],
    ["a body of another type", {
      ...raw([], JSON.stringify(list)),
      headers: [["content-type", "text/plain"], ["accept", "application/json"]] as const
    }],
    ["a GET request", { method: "GET", path: "/mcp", headers: [["accept", "text/event-stream"]] as const }],
    ["a DELETE request", { method: "DELETE", path: "/mcp", headers: [["mcp-session-id", "x"]] as const }]
  ] as const).map(([title, sent]) =>
    one(`[T-LAZY-02] the challenge stays a status of HTTP for ${title}`, () => sent, noCredentials, toolResult)
  ),
  {
    ...one(
      "[T-LAZY-02] the challenge stays a status of HTTP for a body that is too large",
      () => raw([], JSON.stringify({ ...list, params: { name: "x".repeat(4 * 1024 * 1024) } })),
      noCredentials,
      toolResult
    ),
    notOn: "workerd"
  },
  one(
    "[T-LAZY-02] the challenge stays a status of HTTP for a resource whose scope is missing",
    ({ none }) => ask(bearer(none), "resources/read", { uri: "todo://1" }),
    insufficient("todos:read"),
    toolResult
  ),
  one(
    "[T-LAZY-02] a malformed Authorization header stays a 400",
    () => call(lines("Bearer a b c"), "list_todos"),
    oneToken,
    toolResult
  ),
  one(
    "[T-LAZY-02] a foreign origin stays a 403",
    () => call([], "list_todos", [["origin", "https://evil.test"]]),
    foreignOrigin,
    toolResult
  ),
  one(
    "[T-LAZY-02] an unknown session stays a 404",
    ({ reader }) => raw(bearer(reader), JSON.stringify(list), [["mcp-session-id", "made-up"]]),
    noSession,
    toolResult
  ),
  one(
    "[T-LAZY-02] a body of another type with a valid token stays a 415",
    ({ reader }) => ({ ...raw(bearer(reader), "{}"), headers: [...bearer(reader), ["content-type", "text/plain"]] }),
    contentType,
    toolResult
  )
]
