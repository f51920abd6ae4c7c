import { base64url } from "jose"
import { isShallow } from "../protocol/JsonDepth.ts"
import * as platform from "./internal/nodeCrypto.ts"

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
const characters = /^[A-Za-z0-9_-]*$/

/**
 * Tells whether a text is base64url in its one canonical form (RFC 7515 §2, RFC 4648 §3.5): without padding, and with
 * zeros in the bits that the last character does not need. Decoders accept more, so one token could have many spellings.
 */
export const isCanonical = (text: string): boolean => {
  const rest = text.length % 4
  if (rest === 1 || !characters.test(text)) return false
  if (rest === 0) return true
  const spare = rest === 2 ? 0b1111 : 0b11
  return (alphabet.indexOf(text[text.length - 1]!) & spare) === 0
}

/** The bytes of a canonical text. */
export const decode = (text: string): Uint8Array | undefined => isCanonical(text) ? base64url.decode(text) : undefined

// Node's bytes share their buffer with others: good for reading at once, and not for handing out.
const { bytesOf } = platform
const readable = bytesOf === undefined ? base64url.decode : (text: string) => bytesOf(text, "base64url")

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/**
 * The object of a JSON segment, or `undefined`. Invalid UTF-8, a byte order mark, deep nesting, and anything but an object
 * are rejected.
 */
export const decodeJsonObject = (text: string): Readonly<Record<string, unknown>> | undefined => {
  const bytes = isCanonical(text) ? readable(text) : undefined
  if (bytes === undefined || bytes[0] !== 0x7b /* { */) return undefined
  try {
    const json: unknown = JSON.parse(utf8.decode(bytes))
    return isShallow(json) ? json as Readonly<Record<string, unknown>> : undefined
  } catch {
    return undefined
  }
}
