import { sanitize } from "../../protocol/RemoteText.ts"

export type Json = Readonly<Record<string, unknown>>

/** Parses JSON. Returns `undefined` for invalid JSON. */
export const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** Tells whether a value nests at most `levels` levels deep, so that recursion over it is safe. */
export const isShallow = (value: unknown, levels = 32): boolean =>
  typeof value !== "object" || value === null ||
  (levels > 0 && Object.values(value).every((item) => isShallow(item, levels - 1)))

export const isObject = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Returns an own member, never an inherited one: `__proto__` is a valid name in JSON. */
export const member = (json: Json, name: string): unknown => Object.hasOwn(json, name) ? json[name] : undefined

export const text = (json: Json, name: string): string | undefined => {
  const value = member(json, name)
  return typeof value === "string" ? value : undefined
}

export const strings = (json: Json, name: string): ReadonlyArray<string> | undefined => {
  const value = member(json, name)
  return Array.isArray(value) ? value.filter((_): _ is string => typeof _ === "string") : undefined
}

/**
 * Writes a remote value as JSON. Does not pass values that nest deeply to `JSON.stringify`, which is recursive and would throw.
 */
export const toJson = (value: unknown): string =>
  isShallow(value) ? JSON.stringify(value) ?? "nothing" : "(nested too deeply to show)"

/**
 * Encodes text as Base64 of its UTF-8 bytes. `btoa` accepts only characters up to U+00FF, so each byte becomes one character.
 */
export const base64 = (text: string): string => {
  let binary = ""
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte)
  return btoa(binary)
}

/** Removes final slashes. A regular expression would take quadratic time for a long run of slashes inside the text. */
export const withoutFinalSlashes = (text: string): string => {
  let end = text.length
  while (end > 0 && text[end - 1] === "/") end--
  return text.slice(0, end)
}

/** Writes a remote value as one short line. `length` is in characters. */
export const shown = (value: unknown, length = 120): string =>
  sanitize(typeof value === "string" ? value : toJson(value), length)
