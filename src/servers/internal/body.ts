import * as Result from "effect/Result"
import { AuthConfigError, MalformedRequest } from "../../protocol/AuthError.ts"

/** Bodies beyond this are refused with 413 unless the host is told otherwise. */
export const defaultLimit = 4 * 1024 * 1024

export const contentTypeRefused = new MalformedRequest({ reason: "content-type" })
export const notJson = new MalformedRequest({ reason: "not-json" })
export const tooLarge = new MalformedRequest({ reason: "too-large" })

/** Somebody read the body before the gate and kept nothing of it: what would run cannot be judged any more. */
export const consumed = new AuthConfigError({
  reason: "conflict",
  option: "protect",
  fix: "the request body was read before the gate: put the gate in front of what reads it, or hand over what was parsed"
})

/**
 * Tells whether a method carries messages. Those of any other are judged too: nobody knows what a handler does with a
 * PUT.
 */
export const isRead = (method: string): boolean => !unread.has(method)

const unread = new Set(["GET", "HEAD", "OPTIONS", "DELETE", "TRACE"])

export const isJson = (contentType: string | undefined): boolean =>
  contentType?.split(";")[0]!.trim().toLowerCase() === "application/json"

/** The chunks of a body as one, `size` bytes together. */
export const joined = (chunks: ReadonlyArray<Uint8Array>, size: number): Uint8Array => {
  if (chunks.length === 1) return chunks[0]!
  const bytes = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    bytes.set(chunk, offset)
    offset += chunk.byteLength
  }
  return bytes
}

/** The text of a body. A byte order mark and invalid UTF-8 are no JSON (RFC 8259 §8.1). */
export const textOf = (bytes: Uint8Array | ArrayBuffer): Result.Result<string, MalformedRequest> => {
  try {
    return Result.succeed(decoder.decode(bytes))
  } catch {
    return Result.fail(notJson)
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Parses the text of a body. */
export const parseText = (text: string): Result.Result<unknown, MalformedRequest> => {
  try {
    return Result.succeed(JSON.parse(text))
  } catch {
    return Result.fail(notJson)
  }
}

/** Parses the bytes of a body. */
export const parse = (bytes: Uint8Array | ArrayBuffer): Result.Result<unknown, MalformedRequest> =>
  Result.flatMap(textOf(bytes), parseText)

/** A value that a body parser left: parsed already, or the text or the bytes of it. */
export const parsed = (value: unknown): Result.Result<unknown, MalformedRequest> => {
  if (value instanceof Uint8Array) return parse(value)
  return typeof value === "string" ? parseText(value) : Result.succeed(value)
}

/** Checks the option of a host; throws `AuthConfigError`. */
export const checkLimit = (limit: number | undefined): number => {
  if (limit === undefined) return defaultLimit
  if (Number.isSafeInteger(limit) && limit > 0) return limit
  throw new AuthConfigError({
    reason: "malformed",
    option: "maximumBody",
    fix: "give a number of bytes, such as 1024 * 1024; there is no way to switch the limit off"
  })
}
