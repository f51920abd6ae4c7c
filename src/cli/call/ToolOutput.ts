/**
 * Writes tools and their results. Text of the server cannot control the terminal.
 *
 * @since 0.1.0
 */
import { sanitize, sanitizeLines } from "../../protocol/RemoteText.ts"
import { isObject, member, text } from "../../provider/report/Json.ts"
import type { Tool } from "./McpSession.ts"

/**
 * The formats of the output.
 *
 * @category models
 * @since 0.1.0
 */
export type Format = "text" | "json"

/** The longest result that is written as text, in characters. */
const longestText = 1_000_000

/**
 * Writes a list of tools.
 *
 * @category encoding
 * @since 0.1.0
 */
export const writeTools = (format: Format, tools: ReadonlyArray<Tool>): string =>
  format === "json"
    ? writeJson(tools)
    : tools.length === 0
    ? "The server has no tools"
    : tools.map(({ arguments: names, description, name }) =>
      [
        `${sanitize(name)}(${sanitize(names.join(", "), 400)})`,
        ...(description === "" ? [] : [`  ${sanitize(description.replace(/\s+/g, " "), 400)}`])
      ].join("\n")
    ).join("\n")

/**
 * Writes the result of a call.
 *
 * @category encoding
 * @since 0.1.0
 */
export const writeResult = (format: Format, result: Readonly<Record<string, unknown>>): string => {
  if (format === "json") return writeJson(result)
  const content = member(result, "content")
  const blocks = Array.isArray(content) ? content.map(writeBlock) : []
  return blocks.length > 0 ? blocks.join("\n") : writeJson(member(result, "structuredContent") ?? result)
}

const writeBlock = (block: unknown): string => {
  if (!isObject(block)) return writeJson(block)
  const type = text(block, "type")
  const value = text(block, "text")
  if (type === "text" && value !== undefined) return sanitizeLines(value, longestText)
  const media = text(block, "mimeType")
  const data = text(block, "data")
  return data === undefined
    ? writeJson(block)
    : `[${sanitize(type ?? "data")}${media === undefined ? "" : ` of ${sanitize(media)}`}, ${data.length} characters]`
}

/** Writes JSON whose characters outside ASCII are escaped, so that none of them controls the terminal. */
const writeJson = (value: unknown): string =>
  JSON.stringify(value, undefined, 2).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )
