/** Records the requests of a client and their responses, and describes them as text with shortened secrets. */
import assert from "node:assert/strict"

export interface Exchange {
  readonly method: string
  readonly url: URL
  readonly request: { readonly headers: Headers; readonly body: string }
  readonly response: { readonly status: number; readonly headers: Headers; readonly body: string }
}

export class Wire {
  #unread: ReadonlyArray<Exchange> = []

  /** Sends a request with the global `fetch`, and records it. Pass this function to a client. */
  readonly fetch = async (input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    const response = await globalThis.fetch(input, init)
    const { body = null, headers, method = "GET" } = init
    const exchange = {
      method,
      url: new URL(input instanceof Request ? input.url : input),
      request: { headers: new Headers(headers), body: body === null ? "" : String(body) },
      response: { status: response.status, headers: response.headers, body: await response.clone().text() }
    }
    this.#unread = [...this.#unread, exchange]
    return response
  }

  /** Returns the first matching exchange that `take` has not returned before. Throws if there is none. */
  take(method: string, url: string, call?: string): Exchange {
    const found = this.#unread.find((_) => _.method === method && _.url.href === url && callOf(_) === call)
    assert(found !== undefined, `${method} ${url}${call === undefined ? "" : ` ${call}`} was never sent`)
    this.#unread = this.#unread.filter((_) => _ !== found)
    return found
  }

  /** The exchanges that `take` has not returned. */
  get rest(): ReadonlyArray<Exchange> {
    return this.#unread
  }
}

/** Returns the JSON-RPC method of a request. For a tool call, the name of the tool follows the method. */
const callOf = ({ request }: Exchange): string | undefined => {
  if (!request.body.startsWith("{")) return undefined
  const { method, params } = JSON.parse(request.body)
  return method === "tools/call" ? `${method} ${params.name}` : method
}

/** Returns the JSON document of a response. For an event stream, returns the document of the last event. */
export const documentOf = ({ response }: Exchange): Record<string, unknown> => {
  const stream = response.headers.get("content-type")?.startsWith("text/event-stream") ?? false
  const text = stream
    ? response.body.split("\n").findLast((line) => line.startsWith("data: "))?.slice(6)
    : response.body
  return JSON.parse(text ?? "")
}

/** Returns the fields of the form that a request sent. */
export const formOf = ({ request }: Exchange): Record<string, string> =>
  Object.fromEntries(new URLSearchParams(request.body))

/** Returns a parameter of the challenge. Parses the header as both official clients do. */
export const challengeOf = ({ response }: Exchange, name: string): string | undefined =>
  new RegExp(`${name}="([^"]*)"`).exec(response.headers.get("www-authenticate") ?? "")?.[1]

/** Describes an exchange: the request, and then the response with the given members of its JSON document. */
export const describe = (exchange: Exchange, members: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  const { method, request, response, url } = exchange
  const call = callOf(exchange)
  const authorization = request.headers.get("authorization")
  const challenge = response.headers.get("www-authenticate")
  const form = request.headers.get("content-type") === "application/x-www-form-urlencoded" ? formOf(exchange) : {}
  return [
    `> ${method} ${url.href}${call === undefined ? "" : `   ${call}`}`,
    ...(authorization === null ? [] : [`    authorization: ${authorization.replace(/(?<= ).+/, shorten)}`]),
    ...memberLines(form),
    `< ${response.status}`,
    ...(challenge === null ? [] : [`    www-authenticate: ${challenge}`]),
    ...(members.length === 0 ? [] : memberLines(documentOf(exchange), members))
  ]
}

/** Returns one line for each named member. Default: all members. */
export const memberLines = (
  document: Readonly<Record<string, unknown>>,
  members: ReadonlyArray<string> = Object.keys(document)
): ReadonlyArray<string> =>
  members.map((name) => {
    const value = document[name]
    return `    ${name}: ${secrets.has(name) ? shorten(String(value)) : plain(value)}`
  })

const secrets = new Set([
  "access_token",
  "client_secret",
  "code",
  "code_challenge",
  "code_verifier",
  "refresh_token",
  "state",
  "token"
])

const plain = (value: unknown): string => {
  const text = typeof value === "string" ? value : JSON.stringify(value)
  return text.length > longestText && !text.includes(" ") ? shorten(text) : text
}

/** The length of the longest identifier that is printed as a whole. The client ids of the proxy contain the registration. */
const longestText = 100

// Keeps enough characters to tell secrets apart, and too few to use them.
const shorten = (secret: string): string => `${secret.slice(0, 6)}…${secret.slice(-4)}`
