import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Redacted from "effect/Redacted"
import * as Mcp from "../probe/McpProbe.ts"
import * as McpWire from "../probe/McpWire.ts"
import { negotiate } from "../probe/Negotiate.ts"
import * as Probe from "../probe/Probe.ts"
import type { Revision } from "../report/Rule.ts"
import { type ForeignObservation, getStatus, type TokenObservations } from "./Observations.ts"
import type { TokenAudience } from "./TokenAudience.ts"

export const toBearer = (token: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${token}` })

/** The operations that a check requests with a token. None of them runs a tool. */
const operations: ReadonlyArray<Mcp.Operation & { readonly name: string }> = [
  { name: "prompts/list", method: "prompts/list", params: {} },
  { name: "resources/list", method: "resources/list", params: {} },
  { name: "tools/call of an unknown tool", method: "tools/call", params: { name: Mcp.unknownTool, arguments: {} } }
]

/**
 * Lists tools, in a session if the revision has sessions. Ends the session afterwards. `opened` is the response to the first
 * request of a client.
 */
export const listTools = <A>(
  url: string,
  revision: Mcp.WireRevision,
  opened: Probe.Exchange,
  headers: Readonly<Record<string, string>>,
  use: (list: Probe.Exchange, wire: Mcp.Client) => Effect.Effect<A, never, HttpClient.HttpClient>
): Effect.Effect<A, never, HttpClient.HttpClient> => {
  if (revision === McpWire.statelessRevision) return use(opened, { revision, headers })
  const session = getSession(opened)
  const wire: Mcp.Client = { revision, headers: { ...headers, ...session } }
  return Effect.gen(function*() {
    yield* Probe.send(url, Mcp.notify(wire, "notifications/initialized"))
    return yield* use(yield* Probe.send(url, Mcp.post(wire, "tools/list")), wire)
  }).pipe(Effect.ensuring(endSession(url, headers, session)))
}

const getSession = (opened: Probe.Exchange): Readonly<Record<string, string>> => {
  const id = getStatus(opened) === 200 && opened._tag === "Response" ? opened.headers["mcp-session-id"] : undefined
  return id === undefined ? {} : { "mcp-session-id": id }
}

const endSession = (
  url: string,
  headers: Readonly<Record<string, string>>,
  session: Readonly<Record<string, string>>
) =>
  "mcp-session-id" in session
    ? Effect.asVoid(Probe.send(url, { method: "DELETE", headers: { ...headers, ...session } }))
    : Effect.void

/** Sends requests with a token. Requests lists and an unknown tool only, so that no tool runs. */
export const observeToken = (
  url: string,
  newest: Revision,
  token: Redacted.Redacted,
  audience: TokenAudience
): Effect.Effect<TokenObservations, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const secret = Redacted.value(token)
    const authorization = toBearer(secret)
    const { exchange: first, revision } = yield* negotiate(url, newest, authorization)
    if (getStatus(first) === 401) {
      return {
        audience,
        first,
        list: first,
        operations: [],
        batch: undefined,
        sessionOnly: undefined,
        secret
      }
    }
    const requested = yield* listTools(
      url,
      revision,
      first,
      authorization,
      (list, wire) =>
        Effect.gen(function*() {
          const responses = yield* Effect.forEach(
            operations,
            ({ method, name, params }) =>
              Effect.map(Probe.send(url, Mcp.post(wire, method, params)), (exchange) => ({ name, exchange }))
          )
          const denied = operations.find(({ name }) =>
            responses.some((response) => response.name === name && getStatus(response.exchange) === 403)
          )
          const batch = denied === undefined
            ? undefined
            : yield* Probe.send(url, Mcp.batch(wire.headers, { method: denied.method, params: denied.params }))
          const operated = [{ name: "tools/list", exchange: list }, ...responses]
          return { list, operations: operated, batch }
        })
    )
    return { ...requested, audience, first, sessionOnly: yield* observeSession(url, authorization), secret }
  })

/** The newest revision with sessions. */
const sessionRevision: Revision = "2025-11-25"

/** Opens a session with a token, and uses it without the token. Returns `undefined` if the server has no sessions. */
const observeSession = (
  url: string,
  authorization: Readonly<Record<string, string>>
): Effect.Effect<Probe.Exchange | undefined, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { exchange, revision } = yield* negotiate(url, sessionRevision, authorization)
    const session = getSession(exchange)
    if (!("mcp-session-id" in session)) return undefined
    return yield* Probe.send(url, Mcp.post({ revision, headers: session }, "tools/list")).pipe(
      Effect.ensuring(endSession(url, authorization, session))
    )
  })

/** Sends a request with a token for another server. */
export const observeForeignToken = (
  url: string,
  newest: Revision,
  token: Redacted.Redacted,
  audience: TokenAudience
): Effect.Effect<ForeignObservation, never, HttpClient.HttpClient> =>
  Effect.flatMap(negotiate(url, newest, toBearer(Redacted.value(token))), ({ exchange, revision }) =>
    // Ends the session that an accepted token has opened.
    Effect.as(
      endSession(
        url,
        toBearer(Redacted.value(token)),
        revision === McpWire.statelessRevision ? {} : getSession(exchange)
      ),
      { audience, exchange }
    ))
