import type * as Effect from "effect/Effect"
import { BodyBuffer } from "../../servers/host/BodyBuffer.ts"
import { extras, linesOf, type NodeRequest, pathOf } from "../../servers/host/NodeRequest.ts"
import type { NodeResponse } from "../../servers/host/NodeResponse.ts"
import { foreignHeaders } from "./Answers.ts"
import * as parameters from "./Parameters.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"
import type { Routes } from "./Routes.ts"
import { decode } from "./WebHandler.ts"

/* Answers requests of `node:http` and of the frameworks that are built on it. */

/** Answers a request, or returns `undefined` for a path that is not one of the proxy. */
export type NodeRouter = (req: NodeRequest, res: NodeResponse) => Promise<void> | undefined

/** Creates the router. `run` runs the effects of the endpoints. */
export const make = (
  routes: Routes,
  run: (effect: Effect.Effect<ProxyResponse>) => Promise<ProxyResponse>
): NodeRouter =>
(req, res) => {
  const answer = routes.answer(toRequest(req))
  return answer === undefined ? undefined : run(answer).then((response) => send(req, res, response))
}

const toRequest = (req: NodeRequest): ProxyRequest => {
  const target = String(extras(req).originalUrl ?? req.url ?? "")
  const query = target.indexOf("?")
  return {
    method: req.method ?? "GET",
    path: pathOf(req),
    query: query === -1 ? "" : target.slice(query + 1).split("#", 1)[0]!,
    header: (name) => linesOf(req, name),
    body: (maximumBytes, signal) => readBody(req, maximumBytes, signal)
  }
}

/** Reads the body. If a parser of the application has read the stream, writes its result as text again. */
const readBody = (req: NodeRequest, maximumBytes: number, signal: AbortSignal): Promise<string | undefined> => {
  const parsed: unknown = extras(req).body
  if (parsed !== undefined && parsed !== null && !isUnread(req, parsed)) {
    return Promise.resolve(within(toText(req, parsed), maximumBytes))
  }
  // A middleware has read the body and kept no result. No event will follow.
  if (extras(req).readableEnded === true) return Promise.resolve(undefined)
  return new Promise((resolve) => {
    const buffer = new BodyBuffer(maximumBytes)
    let isComplete = true
    req.on("data", (chunk: unknown) => {
      const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk as Uint8Array
      if (isComplete) isComplete = !signal.aborted && buffer.add(bytes)
      if (!isComplete) resolve(undefined)
    })
    req.on("end", () => resolve(isComplete ? decode(buffer.toBytes()) : undefined))
    req.on("error", () => resolve(undefined))
    req.on("close", () => resolve(undefined))
  })
}

/** The parsers of Express 4 set an empty object before they know whether the body is theirs, and `_body` after they have read it. */
const isUnread = (req: NodeRequest, parsed: unknown): boolean =>
  typeof parsed === "object" && Object.keys(parsed as object).length === 0 && extras(req)._body !== true &&
  extras(req).readableEnded !== true

const within = (text: string | undefined, maximumBytes: number): string | undefined =>
  text === undefined || new TextEncoder().encode(text).length > maximumBytes ? undefined : text

const toText = (req: NodeRequest, parsed: unknown): string | undefined => {
  if (typeof parsed === "string") return parsed
  if (parsed instanceof Uint8Array) return decode(parsed)
  if (!parameters.isForm(linesOf(req, "content-type")[0])) return JSON.stringify(parsed)
  // A repeated parameter is a list, which stays repeated.
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(parsed as object)) {
    for (const each of Array.isArray(value) ? value : [value]) form.append(name, String(each))
  }
  return form.toString()
}

const send = (req: NodeRequest, res: NodeResponse, { body, cookies, headers, status }: ProxyResponse): void => {
  if (res.headersSent || res.writableEnded || res.destroyed) return
  res.statusCode = status
  for (const name of foreignHeaders) res.removeHeader?.(name)
  for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
  if (cookies.length > 0) {
    // The application may have set other cookies. The type of the response has only texts, but every platform accepts lists.
    const before = res.getHeader("set-cookie")
    const lines = [...(before === undefined ? [] : [before].flat()), ...cookies]
    res.setHeader("set-cookie", lines as unknown as string)
  }
  if (body === "" || req.method === "HEAD") res.end()
  else res.end(body)
}
