/**
 * Speaks MCP with one server, as `call` does: lists tools, and calls one.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type { HttpClientResponse } from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import * as AuthorizedHttpClient from "../../client/http-client/AuthorizedHttpClient.ts"
import { describeFailure } from "../../provider/probe/ConnectionFailure.ts"
import { readReply } from "../../provider/probe/EventStream.ts"
import * as Mcp from "../../provider/probe/McpProbe.ts"
import * as McpWire from "../../provider/probe/McpWire.ts"
import type { ProbeRequest } from "../../provider/probe/Probe.ts"
import { isObject, member, shown, text } from "../../provider/report/Json.ts"

/**
 * The server rejected the call, or there was no usable response. `isInconclusive` tells whether the server was unavailable, so that the
 * same command can succeed later.
 *
 * @category errors
 * @since 0.1.0
 */
export class CallFailed extends Data.TaggedError("CallFailed")<{
  readonly detail: string
  readonly isInconclusive: boolean
}> {
  override get message(): string {
    return shown(this.detail, 2_000)
  }
}

/** A tool, as the server describes it. */
export interface Tool {
  readonly name: string
  readonly description: string
  /** The names of the arguments. Those that can be left out end with a question mark. */
  readonly arguments: ReadonlyArray<string>
}

/** The maximum size of one response, in bytes. */
const largestResponse = 16 * 1024 * 1024

/** The maximum number of pages of the list of tools. */
const maximumPages = 50

/** A session with a server, in the newest revision that the server accepts. */
export interface McpSession {
  readonly listTools: Effect.Effect<ReadonlyArray<Tool>, CallFailed, HttpClient.HttpClient>
  /** Returns the `result` of the call. */
  readonly callTool: (
    name: string,
    arguments_: Readonly<Record<string, unknown>>
  ) => Effect.Effect<Readonly<Record<string, unknown>>, CallFailed, HttpClient.HttpClient>
}

interface Answer {
  readonly response: HttpClientResponse
  readonly body: string
  readonly reply: McpWire.Reply | undefined
}

/**
 * Runs an effect with a session. `timeout` limits the time of each response after its headers. The requests go through the
 * `HttpClient`, which can sign a person in.
 *
 * @category runners
 * @since 0.1.0
 */
export const use = <A, E, R>(
  url: string,
  timeout: Duration.Duration,
  run: (session: McpSession) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | CallFailed, R | HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const send = (request: ProbeRequest) => exchange(url, request, timeout)
    const opened = yield* open(send)
    const { client, session } = opened
    const request = Effect.fnUntraced(function*(method: string, params: Readonly<Record<string, unknown>>) {
      return yield* toResult(yield* send(Mcp.post(client, method, params)))
    })
    if (client.revision !== McpWire.statelessRevision) yield* send(Mcp.notify(client, "notifications/initialized"))
    const end = session === undefined
      ? Effect.void
      : Effect.ignore(send({ method: "DELETE", headers: client.headers }))
    return yield* Effect.ensuring(
      run({
        listTools: listTools(opened.tools, request),
        callTool: (name, arguments_) => request("tools/call", { name, arguments: arguments_ })
      }),
      end
    )
  })

/** Sends a message, and reads the response up to the reply. */
const exchange = Effect.fnUntraced(function*(
  url: string,
  { body, headers, method = "POST" }: ProbeRequest,
  timeout: Duration.Duration
): Effect.fn.Return<Answer, CallFailed, HttpClient.HttpClient> {
  const request = HttpClientRequest.make(method)(url).pipe(
    HttpClientRequest.setHeaders(headers ?? {}),
    (_) => body === undefined ? _ : HttpClientRequest.bodyText(_, body, "application/json")
  )
  const response = yield* Effect.mapError(HttpClient.execute(request), (error) => toFailure(error, url))
  const isStream = McpWire.isEventStream(response.headers["content-type"])
  const content = yield* response.stream.pipe(
    // A response without a body counts as a response with an empty body.
    Stream.catchIf((error) => error.reason._tag === "EmptyBodyError", () => Stream.empty),
    Stream.mapError(() => `${url} closed the connection in the middle of its response`),
    Stream.limitBytes(
      largestResponse,
      (): Stream.Stream<Uint8Array, string> => Stream.fail(`${url} sent more than ${largestResponse / 1024 / 1024} MiB`)
    ),
    // The server can keep the stream open after the reply, so the rest is not read.
    (_) => isStream ? readReply(_) : Stream.mkString(Stream.decodeText(_)),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () =>
        Effect.fail(`${url} did not complete its response within ${Duration.toSeconds(timeout)} seconds. Set --timeout`)
    }),
    Effect.mapError((detail) => new CallFailed({ detail, isInconclusive: true }))
  )
  const texts = isStream ? McpWire.getEvents(content).filter((data) => data !== "") : [content]
  const reply = texts.map((each) => McpWire.findReply(each)).find((found) => found !== undefined)
  return { response, body: content, reply }
}, Effect.scoped)

/** The errors of the client say what to do. Other errors are those of the connection. */
const toFailure = (error: HttpClientError.HttpClientError, url: string): CallFailed => {
  const found = AuthorizedHttpClient.clientError(error)
  return found === undefined
    ? new CallFailed({ detail: `${url} ${describeFailure(error, new URL(url))}`, isInconclusive: true })
    : new CallFailed({ detail: found.message, isInconclusive: found._tag === "Unavailable" })
}

/** Opens a session in the newest revision that the server accepts. */
const open = Effect.fnUntraced(function*<R>(send: (request: ProbeRequest) => Effect.Effect<Answer, CallFailed, R>) {
  let first: Answer | undefined
  for (const revision of Mcp.wireRevisions) {
    const answer = yield* send(Mcp.hello({ revision, headers: {} }))
    first ??= answer
    const { status } = answer.response
    const result = status === 200 ? answer.reply?.result : undefined
    if (isObject(result)) {
      if (revision === McpWire.statelessRevision) {
        return { client: { revision, headers: {} } as Mcp.Client, session: undefined, tools: result }
      }
      // A server selects the revision of a session.
      const selected = Mcp.wireRevisions.find((one) => one === text(result, "protocolVersion")) ?? revision
      const session = answer.response.headers["mcp-session-id"]
      const headers = McpWire.getSessionHeaders(selected, session)
      return { client: { revision: selected, headers } as Mcp.Client, session, tools: undefined }
    }
    if (status === 401 || status === 403 || status === 429 || status >= 500 || (status >= 300 && status < 400)) break
  }
  return yield* toError(first!)
})

const toResult = (answer: Answer): Effect.Effect<Readonly<Record<string, unknown>>, CallFailed> => {
  const result = answer.response.status === 200 ? answer.reply?.result : undefined
  return isObject(result) ? Effect.succeed(result) : toError(answer)
}

const toError = ({ body, reply, response: { headers, request, status } }: Answer): Effect.Effect<never, CallFailed> => {
  const message = reply?.error === undefined ? undefined : `${reply.error.message} (${reply.error.code})`
  const detail = message ?? (status >= 300 && status < 400
    ? `${request.url} redirects to ${headers["location"] ?? "another URL"}. Write that URL, if you trust it`
    : `${request.url} answered ${status}${body.trim() === "" ? "" : `: ${body.slice(0, 500)}`}`)
  return Effect.fail(new CallFailed({ detail, isInconclusive: status === 429 || status >= 500 }))
}

const listTools = Effect.fnUntraced(function*<R>(
  firstPage: Readonly<Record<string, unknown>> | undefined,
  request: (
    method: string,
    params: Readonly<Record<string, unknown>>
  ) => Effect.Effect<Readonly<Record<string, unknown>>, CallFailed, R>
) {
  const tools: Array<Tool> = []
  let page = firstPage ?? (yield* request("tools/list", {}))
  for (let count = 1;; count++) {
    const listed = member(page, "tools")
    if (Array.isArray(listed)) tools.push(...listed.flatMap((tool) => toTool(tool)))
    const cursor = text(page, "nextCursor")
    if (cursor === undefined || cursor === "" || count >= maximumPages) return tools
    page = yield* request("tools/list", { cursor })
  }
})

const toTool = (tool: unknown): ReadonlyArray<Tool> => {
  if (!isObject(tool)) return []
  const name = text(tool, "name")
  if (name === undefined) return []
  const schema = member(tool, "inputSchema")
  const properties = isObject(schema) ? member(schema, "properties") : undefined
  const required = isObject(schema) ? member(schema, "required") : undefined
  const isRequired = (argument: string) => Array.isArray(required) && required.includes(argument)
  return [{
    name,
    description: text(tool, "description") ?? "",
    arguments: isObject(properties)
      ? Object.keys(properties).map((argument) => isRequired(argument) ? argument : `${argument}?`)
      : []
  }]
}
