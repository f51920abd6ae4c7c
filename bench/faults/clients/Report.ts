/** Writes docs/comparison.md. */
import { clients } from "./Clients.ts"
import { type Row, sentenceOf } from "./Scenario.ts"

interface Cell {
  readonly verdict: string
  readonly saw: string
}

const escape = (text: string): string => text.replaceAll("|", "\\|")

const count = (table: ReadonlyArray<readonly [Row, ReadonlyArray<Cell>]>, index: number, verdict: string): number =>
  table.filter(([, cells]) => cells[index]!.verdict === verdict).length

/** Writes the page. */
export const toPage = (table: ReadonlyArray<readonly [Row, ReadonlyArray<Cell>]>): string => {
  const date = new Date().toISOString().slice(0, 10)
  const head = ["", "fault", ...clients.map(({ name }) => name)]
  const lines = table.map(([row, cells]) => [
    String(row.number),
    escape(sentenceOf(row)),
    ...cells.map(({ saw, verdict }) => escape(verdict === "–" ? `– ${saw}` : `**${verdict}**: ${saw}`))
  ])
  const sums = (["safe", "differs", "unsafe", "–"] as const).map((verdict) => [
    verdict === "–" ? "does not apply" : verdict,
    ...clients.map((_, index) => String(count(table, index, verdict)))
  ])
  const toTable = (rows: ReadonlyArray<ReadonlyArray<string>>) =>
    [rows[0]!, rows[0]!.map(() => "---"), ...rows.slice(1)].map((cells) => `| ${cells.join(" | ")} |`).join("\n")
  return `# Clients before the same faults

<!-- Written by \`npm run faults:client\`. -->

MCP clients meet MCP servers and authorization servers that they do not know. This page shows what five clients do if these servers
misbehave. \`npm run faults:client\` runs every client against the same servers, over sockets of loopback, and writes this page. The
servers are \`MisbehavingServers\` of [the testing kit](../examples/testing/README.md#testing-a-client).

As of ${date}: ${
    clients.map(({ name, version }) => `\`${name}\` ${version}`).join(", ").replaceAll(
      "`SDK v1`",
      "SDK v1 (`@modelcontextprotocol/sdk`)"
    ).replaceAll("`SDK v2`", "SDK v2 (`@modelcontextprotocol/client`)")
  }.

## How to read it

- **safe**: the client does what the standards require.
- **unsafe**: the client does what the fault provokes, such as sending a code to an attacker, or asking a person again and again.
- **differs**: the client harms no one, but stops although it could go on, or goes on although it should stop.
- **–**: the row does not apply to the client.

One oracle for each row decides by the requests that the servers receive, not by messages of the client. A client that makes every mistake
is the control: each oracle must report it (\`test/bench/clientFaults.test.ts\`).

The rows are the faults against which this library was built, so its column proves less than the others. No row measures maturity,
documentation or the number of users, in which the SDKs lead. Several differences are decisions: \`@ai-sdk/mcp\` stops in more cases than
the standards require, for example if the token endpoint has another origin. An SDK leaves storage, and the comparison of \`state\`, to
the application; the run gives each library the lines that its documentation shows, with one storage for all sessions. Guessed endpoints
(rows 14, 16 and 30) follow MCP 2025-03-26, which later revisions replace.

## Summary

${toTable([["", ...clients.map(({ name }) => name)], ...sums])}

## Faults

${toTable([head, ...lines])}

## Left out

- FastMCP: its client is a Python package. Neither npm nor Debian has it, and this repository installs nothing from other registries.
- Faults that no server causes: a taken port, two accounts, a swapped record, a key that is lost, a person who does not return. The
  tests of this library have them (\`test/client\`).
- Launching a browser without a shell: the libraries leave it to the application.
- Metadata with deep nesting: no client comes to harm.
`
}
