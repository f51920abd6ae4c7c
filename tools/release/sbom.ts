/**
 * `npm run sbom -- <folder>`: writes the software bill of materials of the tarball (CycloneDX) to `<folder>/effect-mcp-auth-<version>.cdx.json`.
 * It contains the dependencies that npm installs, and the packages that `dist/cli.mjs` contains. The latter are devDependencies of this
 * repository, so `npm sbom --omit dev` would miss them. Needs the build.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

interface Component {
  readonly "bom-ref": string
  readonly name: string
  readonly group?: string
  readonly version: string
  readonly scope?: string
  readonly properties?: unknown
}

interface Sbom {
  readonly metadata: { readonly component: Component }
  readonly components: ReadonlyArray<Component>
  readonly dependencies: ReadonlyArray<{ readonly ref: string; readonly dependsOn?: ReadonlyArray<string> }>
}

const nameOf = ({ group, name }: Component): string => group === undefined ? name : `${group}/${name}`

/** The packages that the notices of the command name, such as `effect 4.1.0 (MIT)`. */
export const bundledIn = (notices: string): ReadonlyArray<string> =>
  [...notices.matchAll(/^(\S+) (\d+\.\d+\.\d+\S*) \([^)]+\)$/gm)].map(([, name, version]) => `${name}@${version}`)

/**
 * Keeps the package, and the components with these names and versions, such as `jose@6.2.18`. Throws if one of them is missing. npm marks
 * the packages that the command contains as development packages, and names the component after its folder; both are corrected.
 */
export const select = (sbom: Sbom, name: string, kept: ReadonlyArray<string>): Sbom => {
  const idOf = (component: Component) => `${nameOf(component)}@${component.version}`
  const components = sbom.components
    .filter((component) => kept.includes(idOf(component)))
    .map(({ properties: _, ...component }) => ({ ...component, scope: "required" }))
  const missing = kept.filter((it) => !components.some((component) => idOf(component) === it))
  if (missing.length > 0) throw new Error(`npm sbom lists no ${missing.join(", ")}. Is package-lock.json current?`)
  const self = sbom.metadata.component["bom-ref"]
  const others = components.map((component) => component["bom-ref"])
  return {
    ...sbom,
    metadata: { ...sbom.metadata, component: { ...sbom.metadata.component, name } },
    components,
    dependencies: sbom.dependencies.filter(({ ref }) => ref === self || others.includes(ref)).map((
      { dependsOn = [], ref }
    ) => ({
      ref,
      dependsOn: ref === self ? others : dependsOn.filter((it) => others.includes(it))
    }))
  }
}

if (process.argv[1] === import.meta.filename) {
  const root = join(import.meta.dirname, "../..")
  const { dependencies, name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const { error, status, stderr, stdout } = spawnSync("npm", [
    "sbom",
    "--package-lock-only",
    "--sbom-format",
    "cyclonedx"
  ], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024
  })
  if (status !== 0) throw error ?? new Error(stderr)
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
  const installed = Object.keys(dependencies).map((it) => `${it}@${packages[`node_modules/${it}`].version}`)
  const bundled = bundledIn(readFileSync(join(root, "dist/cli.LICENSES.txt"), "utf8"))
  const sbom = select(JSON.parse(stdout), name, [...new Set([...installed, ...bundled])])
  const file = join(process.argv[2] ?? root, `${name}-${version}.cdx.json`)
  writeFileSync(file, `${JSON.stringify(sbom, undefined, 2)}\n`)
  console.log(`${file}: ${sbom.components.map((it) => `${nameOf(it)} ${it.version}`).join(", ")}`)
}
