/**
 * `npm run release`: prepares a release on a clean work tree of `main`. Computes the version from the changesets, moves their text and the
 * section "Unreleased" of CHANGELOG.md into the section of the version, writes the version to package.json and package-lock.json,
 * commits, and creates the tag. It pushes and publishes nothing: the workflow `publish` does, when the release of the tag is published.
 *
 * `npm run release -- --dry-run` changes nothing, and prints the section of the changelog.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Changelog from "./Changelog.ts"
import { install, load } from "./installed.ts"

/** The part of the plan of `@changesets/get-release-plan` that this program reads. */
interface Plan {
  readonly changesets: ReadonlyArray<{ readonly id: string; readonly summary: string }>
  readonly releases: ReadonlyArray<{ readonly name: string; readonly type: string; readonly newVersion: string }>
}

const root = process.cwd()

const fail = (message: string): never => {
  console.error(message)
  process.exit(1)
}

const run = (command: string, ...args: ReadonlyArray<string>): string => {
  const { error, status, stderr, stdout } = spawnSync(command, args, { cwd: root, encoding: "utf8" })
  if (status !== 0) fail(error?.message ?? `${command} ${args.join(" ")} ended with ${status}\n${stdout}${stderr}`)
  return stdout.trim()
}

const path = (...parts: ReadonlyArray<string>) => join(root, ...parts)
const read = (...parts: ReadonlyArray<string>) => readFileSync(path(...parts), "utf8")

const given = process.argv.slice(2)
const unknown = given.filter((it) => it !== "--dry-run")
if (unknown.length > 0) fail(`unknown argument: ${unknown.join(" ")}. The only one is --dry-run`)
const isDry = given.includes("--dry-run")

const manifest = JSON.parse(read("package.json")) as {
  readonly name: string
  readonly version: string
  readonly repository?: unknown
}

if (!isDry) {
  const changed = run("git", "status", "--porcelain")
  if (changed !== "") fail(`The work tree has changes. Commit them first:\n${changed}`)
  const branch = run("git", "branch", "--show-current")
  if (branch !== "main") fail(`The branch is ${JSON.stringify(branch)}. Release from main`)
  if (manifest.repository === undefined) {
    fail("package.json has no `repository`. npm rejects a provenance whose repository is not the one of the workflow")
  }
}

install()
const getReleasePlan =
  (await load("@changesets/get-release-plan") as { readonly getReleasePlan: (root: string) => Promise<Plan> })
    .getReleasePlan
const plan = await getReleasePlan(root)

try {
  const changes = plan.changesets.map(({ id, summary }) => Changelog.parseChange(id, summary))
  const changelog = read("CHANGELOG.md")
  // The version of package.json is released as it is if the changelog has no section for it: the first version, or a version that was
  // chosen by hand.
  const isChosen = !Changelog.hasVersion(changelog, manifest.version)
  const planned = plan.releases.find(({ name }) => name === manifest.name)
  if (!isChosen && manifest.version.startsWith("0.") && planned?.type === "major") {
    fail(
      "A changeset is `major`. Before 1.0, a breaking change is `minor` (docs/support.md). Set 1.0.0 in package.json by hand"
    )
  }
  const version = isChosen ? manifest.version : planned?.newVersion ?? manifest.version
  const date = new Date().toISOString().slice(0, 10)
  const released = Changelog.release(changelog, { version, date, changes })
  const entry = Changelog.entryOf(released, version)!

  if (version.endsWith(".0") && !read("docs/upgrading.md").includes(`\n## ${version}\n`)) {
    fail(`docs/upgrading.md has no section "## ${version}". Write one: what an upgrade needs, or that it needs nothing`)
  }

  if (isDry) {
    console.log(`${manifest.name} ${manifest.version} -> ${version}\n\n${entry}`)
  } else {
    const tag = `v${version}`
    if (run("git", "tag", "--list", tag) !== "") fail(`The tag ${tag} exists`)
    writeFileSync(path("CHANGELOG.md"), released)
    for (const { id } of plan.changesets) rmSync(path(".changeset", `${id}.md`))
    if (version !== manifest.version) run("npm", "version", version, "--no-git-tag-version")
    run("git", "add", "--all")
    run("git", "commit", "--quiet", "--message", `Release ${version}`)
    run(
      "git",
      "tag",
      "--annotate",
      "--cleanup",
      "verbatim",
      "--message",
      `${manifest.name} ${version}\n\n${entry}\n`,
      tag
    )
    console.log(`Committed and tagged ${tag}. Next: push the commit and the tag, and publish the release of ${tag}:`)
    console.log(`  git push origin main ${tag}`)
    console.log(`  gh release create ${tag} --verify-tag --notes-from-tag`)
  }
} catch (error) {
  fail(error instanceof Error ? error.message : String(error))
}
