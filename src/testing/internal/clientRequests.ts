import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type { Decision } from "../../authorization/Decision.ts"
import * as Challenge from "../../protocol/Challenge.ts"
import * as McpWire from "../../provider/probe/McpWire.ts"
import {
  CurrentCaller,
  CurrentSession,
  type HandlerOptions,
  type Mint,
  type TestCaller,
  type TestClient,
  type TestResponse
} from "./clientModel.ts"
import * as wire from "./wire.ts"

/** A response of the server, and the decisions of its gate. */
export interface Exchange {
  readonly response: Response
  readonly decisions: ReadonlyArray<Decision>
}

const toEffect = <A>(value: Effect.Effect<A> | Promise<A>): Effect.Effect<A> =>
  Effect.isEffect(value) ? value : Effect.promise(() => value)

/** Creates the headers that contain the credentials of a caller. */
const makeCredentials = (
  issuer: Mint | undefined,
  caller: TestCaller,
  request: Request
): Effect.Effect<Readonly<Record<string, string>>> => {
  if (caller === undefined) return Effect.succeed({})
  if (typeof caller === "string") return Effect.succeed({ authorization: `Bearer ${caller}` })
  if (Redacted.isRedacted(caller)) return Effect.succeed({ authorization: `Bearer ${Redacted.value(caller)}` })
  if ("headers" in caller) return Effect.succeed(caller.headers)
  if (issuer === undefined) {
    return Effect.die(
      new TypeError(
        "TestClient: a caller with subject and scopes needs an issuer that mints its token. Set issuer, or pass a token"
      )
    )
  }
  const { dpop, dpopNonce, ...token } = caller
  return Effect.flatMap(toEffect(issuer.mint({ ...token, boundTo: dpop?.thumbprint })), (token) =>
    dpop === undefined
      ? Effect.succeed({ authorization: `Bearer ${token}` })
      : toEffect<{ readonly authorization: string; readonly dpop: string }>(
        dpop.headers({ method: request.method, url: request.url, token, nonce: dpopNonce })
      ))
}

/** Creates a client that sends requests through `exchange`. */
export const makeWith = (
  options: Omit<HandlerOptions, "handler">,
  exchange: (request: Request) => Effect.Effect<Exchange>
): TestClient["Service"] => {
  const { issuer, protocol = "2026-07-28" } = options
  const url = options.url ?? issuer?.resource
  if (url === undefined) {
    throw new TypeError(
      "TestClient: the URL of the MCP endpoint is missing. Set url, or pass an issuer that was made with resource"
    )
  }
  const sessions = new Map<TestCaller, string | undefined>()
  let id = 0

  const sendAndRead = (request: Request, awaited: number | undefined): Effect.Effect<TestResponse> =>
    Effect.gen(function*() {
      const caller = yield* CurrentCaller
      const credentials = request.headers.has("authorization") ? {} : yield* makeCredentials(issuer, caller, request)
      for (const [name, value] of Object.entries(credentials)) request.headers.set(name, value)
      const { decisions, response } = yield* exchange(request)
      const { body, message } = yield* Effect.promise(() => wire.read(response, awaited))
      return toTestResponse(response, body, message, decisions)
    })

  const post = (
    message: McpWire.Message,
    headers: Readonly<Record<string, string>>
  ): Effect.Effect<TestResponse> => Effect.suspend(() => sendAndRead(wire.post(url, message, headers), message.id))

  const openSession: Effect.Effect<TestResponse> = Effect.gen(function*() {
    const opened = yield* post(McpWire.initialize(++id, protocol, wire.clientInfo), {})
    if (opened.result === undefined) return opened
    const session = opened.headers["mcp-session-id"]
    yield* post({ method: "notifications/initialized" }, McpWire.getSessionHeaders(protocol, session))
    return opened
  })

  const request: TestClient["Service"]["request"] = (method, params = {}) =>
    Effect.gen(function*() {
      if (protocol === McpWire.statelessRevision) {
        const message = McpWire.toStateless({ id: ++id, method, params }, wire.clientInfo)
        return yield* post(message, McpWire.getStatelessHeaders(message))
      }
      const caller = yield* CurrentCaller
      let session = yield* CurrentSession
      if (session === undefined) {
        if (!sessions.has(caller)) {
          const opened = yield* openSession
          // A caller that cannot open a session gets the rejection as the response to its request.
          if (opened.result === undefined) return opened
          sessions.set(caller, opened.headers["mcp-session-id"])
        }
        session = sessions.get(caller)
      }
      return yield* post({ id: ++id, method, params }, McpWire.getSessionHeaders(protocol, session))
    })

  return {
    url,
    callTool: (name, args = {}) => request("tools/call", { name, arguments: args }),
    listTools: request("tools/list"),
    readResource: (uri) => request("resources/read", { uri }),
    listResources: request("resources/list"),
    getPrompt: (name, args = {}) => request("prompts/get", { name, arguments: args }),
    listPrompts: request("prompts/list"),
    request,
    send: (request) => sendAndRead(new Request(request), undefined),
    openSession
  }
}

const toTestResponse = (
  response: Response,
  body: string,
  message: McpWire.Reply | undefined,
  decisions: ReadonlyArray<Decision>
): TestResponse => {
  const header = response.headers.get("www-authenticate")
  const challenges = header === null ? [] : Result.getOrElse(Challenge.parse(header), () => [])
  const result = message?.result as TestResponse["result"]
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body,
    challenges,
    challenge: challenges.find(({ scheme }) => scheme.toLowerCase() === "bearer") ?? challenges[0],
    result,
    error: message?.error,
    value: wire.getValue(result),
    decisions
  }
}
