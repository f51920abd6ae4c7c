/**
 * `npm run faults:client`: puts MCP clients before the same faults of MCP servers and authorization servers, over sockets of loopback, and
 * prints what each of them does. The requests that the servers receive decide. Writes docs/comparison.md.
 *
 * An argument selects rows by a part of their fault or their sentence, and clients by their name. Then nothing is written.
 */
import { execFileSync } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const packages = fileURLToPath(new URL("clients/packages", import.meta.url))
if (!existsSync(`${packages}/node_modules/mcp-remote`)) {
  console.log("installing the clients into bench/faults/clients/packages …")
  const { npm_config_local_prefix: _, ...env } = process.env
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: packages, env, stdio: "inherit" })
}
// The libraries and their dependencies write warnings.
console.warn = () => {}
console.error = () => {}

const { clients, controlClient } = await import("./clients/Clients.ts")
const { rows } = await import("./clients/Rows.ts")
const { run, sentenceOf } = await import("./clients/Scenario.ts")
const { toPage } = await import("./clients/Report.ts")

const filters = process.argv.slice(2)
const names = [...clients, controlClient].map(({ name }) => name)
const chosen = filters.filter((filter) => names.includes(filter))
const texts = filters.filter((filter) => !names.includes(filter))
const selected = rows.filter((row) =>
  texts.length === 0 || texts.some((text) => (row.fault ?? "").includes(text) || sentenceOf(row).includes(text))
)
const compared = chosen.length === 0 ? clients : [...clients, controlClient].filter(({ name }) => chosen.includes(name))

const table: Array<readonly [row: typeof rows[number], cells: ReadonlyArray<{ verdict: string; saw: string }>]> = []
for (const row of selected) {
  console.log(`\n${row.number}  ${sentenceOf(row)}`)
  const cells = await Promise.all(compared.map(async (client) => {
    const reason = row.notApplicable?.(client)
    return reason === undefined ? run(row, client) : { verdict: "–", saw: reason }
  }))
  for (const [index, { saw, verdict }] of cells.entries()) {
    console.log(`    ${compared[index]!.name.padEnd(16)} ${verdict.padEnd(7)} ${saw}`)
  }
  table.push([row, cells])
}
if (filters.length === 0) {
  writeFileSync(new URL("../../docs/comparison.md", import.meta.url), toPage(table))
  console.log("\nwrote docs/comparison.md")
}
process.exit(
  table.every(([, cells]) => compared[0]!.name !== clients[0]!.name || cells[0]!.verdict !== "unsafe") ? 0 : 1
)
