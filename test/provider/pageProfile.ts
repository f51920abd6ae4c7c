/** Evaluates the profiles that the pages of examples/providers show, so that tests verify tokens with them. */
import { assert } from "@effect/vitest"
import { Redacted } from "effect"
import { Audience, Profile, TokenType } from "effect-mcp-auth"
import { Profiles } from "effect-mcp-auth/provider"
import { readFileSync } from "node:fs"
import { join } from "node:path"

export const folder = join(import.meta.dirname, "../../examples/providers")

/** Returns the first call of a function in a text, such as `Profiles.okta`, and where it starts. */
export const findCall = (text: string, name: string): { readonly start: number; readonly call: string } => {
  const start = text.indexOf(`${name}(`)
  assert.notStrictEqual(start, -1, `the page does not call ${name}`)
  let depth = 0
  let end = text.indexOf("(", start)
  do {
    depth += text[end] === "(" ? 1 : text[end] === ")" ? -1 : 0
    end++
  } while (depth > 0 && end < text.length)
  return { start, call: text.slice(start, end) }
}

/** Evaluates the first call of a function in a text, such as `Profiles.okta`. */
export const evaluateCall = (text: string, name: string): Profile.Profile => {
  const { call, start } = findCall(text, name)
  // The call can use constants that the block declares before it. test/documents.test.ts compiles the complete block.
  const constants = [...text.slice(0, start).matchAll(/^const \w+ = (?:".*"|`.*`)$/gm)].map(([line]) => line).join("\n")
  const make = new Function(
    "Profiles",
    "Profile",
    "Audience",
    "TokenType",
    "Redacted",
    "process",
    `${constants}\nreturn ${call}`
  )
  const environment = { GITHUB_CLIENT_SECRET: "secret", CLIENT_SECRET: "secret" }
  return make(Profiles, Profile, Audience, TokenType, Redacted, { env: environment }) as Profile.Profile
}

/** Returns the profile that a page makes with `Profile.make`. */
export const readRecipe = (file: string): Profile.Profile =>
  evaluateCall(readFileSync(join(folder, file), "utf8"), "Profile.make")
