/** The menus of the site. A page that no group lists appears in a group by its folder, so that no page is lost. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { generated, pageOf, root } from "./Pages.ts"

/** A menu entry, in the form of VitePress. */
export interface Item {
  readonly text: string
  readonly link?: string
  readonly collapsed?: boolean
  readonly items?: ReadonlyArray<Item>
}

/** A file, relative to the repository, or a heading of it, with a label if the first heading is too long for a menu. */
type Entry = string | readonly [file: string, label: string]

interface Group {
  readonly text: string
  readonly entries: ReadonlyArray<Entry>
  /** Pages in these folders that no group lists belong to this group. */
  readonly rest?: RegExp
}

const groups: ReadonlyArray<Group> = [
  {
    text: "Start",
    entries: [
      "docs/introduction.md",
      "docs/quick-start.md",
      "docs/concepts.md",
      ["README.md", "Overview"]
    ]
  },
  {
    text: "Tutorials",
    entries: [
      ["examples/whoami/README.md", "First server (10 minutes)"],
      ["examples/express/README.md", "An Express server"],
      ["examples/todo-manager/README.md", "A server on Effect"],
      ["examples/edge/README.md", "An edge worker"],
      ["examples/policies/README.md", "Policies"],
      ["examples/proxy/README.md", "GitHub sign-in (proxy)"],
      ["examples/tenants/README.md", "Several tenants"],
      ["examples/upstream/README.md", "Calling an upstream API"]
    ],
    rest: /^examples\/[^/]+\/README\.md$|^examples\/(?!providers\/).*\.md$/
  },
  {
    text: "Guides",
    entries: [
      ["examples/hosts/README.md", "Recipes for hosts"],
      ["docs/official-sdks.md", "The official SDKs"],
      "docs/policies.md",
      "docs/lazy-sign-in.md",
      ["docs/other-credentials.md", "API keys, sign-in proxies"],
      ["docs/extensions.md", "Extensions of MCP"],
      ["docs/oauth-proxy.md", "The OAuth proxy"],
      ["docs/slack-and-discord.md", "Slack and Discord"],
      ["docs/proxy-formats.md", "Formats of the proxy"]
    ],
    rest: /^docs\//
  },
  {
    text: "Providers",
    entries: [
      ["PROVIDERS.md", "Find a provider"],
      ["examples/providers/README.md", "Settings by provider"]
    ]
  },
  {
    text: "Clients",
    entries: [
      ["docs/clients.md", "Compatibility"],
      ["docs/clients-sign-in.md", "Sign people in"],
      ["docs/machine-clients.md", "Machine clients"],
      ["examples/agent/README.md", "Tutorial: an agent"],
      ["examples/cli-client/README.md", "Tutorial: a command line"],
      ["examples/machine-client/README.md", "Tutorial: a machine"]
    ]
  },
  {
    text: "Testing",
    entries: [["examples/testing/README.md", "The testing kit"]]
  },
  {
    text: "Operations",
    entries: [
      "docs/operations.md",
      "docs/options.md",
      "docs/rejection-reasons.md",
      ["examples/observability/README.md", "Tutorial: observability"],
      ["docs/upgrading.md", "Upgrading"],
      ["docs/support.md", "Support"]
    ]
  },
  {
    text: "Security",
    entries: [["SECURITY.md", "Promises and limits"]]
  },
  {
    text: "Performance",
    entries: [["BENCHMARKS.md", "Benchmarks"], "docs/fast-path.md", "docs/fast-starts.md"]
  },
  {
    text: "Comparison",
    entries: [["README.md#comparison", "Libraries"], ["docs/comparison.md", "Clients before faults"]]
  },
  {
    text: "Migration",
    entries: [["docs/migration.md", "From other libraries"], [
      "examples/migrate-from-mcp-auth/README.md",
      "Tutorial: mcp-auth"
    ]]
  },
  {
    text: "Project",
    entries: [
      ["reference/README.md", "API reference"],
      "CHANGELOG.md",
      "CONTRIBUTING.md",
      ["docs/first-change.md", "Your first change"]
    ],
    rest: /^docs\/decisions\/|^[^/]+\.md$/
  }
]

const markdownOf = (folder: string): ReadonlyArray<string> =>
  (existsSync(join(root, folder)) ? readdirSync(join(root, folder), { recursive: true, withFileTypes: true }) : [])
    .filter((entry) => entry.isFile() && entry.name.endsWith(".md") && !entry.parentPath.includes("node_modules"))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1).replaceAll("\\", "/"))
    .toSorted()

const titleOf = (file: string): string =>
  /^# +(.+)$/m.exec(readFileSync(join(root, file), "utf8"))?.[1]?.replace(/`|\[([^\]]*)\]\([^)]*\)/g, "$1") ?? file

/** Returns the link of a file, or of a heading of it, in a menu. The index of a folder is the folder. */
export const linkTo = (entry: string): string => {
  const [file = "", anchor] = entry.split("#")
  const page = pageOf(file).replace(/\.md$/, "").replace(/(^|\/)index$/, "$1")
  return anchor === undefined ? `/${page}` : `/${page}#${anchor}`
}

const fileOf = (entry: Entry): string => typeof entry === "string" ? entry : entry[0]

const itemFor = (entry: Entry): Item =>
  typeof entry === "string" ? { text: titleOf(entry), link: linkTo(entry) } : { text: entry[1], link: linkTo(entry[0]) }

/** Returns the menu of all pages except the reference. Entries of files that do not exist are left out. */
export const makeSidebar = (): ReadonlyArray<Item> => {
  const files = [
    ...readdirSync(root).filter((name) => name.endsWith(".md")),
    ...markdownOf("docs"),
    ...markdownOf("examples")
  ].filter((file) => !file.startsWith("examples/providers/") || file === "examples/providers/README.md")
  const listed = new Set(groups.flatMap(({ entries }) => entries).map(fileOf))
  // The search starts at the last group, whose pattern for decisions is narrower than the one of the guides.
  const rest = new Map<Group, Array<string>>()
  for (const file of files.filter((it) => !listed.has(it) && !it.includes("/test/"))) {
    const group = groups.findLast((it) => it.rest?.test(file) === true)
    if (group !== undefined) rest.set(group, [...rest.get(group) ?? [], file])
  }
  return groups.map((group) => ({
    text: group.text,
    collapsed: !["Start", "Tutorials", "Guides"].includes(group.text),
    items: [
      ...group.entries.filter((entry) => existsSync(join(root, fileOf(entry).split("#")[0]!))).map(itemFor),
      ...(rest.get(group) ?? []).map(itemFor),
      ...(group.text === "Providers" ? [{ text: "All providers", collapsed: true, items: makeProviders() }] : [])
    ]
  }))
}

const makeProviders = (): ReadonlyArray<Item> =>
  [...markdownOf("examples/providers"), ...markdownOf(`${generated}/examples/providers`)]
    .filter((file) => !file.endsWith("/README.md"))
    .map(itemFor)
    .toSorted((one, other) => one.text.localeCompare(other.text))

/** Returns the menu of the reference: one group for each entry point, in the order of its index. */
export const makeReferenceSidebar = (): ReadonlyArray<Item> => {
  const index = readFileSync(join(root, "reference/README.md"), "utf8")
  return [
    { text: "API reference", link: "/reference/" },
    ...index.split(/^## /m).slice(1).map((section) => ({
      text: section.slice(0, section.indexOf("\n")).trim().replace(/^effect-mcp-auth\//, "/"),
      collapsed: !section.startsWith("effect-mcp-auth\n"),
      items: [...section.matchAll(/^\| \[([^\]]+)\]\(([^)]+)\)/gm)].map(([, text, file]) => ({
        text: text!,
        link: linkTo(`reference/${file}`)
      }))
    }))
  ]
}
