/** The rows of the table of cases for the option `structuredDenials`. The operations of these rows have scopes and no other policies. */
import {
  anonymous,
  ask,
  bearer,
  call,
  type Case,
  foreignOrigin,
  insufficient,
  invalidToken,
  message,
  noCredentials,
  one,
  ran,
  raw,
  readable,
  type Rejected,
  unlisted
} from "./cases.ts"
import { envelope, resultWith, signIn, toSignIn } from "./challengeCases.ts"
import { origin, type Settings } from "./Host.ts"
import { inHeader, key, lacks } from "./keyCases.ts"
import * as Keys from "./keys.ts"

const structured: Settings = { structuredDenials: true }
const withKeys: Settings = { ...structured, ...inHeader }
const inResults: Settings = { ...structured, authChallenge: "tool-result" }

/** A challenge in a tool result, with the envelope. */
const available = (challenge: string, text: string) =>
  resultWith(text, { "mcp/www_authenticate": [challenge], ...envelope("available") })

/** The same challenge and description, in a tool result with the envelope. */
const moved = ({ body, headers }: Rejected) =>
  available(headers["www-authenticate"]!, JSON.parse(body).error_description)

const keyLacks = "The API key lacks a scope that this operation needs: todos:read todos:write"
const addTodo = message(1, "tools/call", { name: "add_todo", arguments: {} })

export const denialCases: ReadonlyArray<Case> = [
  one(
    "[T-DENY-01] an API key without the scope is answered with an envelope",
    () => call(key(Keys.reader), "add_todo"),
    resultWith(keyLacks, envelope("undisclosed")),
    withKeys
  ),
  one(
    "a tool result with an envelope has the id of the call, and no resultType for an older revision",
    () =>
      raw([...key(Keys.reader)], JSON.stringify({ ...addTodo, id: "é\"1" }), [["mcp-protocol-version", "2025-11-25"]]),
    resultWith(keyLacks, envelope("undisclosed"), "é\"1", {}),
    withKeys
  ),
  one(
    "a page of an allowed origin reads an envelope",
    () => call(key(Keys.reader), "add_todo", [["origin", origin]]),
    readable(resultWith(keyLacks, envelope("undisclosed"))),
    withKeys
  ),
  one(
    "[T-DENY-02] a challenge of HTTP has no envelope: a missing scope",
    ({ reader }) => call(bearer(reader), "add_todo"),
    insufficient("todos:read todos:write"),
    structured
  ),
  one(
    "[T-DENY-02] a challenge of HTTP has no envelope: no credentials",
    () => call([], "list_todos"),
    noCredentials,
    structured
  ),
  one(
    "[T-DENY-02] a challenge of HTTP has no envelope: an expired token",
    ({ expired }) => call(bearer(expired), "list_todos"),
    invalidToken,
    structured
  ),
  one(
    "[T-DENY-01] a challenge in a tool result has an envelope: a missing scope",
    ({ reader }) => call(bearer(reader), "add_todo"),
    moved(insufficient("todos:read todos:write")),
    inResults
  ),
  one(
    "[T-DENY-01] a challenge in a tool result has an envelope: no credentials",
    () => call([], "list_todos"),
    available(toSignIn("todos:read"), signIn),
    inResults
  ),
  one(
    "[T-DENY-01] a challenge in a tool result has an envelope: an expired token",
    ({ expired }) => call(bearer(expired), "list_todos"),
    moved(invalidToken),
    inResults
  ),
  one(
    "[T-DENY-01] a challenge in a tool result has an envelope: an anonymous caller of a tool with scopes",
    () => call([], "add_todo"),
    available(toSignIn("todos:read todos:write"), signIn),
    { ...anonymous, ...inResults }
  ),
  one("the value false changes nothing", () => call(key(Keys.reader), "add_todo"), lacks("todos:read todos:write"), {
    ...inHeader,
    structuredDenials: false
  }),
  one(
    "a caller with the scope runs the tool",
    ({ reader }) => call(bearer(reader), "list_todos"),
    ran("list_todos alice"),
    structured
  ),
  ...([
    ["a prompt", ask(key(Keys.reader), "prompts/get", { name: "plan" }), "todos:write"],
    ["a batch of one tool call", raw([...key(Keys.reader)], JSON.stringify([addTodo])), "todos:read todos:write"],
    [
      "a notification",
      raw([...key(Keys.reader)], JSON.stringify(message(undefined, "tools/call", { name: "add_todo" }))),
      "todos:read todos:write"
    ],
    [
      "a call that asks for a task",
      ask(key(Keys.reader), "tools/call", { name: "add_todo", arguments: {}, task: { ttl: 60_000 } }),
      "todos:read todos:write"
    ]
  ] as const).map(([title, sent, scope]) =>
    one(`[T-DENY-02] the denial stays a status of HTTP for ${title}`, () => sent, lacks(scope), withKeys)
  ),
  one(
    "[T-DENY-03] an operation without scopes stays a 403 under unlisted: \"deny\"",
    ({ writer }) => call(bearer(writer), "whoami"),
    unlisted,
    { ...structured, unlisted: "deny" }
  ),
  one(
    "[T-DENY-02] a foreign origin stays a 403",
    () => call([], "list_todos", [["origin", "https://evil.test"]]),
    foreignOrigin,
    structured
  )
]
