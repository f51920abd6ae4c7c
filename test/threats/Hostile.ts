/** Generates values of a header that an attacker could send: any bytes that RFC 9110 §5.5 allows, including `obs-text`. */
import { Arbitrary, Schema } from "effect"

const pieces = [
  "\"",
  "\\",
  "\t",
  "é",
  ",",
  ";",
  "=",
  " ",
  "  ",
  ".",
  "Bearer ",
  "bearer",
  "DPoP ",
  "Basic YTpi",
  "scope=\"x\"",
  "__proto__"
] as const

const byte = Schema.Int.check(Schema.isBetween({ minimum: 0x20, maximum: 0xff }))

export const fieldValue: Arbitrary.Arbitrary<string> = Arbitrary.map(
  Arbitrary.array(Arbitrary.schema(Schema.Union([byte, Schema.Literals(pieces)]))),
  (parts) =>
    parts.map((_) => typeof _ === "number" ? String.fromCharCode(_) : _).join("").replace(/\x7f/g, "").replace(
      /^[ \t]+|[ \t]+$/g,
      ""
    )
)
