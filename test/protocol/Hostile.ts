/**
 * Generates text as an attacker would write it. Any code unit can occur in it, and so can pieces that have a meaning in a
 * header.
 */
import { Arbitrary, Schema } from "effect"

const pieces = [
  "\"",
  "\\",
  "\\\"",
  "\r\n",
  "\n\n",
  "\t",
  "\0",
  "\u00a0",
  "\u2028",
  "\ufeff",
  "\ud800",
  "é",
  "😀",
  ",",
  ";",
  "=",
  " ",
  "  ",
  "Bearer ",
  "bearer",
  "DPoP ",
  "Basic YTpi",
  "scope=",
  " scope=\"evil\"",
  "error=evil",
  "resource_metadata=\"https://evil.test\"",
  "Set-Cookie: a=b",
  "__proto__"
] as const

const codeUnit = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff }))
const byte = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xff }))

const join = (parts: ReadonlyArray<string | number>): string =>
  parts.map((part) => typeof part === "number" ? String.fromCharCode(part) : part).join("")

/** Generates any string, including strings with lone surrogates. */
export const text: Arbitrary.Arbitrary<string> = Arbitrary.map(
  Arbitrary.array(Arbitrary.schema(Schema.Union([codeUnit, byte, Schema.Literals(pieces)]))),
  join
)

/** Generates the value of a header: the bytes of a field value (RFC 9110 §5.5), including obsolete ones. */
export const fieldValue: Arbitrary.Arbitrary<string> = Arbitrary.map(text, (value) =>
  value
    .replace(/[\0\r\n]/g, " ")
    .replace(/[^\x00-\xff]/g, "\xff")
    .replace(/^[ \t]+|[ \t]+$/g, ""))

/** Generates a token of RFC 9110 §5.6.2. */
export const token: Arbitrary.Arbitrary<string> = Arbitrary.schema(
  Schema.String.check(Schema.isPattern(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/))
)

/** Generates printable ASCII, which a quoted string can contain. */
export const printable: Arbitrary.Arbitrary<string> = Arbitrary.schema(
  Schema.String.check(Schema.isPattern(/^[\x20-\x7e]{0,24}$/))
)
