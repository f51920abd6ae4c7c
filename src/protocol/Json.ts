/** A JSON object: neither an array nor `null`. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Tells whether a value is an object, and neither an array nor `null`. */
export const isRecord = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Returns an own property, never an inherited one: `__proto__` and `constructor` are valid names in JSON. */
export const own = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined

/** Parses UTF-8 JSON. Throws if the bytes are not UTF-8 or not JSON, or begin with a byte order mark (RFC 8259 §8.1). */
export const parse = (bytes: Uint8Array): unknown =>
  JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes))

/** Parses UTF-8 JSON. Returns `undefined` if it is invalid or not an object. */
export const parseObject = (bytes: Uint8Array): JsonObject | undefined => {
  try {
    const value = parse(bytes)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
