import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { symlinkSync } from "node:fs"
import { join } from "node:path"
import { install } from "../../tools/release/installed.ts"
import { type Clone, clone } from "../clone.ts"

const root = join(import.meta.dirname, "../..")

describe("npm run release", () => {
  let repository: Clone
  const release = (...args: ReadonlyArray<string>) => repository.run("npm", "run", "--silent", "release", "--", ...args)
  const manifest = (): { version: string; repository?: unknown } => JSON.parse(repository.read("package.json"))
  const setManifest = (members: Readonly<Record<string, unknown>>) =>
    repository.write("package.json", `${JSON.stringify({ ...manifest(), ...members }, undefined, 2)}\n`)
  const addChangeset = (name: string, bump: string, text: string) =>
    repository.write(`.changeset/${name}.md`, `---\n"effect-mcp-auth": ${bump}\n---\n\n${text}\n`)
  const addNotes = (version: string) =>
    repository.write("docs/upgrading.md", `${repository.read("docs/upgrading.md")}\n## ${version}\n\nNothing to do.\n`)
  const sectionOf = (version: string) =>
    repository.read("CHANGELOG.md").split(/^(?=## )/m).find((it) => it.startsWith(`## [${version}] - `)) ?? ""
  const head = () => repository.expect("git", "rev-parse", "HEAD").trim()

  beforeAll(() => {
    install()
    repository = clone()
    symlinkSync(join(root, "tools/release/node_modules"), join(repository.folder, "tools/release/node_modules"))
    // The version is one that no real release has.
    setManifest({ version: "0.98.0", repository: "github:example/effect-mcp-auth" })
    const changelog = repository.read("CHANGELOG.md").replace(/^## \[Unreleased\][\s\S]*?(?=^## |(?![\s\S]))/m, "")
    repository.write(
      "CHANGELOG.md",
      `${changelog.trimEnd()}\n\n## [Unreleased]\n\nThe text before changesets.\n\n### Added\n\n- A thing of before.\n\n### Fixed\n\n- A fault.\n`
    )
    addNotes("0.98.0")
    // The changesets of the repository itself would be part of the version.
    repository.expect("git", "rm", "--quiet", "--ignore-unmatch", ".changeset/*.md", ":!.changeset/README.md")
    addChangeset("small-boats-sail", "minor", "Added: A thing of a changeset,\nin two lines.")
    repository.commit("Prepare a version")
  })

  afterAll(() => repository?.remove())

  it("prints the section with --dry-run, and changes nothing", () => {
    const before = head()
    const { output, status } = release("--dry-run")
    assert.strictEqual(status, 0, output)
    assert.include(output, "effect-mcp-auth 0.98.0 -> 0.98.0")
    assert.include(output, "- A thing of a changeset,\n  in two lines.")
    assert.strictEqual(head(), before)
    assert.strictEqual(repository.expect("git", "status", "--porcelain"), "")
  })

  it("rejects a work tree with changes, another branch, and an unknown argument", () => {
    repository.write("new.txt", "new")
    assert.deepInclude(release(), { status: 1 })
    assert.include(release().output, "?? new.txt")
    repository.expect("git", "clean", "--quiet", "--force")
    repository.expect("git", "switch", "--quiet", "--create", "side")
    assert.match(release().output, /The branch is "side"/)
    repository.expect("git", "switch", "--quiet", "main")
    assert.match(release("--force").output, /unknown argument: --force/)
  })

  it("moves the section Unreleased and the changesets into the first version, and tags the commit", () => {
    const { output, status } = release()
    assert.strictEqual(status, 0, output)
    const section = sectionOf("0.98.0")
    const date = new Date().toISOString().slice(0, 10)
    assert.strictEqual(
      section.trimEnd(),
      `## [0.98.0] - ${date}\n\nThe text before changesets.\n\n### Added\n\n- A thing of before.\n` +
        "- A thing of a changeset,\n  in two lines.\n\n### Fixed\n\n- A fault."
    )
    assert.notInclude(repository.read("CHANGELOG.md"), "[Unreleased]")
    assert.strictEqual(repository.expect("git", "log", "-1", "--format=%s").trim(), "Release 0.98.0")
    assert.strictEqual(repository.expect("git", "rev-parse", "v0.98.0^{commit}").trim(), head())
    assert.include(
      repository.expect("git", "tag", "--list", "--format=%(contents)", "v0.98.0"),
      "### Added\n\n- A thing"
    )
    assert.strictEqual(repository.expect("git", "status", "--porcelain"), "")
    assert.notInclude(repository.expect("git", "ls-files", ".changeset"), "small-boats-sail")
    // The result has the format of the repository.
    repository.expect("npx", "dprint", "check", "CHANGELOG.md")
  })

  it("rejects a release without a change", () => {
    assert.match(release().output, /CHANGELOG\.md has a section for 0\.98\.0/)
  })

  it("rejects a major change before 1.0, a text without a kind, and a version without upgrade notes", () => {
    addChangeset("big-boats-sail", "major", "Removed: A thing.")
    repository.commit("Remove a thing")
    assert.match(release().output, /A changeset is `major`/)
    addChangeset("big-boats-sail", "minor", "A thing is gone.")
    repository.commit("Describe it badly")
    assert.match(release().output, /\.changeset\/big-boats-sail\.md: the text begins with "A thing is gone\."/)
    addChangeset("big-boats-sail", "minor", "Removed: A thing. Write another one.")
    repository.commit("Describe it well")
    assert.match(release().output, /docs\/upgrading\.md has no section "## 0\.99\.0"/)
  })

  it("computes the next version from the changesets, and writes it to both files of npm", () => {
    addNotes("0.99.0")
    repository.commit("Write the notes")
    const { output, status } = release()
    assert.strictEqual(status, 0, output)
    assert.strictEqual(manifest().version, "0.99.0")
    assert.strictEqual(JSON.parse(repository.read("package-lock.json")).packages[""].version, "0.99.0")
    assert.include(sectionOf("0.99.0"), "### Removed\n\n- A thing. Write another one.")
    const changelog = repository.read("CHANGELOG.md")
    assert.isBelow(changelog.indexOf("## [0.99.0]"), changelog.indexOf("## [0.98.0]"))
    assert.strictEqual(repository.expect("git", "describe").trim(), "v0.99.0")
  })

  it("rejects a package without a repository, which npm would reject after the tag", () => {
    setManifest({ repository: undefined })
    repository.commit("Remove the repository")
    assert.match(release().output, /package\.json has no `repository`/)
  })
})
