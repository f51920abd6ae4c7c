/** An object of JSON: neither an array nor `null`. */
export type JsonObject = Readonly<Record<string, unknown>>

/** Tells objects from every other value. */
export const isRecord = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Returns a member of an object, if it is its own: `__proto__` and `constructor` are legal names in JSON. */
export const own = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name) ? (value as JsonObject)[name] : undefined

/** Parses UTF-8 text. Throws at invalid UTF-8 and at a byte order mark, which RFC 8259 §8.1 does not allow to repair. */
export const parse = (bytes: Uint8Array): unknown =>
  JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes))

/** Parses UTF-8 text that holds an object. Returns `undefined` for any other text. */
export const parseObject = (bytes: Uint8Array): JsonObject | undefined => {
  try {
    const value = parse(bytes)
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}
