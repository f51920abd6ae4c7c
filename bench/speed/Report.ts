/** Defines the settings and the results of the benchmark levels, and formats the results. */
import { cpus } from "node:os"
import { markdownTable } from "../../src/cli/format/markdownTable.ts"
import type * as Child from "./Child.ts"
import type { Spread } from "./Stats.ts"

export interface Settings {
  readonly issuer: Child.Issuer
  readonly quick: boolean
  /** Whether only contenders with a goal are measured. */
  readonly few: boolean
  /** Whether the level "memory" uses 1,000,000 tokens instead of 100,000, which takes some minutes longer. */
  readonly million: boolean
}

export interface Table {
  readonly title: string
  readonly text: string
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string>>
}

/** A measured value and its goal. */
export interface Goal {
  /** The name of the goal in `ratios.json`. */
  readonly id: string
  readonly what: string
  readonly reach: { readonly atLeast: number } | { readonly atMost: number }
  readonly found: Spread
  readonly unit?: string | undefined
  /** The same ratio by requests per second instead of CPU time. */
  readonly byRate?: Spread | undefined
  /** The same ratio between two servers instead of two routes of one server. */
  readonly asTwoServers?: Spread | undefined
}

export interface Level {
  readonly tables: ReadonlyArray<Table>
  readonly goals: ReadonlyArray<Goal>
  /** The bars of the chart. */
  readonly bars?: ReadonlyArray<Bar> | undefined
}

/** A level after its measurement. */
export interface Measured extends Level {
  readonly name: string
  /** Why the level has no results. */
  readonly failure?: string | undefined
}

export interface Bar {
  readonly name: string
  readonly share: number
  readonly own: boolean
}

export const number = (value: number): string =>
  !Number.isFinite(value)
    ? "–"
    : value >= 100
    ? value.toFixed(0)
    : value >= 10
    ? value.toFixed(1)
    : value.toFixed(2)

export const withQuartiles = ({ high, low, median }: Spread): string =>
  `${number(median)} (${number(low)}–${number(high)})`

export const isReached = ({ found, reach }: Goal): boolean =>
  "atLeast" in reach ? found.median >= reach.atLeast : found.median <= reach.atMost

const tableOf = ({ columns, rows, text, title }: Table): string =>
  [
    `### ${title}`,
    "",
    ...(text === "" ? [] : [text, ""]),
    markdownTable(columns, rows, { alignRight: (column) => column > 0 }),
    ""
  ].join("\n")

export const goalsTable = (goals: ReadonlyArray<Goal>): Table => ({
  title: "Goals",
  text: "",
  columns: ["what", "target", "median", "quartiles", "met"],
  rows: goals.map((goal) => {
    const unit = goal.unit === undefined ? "" : ` ${goal.unit}`
    const { high, low, median } = goal.found
    return [
      goal.what,
      `${"atLeast" in goal.reach ? `≥ ${goal.reach.atLeast}` : `≤ ${goal.reach.atMost}`}${unit}`,
      `${number(median)}${unit}`,
      low === high ? "exact" : `${number(low)}–${number(high)}`,
      isReached(goal) ? "yes" : "**no**"
    ]
  })
})

/** The goals for which other measures exist. */
const otherMeasures = (goals: ReadonlyArray<Goal>): Table => ({
  title: "The goals by other measures",
  text:
    "Requests per second depend on the load of the machine. Two servers are less precise than two routes of one server, because " +
    "processes with the same code differ by up to a tenth.",
  columns: ["what", "by CPU", "by requests per second", "as two servers, by CPU"],
  rows: goals.filter(({ asTwoServers, byRate }) => byRate !== undefined || asTwoServers !== undefined).map((goal) => [
    goal.what,
    withQuartiles(goal.found),
    goal.byRate === undefined ? "–" : withQuartiles(goal.byRate),
    goal.asTwoServers === undefined ? "–" : withQuartiles(goal.asTwoServers)
  ])
})

export const console_ = (table: Table): void => {
  console.log(`\n${table.title}`)
  const lines = [table.columns, ...table.rows]
  const widths = table.columns.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  for (const line of lines) {
    console.log(
      line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("  ")
    )
  }
}

export const markdown = (
  levels: ReadonlyArray<Measured>,
  versions: Readonly<Record<string, string>>,
  notes: string,
  /** Load average per core before the run. */
  load: number
): string => {
  const goals = levels.flatMap(({ goals }) => goals)
  const failed = levels.flatMap(({ failure, name }) => failure === undefined ? [] : [{ failure, name }])
  const met = goals.filter(isReached).length
  return [
    "# Benchmarks",
    "",
    "Protection costs CPU time, memory and bytes. This page compares the cost with that of other libraries. `npm run bench` writes it.",
    "",
    "## What it costs",
    "",
    `${met} of ${goals.length} targets are met. The [notes](#requests) say why the others are not, and what it would take. Each row ` +
    "compares two programs of one run. For requests, a ratio of 0.9 means 9 requests in the CPU time in which the other program " +
    "answers 10. The quartiles show how much the ratio varied between the rounds of the run; a value that is counted is exact.",
    "",
    tableOf(goalsTable(goals)).replace(/^### Goals\n\n/, ""),
    ...failed.map(({ failure, name }) => `**The level \`${name}\` was not measured: ${failure}.**\n`),
    ...(load < 0.5
      ? []
      : [`**The machine was busy with other work: its load average was ${load.toFixed(1)} per core.**`, ""]),
    "![Requests per second of CPU, relative to the same server without protection](bench/speed/benchmarks.svg)",
    "",
    "## How it was measured",
    "",
    `On a machine with ${cpus().length} cores, ${process.platform} ${process.arch}, Node ${process.versions.node}. ` +
    "All figures are ratios within one run. Contenders take short turns in a new order in each round, and a ratio is formed in each " +
    "round. The tables show the median of these ratios, with the quartiles in parentheses. Each kind of request has separate " +
    "servers, with two processes of each server that has a target, and all of them are warm. The load comes from another process " +
    "over 32 connections. That process never sleeps, so that no server pays for waking it. Servers run with " +
    "`--no-memory-reducer`: otherwise V8 discards compiled code while a process is idle during the turns of the others. " +
    "Differences below 15 % are noise. This library logs decisions by default, and the peers log nothing. For the comparison, " +
    "logging is off on both sides.",
    "",
    "## Details",
    "",
    tableOf(otherMeasures(goals)),
    ...levels.flatMap(({ tables }) => tables.map(tableOf)),
    notes.trim(),
    "",
    "## Versions",
    "",
    Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ") + ".",
    ""
  ].join("\n")
}

const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

/** Returns the chart as an SVG that follows the reader's preference for a light or dark color scheme. */
export const picture = (bars: ReadonlyArray<Bar>): string => {
  const row = 30
  const left = 250
  const width = 420
  const height = 62 + bars.length * row
  const longest = Math.max(1, ...bars.map(({ share }) => share))
  const lines = bars.map(({ name, own, share }, index) => {
    const y = 52 + index * row
    const length = Math.max(2, share / longest * width)
    return [
      `  <text class="name${own ? " own" : ""}" x="${left - 10}" y="${y + 15}" text-anchor="end">${
        escape(name)
      }</text>`,
      `  <rect class="${own ? "bar-own" : "bar"}" x="${left}" y="${y}" width="${
        length.toFixed(1)
      }" height="20" rx="3"/>`,
      `  <text class="share" x="${(left + length + 8).toFixed(1)}" y="${y + 15}">${Math.round(share * 100)} %</text>`
    ].join("\n")
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" width="764" height="${height}" viewBox="-24 0 764 ${height}" role="img">
  <title>Requests per second of CPU, relative to the same server without protection</title>
  <style>
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
    .head { font-size: 15px; font-weight: 600; }
    .name, .share { fill: #59636e; }
    .own { fill: #1f2328; font-weight: 600; }
    .bar { fill: #c8ccd1; }
    .bar-own { fill: #0969da; }
    @media (prefers-color-scheme: dark) {
      text, .own { fill: #f0f6fc; }
      .name, .share { fill: #9198a1; }
      .own { fill: #f0f6fc; }
      .bar { fill: #484f58; }
      .bar-own { fill: #4493f8; }
    }
  </style>
  <text class="head" x="16" y="26">Requests per second of CPU, 1,000 tokens; 100 % is Effect without protection</text>
${lines.join("\n")}
</svg>
`
}
