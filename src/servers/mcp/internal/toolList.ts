import * as HttpBody from "effect/http/HttpBody"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import { isRecord, own } from "../../../protocol/Json.ts"

/*
 * Rewrites the results of `tools/list` in responses of Effect's MCP server, because its schema of tools drops every member that it does
 * not know.
 */

/** Changes the result of `tools/list`. */
export type Change = (result: unknown) => unknown

/**
 * Returns a response with changed results of `tools/list`. The server writes each message into one line, and into one piece of a stream:
 * as JSON, or as the data of an event.
 */
export const rewrite = (
  response: HttpServerResponse.HttpServerResponse,
  change: Change
): HttpServerResponse.HttpServerResponse => {
  const { body } = response
  switch (body._tag) {
    case "Uint8Array":
      return HttpServerResponse.setBody(response, HttpBody.uint8Array(changeLines(body.body, change), body.contentType))
    case "Stream":
      return HttpServerResponse.setBody(
        response,
        HttpBody.stream(Stream.map(body.stream, (piece) => changeLines(piece, change)), body.contentType)
      )
    default:
      return response
  }
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()

const changeLines = (piece: Uint8Array, change: Change): Uint8Array => {
  const text = decoder.decode(piece)
  return text.includes("\"tools\"")
    ? encoder.encode(text.split("\n").map((line) => changeLine(line, change)).join("\n"))
    : piece
}

const changeLine = (line: string, change: Change): string => {
  const prefix = line.startsWith(event) ? event : ""
  const data = line.slice(prefix.length)
  if (!data.startsWith("{") && !data.startsWith("[")) return line
  const message: unknown = JSON.parse(data)
  const changed = Array.isArray(message)
    ? message.map((_: unknown) => changeMessage(_, change))
    : changeMessage(message, change)
  return prefix + JSON.stringify(changed)
}

const event = "data: "

/** Changes a message that answers `tools/list`. The result of a tool call has `content`, and can have any other member. */
const changeMessage = (message: unknown, change: Change): unknown => {
  const result = own(message, "result")
  return isRecord(message) && Array.isArray(own(result, "tools")) && own(result, "content") === undefined
    ? { ...message, result: change(result) }
    : message
}
