import { assert, describe, it } from "@effect/vitest"
import { AuthError } from "effect-mcp-auth"
import { readFileSync } from "node:fs"
import { getRejection, getRemedy, markdown } from "../../tools/reasons/Page.ts"
import { type Entry, reasons } from "../../tools/reasons/Reasons.ts"

const entries = Object.entries(reasons).flatMap(([section, ofSection]) =>
  Object.entries<Entry>(ofSection).map(([reason, entry]) => ({
    section: section as keyof typeof reasons,
    reason,
    entry
  }))
)

describe("the rejection reasons", () => {
  it("are those of the errors, in the same order", () => {
    for (const [error, listed] of Object.entries(AuthError.reasons)) {
      assert.deepStrictEqual<ReadonlyArray<string>>(
        Object.keys(reasons[error as keyof typeof AuthError.reasons]),
        listed
      )
    }
  })

  it("do not compile without one of them", () => {
    const { audience: _, ...others } = reasons.InvalidToken
    // @ts-expect-error The reason `audience` has no entry.
    const incomplete: typeof reasons.InvalidToken = others
    assert.notProperty(incomplete, "audience")
  })

  it.each(entries)(
    "$section $reason has a meaning, a typical cause and a remedy, each in whole sentences",
    ({ entry, reason, section }) => {
      for (const text of [entry.meaning, entry.cause, getRemedy(section, reason)]) assert.match(text, /^[A-Z].*[^.]\.$/)
    }
  )

  it("have one response if they are about the token, so that the response does not tell them apart", () => {
    const [first, ...others] = entries.filter(({ section }) => section === "InvalidToken").map(
      ({ reason, section }) => {
        const { body, headers, status } = getRejection(section, reason)
        return { body, headers, status }
      }
    )
    assert.strictEqual(first?.status, 401)
    for (const other of others) assert.deepStrictEqual(other, first)
  })

  it("are on the page as they are", () => {
    const page = readFileSync(new URL("../../docs/rejection-reasons.md", import.meta.url), "utf8")
    assert.strictEqual(page, markdown(), "Run npm run docs")
  })
})
