import * as Result from "effect/Result"
import { isRecord, type JsonObject } from "../Json.ts"

const isText = (value: unknown): boolean => typeof value === "string"
const areTexts = (value: unknown): value is ReadonlyArray<string> => Array.isArray(value) && value.every(isText)

/** The types of members in metadata documents. */
const kinds = {
  "a string": isText,
  "a list of strings": areTexts,
  "a list of at least one string": (value: unknown): boolean => areTexts(value) && value.length > 0,
  "a boolean": (value: unknown): boolean => typeof value === "boolean"
}

export type Kind = keyof typeof kinds

/**
 * Checks the members of a metadata document against two tables. Returns a copy of the document, which keeps members that are in
 * neither table. Fails with a sentence that names the invalid member.
 *
 * Effect Schema can do the same, but adds 26 kB to a bundle (gzip) and 75 modules to the start of a server.
 */
export const checkMembers = (
  document: unknown,
  required: Readonly<Record<string, Kind>>,
  optional: Readonly<Record<string, Kind>>
): Result.Result<JsonObject, string> => {
  if (!isRecord(document)) return Result.fail("The document must be a JSON object")
  const wrong = (name: string, kind: Kind) => Result.fail(`The member ${name} of the document must be ${kind}`)
  for (const [name, kind] of Object.entries(required)) {
    if (!Object.hasOwn(document, name) || !kinds[kind](document[name])) return wrong(name, kind)
  }
  for (const [name, kind] of Object.entries(optional)) {
    if (Object.hasOwn(document, name) && !kinds[kind](document[name])) return wrong(name, kind)
  }
  return Result.succeed({ ...document })
}
