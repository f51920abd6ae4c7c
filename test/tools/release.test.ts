import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Changelog from "../../tools/release/Changelog.ts"
import { bundledIn, select } from "../../tools/release/sbom.ts"

const root = join(import.meta.dirname, "../..")

describe("the changesets of this repository", () => {
  it("state a version step, and a text that the changelog can use", () => {
    for (const file of readdirSync(join(root, ".changeset")).filter((it) => it.endsWith(".md") && it !== "README.md")) {
      const [, head, text] =
        /^---\n([\s\S]*?)---\n([\s\S]*)$/.exec(readFileSync(join(root, ".changeset", file), "utf8")) ?? []
      assert.match(head ?? "", /^"effect-mcp-auth": (?:patch|minor|major)\n$/, file)
      assert.isNotEmpty(Changelog.parseChange(file, text ?? "").text)
    }
  })
})

describe("the changelog of a release", () => {
  const before = "# Changelog\n\nAn introduction.\n\n## [1.0.0] - 2026-01-01\n\n### Fixed\n\n- A fault.\n"
  const release = (text: string, ...changes: ReadonlyArray<readonly [Changelog.Kind, string]>) =>
    Changelog.release(text, {
      version: "1.1.0",
      date: "2026-02-01",
      changes: changes.map(([kind, text]) => ({ kind, text }))
    })

  it("contains the changes by kind, above the versions before", () => {
    assert.strictEqual(
      release(before, ["Fixed", "Another fault."], ["Added", "A thing."], ["Fixed", "A third fault."]),
      "# Changelog\n\nAn introduction.\n\n## [1.1.0] - 2026-02-01\n\n### Added\n\n- A thing.\n\n### Fixed\n\n- Another fault.\n" +
        "- A third fault.\n\n## [1.0.0] - 2026-01-01\n\n### Fixed\n\n- A fault.\n"
    )
  })

  it("keeps every line of the section Unreleased", () => {
    const current = readFileSync(join(root, "CHANGELOG.md"), "utf8")
    const text = current.includes("## [Unreleased]")
      ? current
      : current.replace(/^## /m, "## [Unreleased]\n\n- A thing of before.\n\n## ")
    const linesOf = (changelog: string) => changelog.split("\n").filter((line) => line !== "").toSorted()
    const released = release(text, ["Security", "A thing."])
    assert.deepStrictEqual(
      linesOf(released),
      linesOf(
        `${text.replace("## [Unreleased]", "## [1.1.0] - 2026-02-01")}\n- A thing.\n${
          /^### Security$/m.test(text) ? "" : "### Security\n"
        }`
      )
    )
  })

  it("is not made without a change, or twice", () => {
    assert.throws(() => release(before), /There is no change to release/)
    assert.throws(
      () => release(release(before, ["Added", "A thing."]), ["Added", "A thing."]),
      /has a section for 1\.1\.0/
    )
  })

  it.each(["A thing.", "added: a thing", "New: a thing", "Added:", ""])(
    "rejects the text %j of a changeset",
    (text) => {
      assert.throws(() => Changelog.parseChange("id", text), /^\.changeset\/id\.md: .* Added:, Changed:/)
    }
  )
})

describe("the bill of materials", () => {
  const component = (name: string, version: string, group?: string) => ({
    "bom-ref": `${name}@${version}`,
    name,
    version,
    ...(group === undefined ? {} : { group }),
    properties: [{ name: "cdx:npm:package:development", value: "true" }]
  })
  const sbom = {
    metadata: { component: component("folder", "1.0.0") },
    components: [
      component("jose", "6.2.18"),
      component("jose", "5.9.6"),
      component("ws", "8.0.0"),
      component("vitest", "5.0.0")
    ],
    dependencies: [
      { ref: "folder@1.0.0", dependsOn: ["jose@6.2.18", "vitest@5.0.0"] },
      { ref: "ws@8.0.0", dependsOn: ["vitest@5.0.0"] },
      { ref: "vitest@5.0.0", dependsOn: [] }
    ]
  }

  it("contains what the package installs and what its command contains, and no tool of the repository", () => {
    const selected = select(sbom, "effect-mcp-auth", ["jose@6.2.18", "ws@8.0.0"])
    assert.deepStrictEqual(selected.components.map((it) => it["bom-ref"]), ["jose@6.2.18", "ws@8.0.0"])
    assert.strictEqual(selected.metadata.component.name, "effect-mcp-auth")
    assert.notInclude(JSON.stringify(selected.components), "development")
    assert.deepStrictEqual(selected.dependencies, [
      { ref: "folder@1.0.0", dependsOn: ["jose@6.2.18", "ws@8.0.0"] },
      { ref: "ws@8.0.0", dependsOn: [] }
    ])
  })

  it("is not written if it would miss a package of the command", () => {
    const bundled = bundledIn("Packages in this file\n\neffect 4.1.0 (MIT)\n\nMIT License\n\nws 8.0.0 (MIT)\n")
    assert.deepStrictEqual(bundled, ["effect@4.1.0", "ws@8.0.0"])
    assert.throws(() => select(sbom, "effect-mcp-auth", bundled), /lists no effect@4\.1\.0/)
  })
})

describe("the workflows", () => {
  const folder = join(root, ".github/workflows")
  const workflows = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }))

  it("use actions by the hash of a commit, with its version in a comment", () => {
    const used = workflows.flatMap(({ name, text }) =>
      [...text.matchAll(/^.*\buses:.*$/gm)].map(([line]) => `${name}: ${line.trim()}`)
    )
    assert.isAbove(used.length, 5)
    assert.deepStrictEqual(used.filter((line) => !/uses: [\w./-]+@[0-9a-f]{40} # v\d+(?:\.\d+)*$/.test(line)), [])
  })

  it("start without a permission to write, and publish only what another job tested", () => {
    for (const { name, text } of workflows) {
      assert.match(text, /^permissions:\n {2}contents: read$/m, name)
      assert.notMatch(text, /^permissions:\n(?: {2}.*\n)* {2}[\w-]+: write$/m, name)
    }
    const { text } = workflows.find(({ name }) => name === "publish.yml")!
    const publish = text.slice(text.indexOf("\n  publish:"))
    assert.include(publish, "needs: pack")
    assert.notMatch(publish, /actions\/checkout|npm (?:ci|install|run)|\.ci\/run/)
    assert.include(publish, "npm publish ./release/*.tgz --provenance")
    assert.notInclude(text.slice(0, text.indexOf("\n  publish:")), ": write")
  })
})
