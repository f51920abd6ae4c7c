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

/** Keeps the package, its dependencies, and the bundled packages. Throws if a bundled package is not among the components. */
export const select = (sbom: Sbom, dependencies: ReadonlyArray<string>, bundled: ReadonlyArray<string>): Sbom => {
  const isKept = (component: Component) =>
    dependencies.includes(nameOf(component)) || bundled.includes(`${nameOf(component)}@${component.version}`)
  const components = sbom.components.filter(isKept).map(({ scope: _, ...component }) => ({
    ...component,
    scope: "required"
  }))
  const missing = bundled.filter((it) =>
    !components.some((component) => `${nameOf(component)}@${component.version}` === it)
  )
  if (missing.length > 0) throw new Error(`npm sbom has no component for ${missing.join(", ")}. Run npm ci`)
  const self = sbom.metadata.component["bom-ref"]
  const refs = new Set([self, ...components.map((component) => component["bom-ref"])])
  return {
    ...sbom,
    components,
    dependencies: sbom.dependencies.filter(({ ref }) => refs.has(ref)).map(({ dependsOn = [], ref }) => ({
      ref,
      dependsOn: ref === self ? [...refs].filter((it) => it !== self) : dependsOn.filter((it) => refs.has(it))
    }))
  }
}

if (process.argv[1] === import.meta.filename) {
  const root = join(import.meta.dirname, "../..")
  const { dependencies, name, version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const { error, status, stderr, stdout } = spawnSync("npm", ["sbom", "--sbom-format", "cyclonedx"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024
  })
  if (status !== 0) throw error ?? new Error(stderr)
  const notices = readFileSync(join(root, "dist/cli.LICENSES.txt"), "utf8")
  const sbom = select(JSON.parse(stdout), Object.keys(dependencies), bundledIn(notices))
  const file = join(process.argv[2] ?? root, `${name}-${version}.cdx.json`)
  writeFileSync(file, `${JSON.stringify(sbom, undefined, 2)}\n`)
  console.log(`${file}: ${sbom.components.map((it) => `${nameOf(it)} ${it.version}`).join(", ")}`)
}
