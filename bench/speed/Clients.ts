/** The level "client": what a cached token adds to a request, and the memory of many accounts. */
import * as Child from "./Child.ts"
import type { Measured as Memory } from "./ClientMemory.ts"
import type { Measured as Requests } from "./ClientRequests.ts"
import { type Level, number, type Settings, withQuartiles } from "./Report.ts"
import { spread } from "./Stats.ts"

const alone = "fetch alone"

export const client = async ({ quick }: Settings): Promise<Level> => {
  const requests = await Child.work<Requests>("ClientRequests.ts", {
    rounds: quick ? 3 : 7,
    milliseconds: quick ? 60 : 150
  })
  const memory = await Child.work<Memory>("ClientMemory.ts", { accounts: quick ? 100 : 1_000, resources: 10 }, [
    "--expose-gc"
  ])
  const added = (name: string) =>
    spread(requests[name]!.map((value, round) => Math.max(0, value - requests[alone]![round]!)))
  const { connections, empty, end, full, tokens } = memory
  const own = ["effect-mcp-auth, a machine", "effect-mcp-auth, an account"] as const
  return {
    tables: [
      {
        title: "Sending a request with a cached token",
        text: "The CPU time that a client adds to a request in process. The server answers at once.",
        columns: ["client", "µs"],
        rows: Object.keys(requests).filter((name) => name !== alone).map((name) => [name, withQuartiles(added(name))])
      },
      {
        title: "Memory of accounts",
        text: `The heap of ${
          connections.toLocaleString("en")
        } accounts at MCP servers, each with a token of 800 characters, in one process.`,
        columns: ["", "MiB of heap"],
        rows: [
          ["before the first sign-in", number(empty)],
          ["after one refresh of each token", number(full)],
          ["after four refreshes of each token", number(end)],
          ["the records of the tokens", number(tokens)]
        ]
      }
    ],
    goals: [
      ...own.map((name) => ({
        id: `client/${name.slice(name.indexOf(", ") + 2)}`,
        what: `CPU time that a cached token adds to a request of ${name.slice(name.indexOf(", ") + 2)}`,
        reach: { atMost: 5 },
        found: added(name),
        unit: "µs"
      })),
      {
        id: "client/memory",
        what: "heap after four refreshes of each token, above that after the first",
        reach: { atMost: 8 },
        found: spread([Math.max(0, end - full)]),
        unit: "MiB"
      },
      {
        id: "client/connection",
        what: "heap of an account at an MCP server, without the records of its token",
        reach: { atMost: 16 },
        found: spread([Math.max(0, full - empty - tokens) * 1024 / connections]),
        unit: "KiB"
      }
    ]
  }
}
