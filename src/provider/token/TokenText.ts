import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as CompactJws from "../../crypto/CompactJws.ts"
import * as Credentials from "../../protocol/Credentials.ts"
import { type Json, shown, toJson } from "../report/Json.ts"

/**
 * The header and the claims of a token, not verified.
 *
 * @category models
 * @since 0.1.0
 */
export interface Decoded {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/**
 * The reason why a token cannot be decoded.
 *
 * @category models
 * @since 0.1.0
 */
export type UnreadableReason = "opaque" | "encrypted" | "malformed" | "too-large"

/** The maximum length of a token, in characters, as in `JwtVerifier`. */
const maximumLength = 16 * 1024

/**
 * Decodes a JWT as a server does that receives it as a Bearer token: each segment must be canonical Base64url. Does not verify
 * the token.
 *
 * @category decoding
 * @since 0.1.0
 */
export const decode = (token: Redacted.Redacted): Result.Result<Decoded, UnreadableReason> => {
  const credentials = Credentials.parse([`Bearer ${Redacted.value(token)}`])
  const text = Result.isSuccess(credentials) ? Credentials.textOf(credentials.success) : Redacted.value(token)
  if (text.length > maximumLength) return Result.fail("too-large")
  const decoded = CompactJws.decode(text)
  if (decoded !== undefined) return Result.succeed({ header: decoded.header, claims: decoded.claims })
  const segments = text.split(".").length
  if (segments === 5) return Result.fail("encrypted")
  // The Base64url of a JSON object begins with these characters.
  return Result.fail(segments === 3 || (segments > 1 && /^e[w-z]/.test(text)) ? "malformed" : "opaque")
}

/** Describes the reason why a token cannot be decoded. */
export const unreadable: Readonly<Record<UnreadableReason, string>> = {
  opaque: "an opaque token (it is not a JWT): only its authorization server can verify it",
  encrypted: "an encrypted token (it has five segments): only the holder of the key can read it",
  malformed:
    "not a JWT: it lacks three segments of Base64url, or the first two are not JSON objects of at most 32 levels",
  "too-large": "larger than 16 KiB, which servers reject"
}

/** Breaks a text into lines of at most `width` characters, at spaces where possible. */
export const breakLines = (text: string, width: number): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let rest = text
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width)
    const end = space > 0 ? space : width
    lines.push(rest.slice(0, end))
    rest = rest.slice(space > 0 ? end + 1 : end)
  }
  return [...lines, rest]
}

const timeClaims = new Set(["exp", "nbf", "iat", "auth_time", "updated_at"])

/** Describes the members of a header or of claims, with times relative to `now` (in milliseconds since 1970). */
export const describeMembers = (json: Json, now: number, width: number): ReadonlyArray<string> => {
  const names = Object.keys(json)
  const longest = Math.min(24, Math.max(0, ...names.map((name) => name.length)))
  return names.flatMap((name) => {
    const value = json[name]
    const words = timeClaims.has(name) && typeof value === "number" ? ` (${describeTime(value, now)})` : ""
    const label = `  ${shown(name, 40).padEnd(longest)}  `
    const text = `${shown(toJson(value), 400)}${words}`
    return label.length + text.length <= width
      ? [label + text]
      : [label.trimEnd(), ...breakLines(text, width - 4).map((line) => `    ${line}`)]
  })
}

/**
 * Describes a time, such as `2026-11-23T12:00:00Z, in 5 minutes`. `seconds` is in seconds since 1970, `now` in milliseconds.
 *
 * @category encoding
 * @since 0.1.0
 */
export const describeTime = (seconds: number, now: number): string => {
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) return "not a time"
  const distance = Math.round(seconds - now / 1000)
  const iso = date.toISOString().replace(/\.000Z$/, "Z")
  return distance === 0
    ? `${iso}, now`
    : distance > 0
    ? `${iso}, in ${describeDuration(distance)}`
    : `${iso}, ${describeDuration(-distance)} ago`
}

const units = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]] as const

/** Describes a duration in seconds by its largest unit. */
export const describeDuration = (seconds: number): string => {
  const [unit, size] = units.find(([, size]) => seconds >= 2 * size) ?? ["second", 1]
  const count = Math.floor(seconds / size)
  return `${count} ${unit}${count === 1 ? "" : "s"}`
}
