/**
 * A host of these tests is a server behind one of the server adapters. This file declares its interface, and has the two
 * ways to send it a request: over fetch and over a socket.
 */
import { Cause, Effect, Exit } from "effect"
import type { AuthLayer } from "effect-mcp-auth"
import type { PublicUrl } from "effect-mcp-auth/public-url"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { TokenHeader } from "effect-mcp-auth/token-header"
import { type HttpClient, HttpClientRequest } from "effect/http"
import { type ClientRequest, type IncomingMessage, request as nodeRequest } from "node:http"
import * as Functions from "./functions.ts"
import type * as Keys from "./keys.ts"

export const resource = "https://server.test/mcp"
export const origin = "https://app.test"

/** The options that a case of the table can set. They are JSON, since the server in workerd runs in another process. */
export type Settings =
  & Pick<
    AuthLayer.Common<AuthLayer.Scopes>,
    | "anonymous"
    | "unlisted"
    | "mirrorMetadata"
    | "structuredDenials"
    | "sessionsPerCaller"
    | "streamsPerCaller"
    | "allowedHosts"
    | "tokenCache"
    | "clockTolerance"
    | "revocationInterval"
  >
  & {
    /** The options of `Dpop`, as JSON. */
    readonly dpop?: Functions.DpopSettings | undefined
    /** The options of `Quotas`, as JSON. */
    readonly quotas?: Functions.QuotaSettings | undefined
    /** The option `authChallenge`, as JSON. */
    readonly authChallenge?: "http" | "tool-result" | undefined
    /** Whether `scopes` is the empty list. The server then has only the operation `whoami`. */
    readonly isWithoutScopes?: boolean
    /** The public URLs of the server, as JSON. Default: the resource is a plain URL. */
    readonly publicUrls?:
      | readonly [Functions.PublicUrlSettings, ...ReadonlyArray<Functions.PublicUrlSettings>]
      | undefined
    /** The options of `TokenHeader`, as JSON. */
    readonly tokenHeader?: TokenHeader.Options | undefined
    /** The options of `ApiKeys`, as JSON. */
    readonly apiKeys?: Keys.Settings | undefined
  }

const scopes = { baseline: ["todos:read"], stepUp: ["todos:write"] } as const

export const optionsOf = (
  issuer: string,
  { isWithoutScopes = false, ...settings }: Settings,
  at: string = resource
) => ({
  ...settings,
  resource: at,
  authorizationServers: [issuer] as const,
  // The type is that of the usual scopes, because the policies of the operations name them.
  scopes: isWithoutScopes ? [] as never : scopes,
  allowedOrigins: [origin]
})

/** Tells whether `scopes` is the empty list, so that no operation can require a scope. */
export const isWithoutScopes = ({ scopes }: Pick<Written, "scopes">): boolean => Array.isArray(scopes)

/** The options of the server of a test, as JSON. */
export type Options = ReturnType<typeof optionsOf>

/** The same options as the author of a server writes them: with values of the mechanisms instead of JSON. */
export type Written =
  & Omit<Options, "dpop" | "quotas" | "apiKeys" | "tokenHeader" | "publicUrls" | "resource">
  & Pick<AuthLayer.Common<AuthLayer.Scopes>, "dpop" | "quotas" | "apiKeys" | "tokenHeader">
  & { readonly resource: string | PublicUrl.PublicUrl }

export interface Sent {
  readonly method: string
  readonly path: string
  /**
   * The values of the `Host` headers. The first one also becomes the host name of the URL if the request is sent without a
   * socket. Default: that of `resource`.
   */
  readonly hosts?: ReadonlyArray<string>
  /** The headers, in the order in which they are sent. A name can occur twice. */
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body?: string | Uint8Array<ArrayBuffer>
  /** The `Content-Length` of a request whose body is shorter. Default: the length of the body. */
  readonly announced?: number
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A response whose body is a stream: its first piece, and its end. `close` closes it, as a client does that leaves. */
export interface Opened {
  readonly status: number
  readonly first: string
  readonly ended: Promise<void>
  readonly close: () => void
}

/** A request whose headers have arrived. `finish` sends its body. */
export interface Held {
  readonly finish: () => Promise<Answer>
}

/** A running server. The functions that its author wrote are separate: see `Running`. */
export interface Served {
  readonly send: (request: Sent) => Promise<Answer>
  /** Sends the headers, and waits until the server has read them. The body is not yet sent. */
  readonly hold: (request: Sent) => Promise<Held>
  readonly open: (request: Sent) => Promise<Opened>
  /** The operations that ran since the last call of `ran`, each with its caller, such as `add_todo alice`. */
  readonly ran: () => Promise<ReadonlyArray<string>>
  readonly stop: () => Promise<void>
}

/** A running server, with access to the functions that its author wrote. */
export interface Running extends Served {
  readonly tell: (message: Functions.Message) => Promise<void>
  /** The decisions since the last call of `decisions`. Empty if the functions record none. */
  readonly decisions: () => Promise<ReadonlyArray<Functions.Heard>>
  /** How often the functions checked a token for revocation. 0 if the functions do not count these checks. */
  readonly checks: () => Promise<number>
}

export interface Host<R extends Running = Running> {
  readonly name: string
  /**
   * Serves the operations of `TodoServer.scopesOf` behind the gate at `/mcp`, and the metadata documents. Without
   * `functions`, the author of the server adds no function to the options.
   */
  readonly start: (
    options: Options,
    client: HttpClient.HttpClient,
    functions?: Functions.Functions | undefined
  ) => Promise<R>
  /** Starts several servers at once, if that is much faster than one after another. */
  readonly startAll?:
    | ((given: ReadonlyArray<Given>, client: HttpClient.HttpClient) => Promise<ReadonlyArray<R>>)
    | undefined
  /** Whether the option `policy` of `protect` determines the scopes of an operation. Otherwise its registration does. */
  readonly hasPolicy?: true | undefined
  /** Whether other code reads the body before the gate authenticates the request. */
  readonly readsBodyFirst?: true | undefined
  /** The method that opens a stream which the server keeps open: the HTTP method GET, or the MCP method. */
  readonly streams: "GET" | "subscriptions/listen"
  /** The status with which this server answers the DELETE of a session. Default: 204. */
  readonly endOfSession?: number
}

/** One of several servers to start. */
export interface Given {
  readonly options: Options
  readonly functions: Functions.Name
}

/** A host in this process. Its `start` receives options that already contain the functions of the author of the server. */
export interface Adapter extends Omit<Host, "start" | "startAll"> {
  readonly start: (
    options: Written,
    client: HttpClient.HttpClient,
    functions: Functions.Functions
  ) => Promise<Served>
}

export const withFunctions = (adapter: Adapter): Host => ({
  ...adapter,
  start: async (options, client, functions = Functions.make("none")) => ({
    ...await adapter.start({ ...Functions.written(options), ...functions.options } as Written, client, functions),
    tell: functions.tell,
    decisions: async () => functions.decisions(),
    checks: async () => functions.checks()
  })
})

/** Starts a server for each entry of `given`. The result has the same order. */
export const startAll = (
  host: Host,
  given: ReadonlyArray<Given>,
  client: HttpClient.HttpClient
): Promise<ReadonlyArray<Running>> =>
  host.startAll === undefined
    ? Promise.all(given.map(({ functions, options }) => host.start(options, client, Functions.make(functions))))
    : host.startAll(given, client)

/** Sends requests to a function from `Request` to `Response`. */
export const overFetch = (handle: (request: Request) => Response | Promise<Response>) => {
  const ask = async ({ announced, body, headers, hosts = [], method, path }: Sent) =>
    handle(
      new Request(new URL(path, hosts[0] === undefined ? resource : `http://${hosts[0]}`), {
        method,
        headers: [
          ...hostLines(hosts),
          ...headers,
          ...(announced === undefined ? [] : [["content-length", String(announced)] as const])
        ]
          .map(([name, value]) => [name, value] as [string, string]),
        ...(body === undefined ? {} : { body })
      })
    )
  return {
    hold: ({ body, headers, method, path }: Sent): Promise<Held> =>
      new Promise((resolve) => {
        let send = () => {}
        const held = new ReadableStream<Uint8Array>({
          // The gate reads the body only after it has authenticated the request, so the first read shows that the request is
          // authenticated.
          pull: (controller) =>
            new Promise<void>((done) => {
              send = () => {
                controller.enqueue(typeof body === "string" ? new TextEncoder().encode(body) : body!)
                controller.close()
                done()
              }
              resolve({
                finish: async () => {
                  send()
                  const response = await answer
                  return {
                    status: response.status,
                    headers: Object.fromEntries(response.headers),
                    body: await response.text()
                  }
                }
              })
            })
        }, { highWaterMark: 0 })
        const answer = Promise.resolve(handle(
          new Request(new URL(path, resource), {
            method,
            headers: headers.map(([name, value]) => [name, value] as [string, string]),
            body: held,
            duplex: "half"
          } as RequestInit)
        ))
      }),
    send: async (sent: Sent): Promise<Answer> => {
      const response = await ask(sent)
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: await response.text()
      }
    },
    open: async (sent: Sent): Promise<Opened> => {
      const response = await ask(sent)
      const reader = response.body!.getReader()
      const first = new TextDecoder().decode((await reader.read()).value)
      const ended = (async () => {
        while (!(await reader.read()).done);
      })()
      return { status: response.status, first, ended, close: () => void reader.cancel() }
    }
  }
}

/** Sends requests over a socket. The headers are sent exactly as they are given, in the same order. */
export const overSocket = (port: number) => {
  const ask = ({ announced, body, headers, hosts = ["server.test"], method, path }: Sent) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const request: ClientRequest = nodeRequest({
        port,
        host: "127.0.0.1",
        method,
        path,
        agent: false,
        headers: [...hostLines(hosts), ...headers].flat().concat(lengthOf(body, announced)) as never
      })
      request.on("response", (response) => {
        if (announced !== undefined) response.on("end", () => request.destroy())
        resolve(response)
      })
      request.on("error", reject)
      if (announced === undefined) request.end(body)
      else request.write(body)
    })
  const read = async (response: IncomingMessage): Promise<Answer> => {
    const chunks: Array<Buffer> = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    const headers = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const)
    return {
      status: response.statusCode!,
      headers: Object.fromEntries(headers),
      body: Buffer.concat(chunks).toString()
    }
  }
  /** Sends the headers of a request. `finish` sends its body. */
  const begin = ({ body, headers, method, path }: Sent) => {
    const request: ClientRequest = nodeRequest({
      port,
      host: "127.0.0.1",
      method,
      path,
      agent: false,
      headers: ["host", "server.test", ...headers.flat(), ...lengthOf(body, undefined)] as never
    })
    const answer = new Promise<Answer>((resolve, reject) => {
      request.on("response", (response) => resolve(read(response)))
      request.on("error", reject)
    })
    request.flushHeaders()
    const finish = () => {
      request.end(body)
      return answer
    }
    return { request, answer, finish }
  }
  return {
    begin,
    hold: (sent: Sent): Promise<Held> =>
      new Promise((resolve, reject) => {
        // Node answers `100 Continue` when it passes the request to the server, so the server has the headers then.
        const begun = begin({ ...sent, headers: [["expect", "100-continue"], ...sent.headers] })
        begun.answer.catch(reject)
        begun.request.on("continue", () => resolve(begun))
      }),
    /** Sends a request, and does not wait for the response. Returns a function that closes the connection. */
    leave: ({ body, headers, method, path }: Sent) => {
      const request = nodeRequest({
        port,
        host: "127.0.0.1",
        method,
        path,
        agent: false,
        headers: ["host", "server.test", ...headers.flat(), ...lengthOf(body, undefined)] as never
      })
      request.on("error", () => {})
      request.end(body)
      return () => request.destroy()
    },
    send: async (sent: Sent): Promise<Answer> => {
      return read(await ask(sent))
    },
    open: async (sent: Sent): Promise<Opened> => {
      const response = await ask(sent)
      const first = await new Promise<string>((resolve) => response.once("data", (chunk) => resolve(String(chunk))))
      // `close` also follows a connection that breaks. Only `end` shows that the server ended the stream.
      const ended = new Promise<void>((resolve, reject) => {
        response.on("end", resolve)
        response.on("error", reject)
      })
      response.resume()
      const close = () => {
        ended.catch(() => {})
        response.destroy()
      }
      return { status: response.statusCode!, first, ended, close }
    }
  }
}

const hostLines = (hosts: ReadonlyArray<string>) => hosts.map((host) => ["host", host] as const)

// Node sends a list of raw headers as it is, and adds no `Content-Length`, so `lengthOf` creates that header.
const lengthOf = (body: Sent["body"], announced: number | undefined) =>
  body === undefined ? [] : ["content-length", String(announced ?? Buffer.byteLength(body))]

/** A `fetch` whose requests go to the issuer of the client. */
export const fetchOf = (client: HttpClient.HttpClient): typeof globalThis.fetch => (input, init) =>
  fetchFrom(client)(new Request(input, init))

/** Answers a `Request` with the response of the issuer, for code outside Effect. */
export const fetchFrom = (client: HttpClient.HttpClient) => async (request: Request): Promise<Response> => {
  const { headers, method, url } = request
  const body = await request.text()
  const sent = HttpClientRequest.make(method as "POST")(url, { headers: Object.fromEntries(headers) })
  const exit = await Effect.runPromiseExit(
    client.execute(
      body === "" ? sent : HttpClientRequest.bodyText(sent, body, headers.get("content-type") ?? undefined)
    ).pipe(
      Effect.flatMap((response) =>
        Effect.map(
          response.text,
          (text) => new Response(text, { status: response.status, headers: { ...response.headers } })
        )
      )
    )
  )
  if (Exit.isSuccess(exit)) return exit.value
  throw new Error(Cause.pretty(exit.cause))
}

export const makeIssuer = (at: string = resource) => Effect.runPromise(TestIssuer.make({ resource: at }))
