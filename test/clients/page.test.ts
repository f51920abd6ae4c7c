import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { type Behavior, clients, versionOf } from "./clients.ts"

const page = readFileSync(join(import.meta.dirname, "../../docs/clients.md"), "utf8")

/** The rows of the table, as objects whose keys are the headings. */
const rows = (() => {
  const lines = page.split("\n").filter((line) => line.startsWith("| "))
  const cellsOf = (line: string) => line.split("|").slice(1, -1).map((cell) => cell.trim())
  const [headings, , ...body] = lines.map(cellsOf)
  return body.map((cells) => Object.fromEntries(headings!.map((heading, index) => [heading, cells[index]!])))
})()

const yesOrNo = (value: boolean) => value ? "yes" : "no"

const toRow = (name: string, version: string, behavior: Behavior) => ({
  Client: name,
  Version: version,
  Evidence: "run",
  "Scopes at sign-in": behavior.signInScopes,
  "`offline_access`": yesOrNo(behavior.offlineAccess),
  Refresh: yesOrNo(behavior.refresh),
  "Step-up": behavior.stepUp,
  "Lazy sign-in": yesOrNo(behavior.lazySignIn)
})

describe("the page about client compatibility", () => {
  it("marks exactly the clients of the run as run, with the versions and the behavior that the run expects", () => {
    const marked = rows.filter(({ Evidence }) => Evidence === "run").map(({ Registration, ...row }) => {
      assert.match(Registration!, /^DCR/)
      return row
    })
    assert.deepStrictEqual(marked, clients.map((client) => toRow(client.name, versionOf(client), client.behavior)))
  })

  it("marks every other client as read in its source or documented", () => {
    const others = rows.filter(({ Evidence }) => Evidence !== "run")
    assert.isAbove(others.length, 5)
    for (const { Client, Evidence } of others) assert.include(["documented", "read in its source"], Evidence, Client)
  })

  it("states its date", () => {
    assert.match(page, /^As of \d{4}-\d{2}-\d{2}\./m)
  })
})
