/** The level "tenants": memory, look-ups and refresh traffic of many tenants, and what one failing authorization server costs. */
import * as Child from "./Child.ts"
import { type Level, number, type Settings } from "./Report.ts"
import { spread } from "./Stats.ts"
import type { Measured, Work } from "./TenantDay.ts"

/** The `max-age` values of documents that are compared, in seconds. */
const maxAges = [undefined, 3600] as const

export const tenants = async ({ quick }: Settings): Promise<Level> => {
  const count = quick ? 200 : 10_000
  const found: Array<Measured> = []
  for (const maxAge of maxAges) {
    const work: Work = { tenants: count, maxAge }
    found.push(await Child.work<Measured>("TenantDay.ts", work, ["--expose-gc"]))
  }
  const row = (what: string, pick: (measured: Measured) => string) => [what, ...found.map(pick)]
  const rejected = found.reduce((sum, measured) => sum + measured.rejected, 0)
  const growth = Math.max(...found.map(({ heapEnd, heapFirst }) => heapEnd - heapFirst))
  return {
    tables: [{
      title: "Tenants",
      text:
        `A simulated day of ${
          count.toLocaleString("en")
        } tenants behind one gate, each with its own authorization server. ` +
        "Each tenant sends a request every half hour, with a new token every hour. The authorization server of one of them " +
        "answers 503 all day while its callers send a request every minute. Afterwards it accepts connections and never answers, " +
        "while a thousand of its callers wait. The columns differ in the `max-age` of the documents of the authorization servers.",
      columns: ["", ...maxAges.map((maxAge) => maxAge === undefined ? "no `max-age`" : `\`max-age=${maxAge}\``)],
      rows: [
        row("heap per tenant after the first request, kB", ({ heapFirst }) => number(heapFirst)),
        row("heap per tenant at the end of the day, kB", ({ heapEnd }) => number(heapEnd)),
        row("look-ups per tenant", ({ lookUps }) => number(lookUps)),
        row("requests to the authorization server per tenant", ({ fetches }) => number(fetches)),
        row("the most of these requests in half an hour", ({ busiest }) => number(busiest)),
        row("requests of the tenant with the failing server", ({ badRequests }) => number(badRequests)),
        row("requests to the failing server", ({ badFetches }) => number(badFetches)),
        row("requests of other tenants, rejected", (measured) => `${measured.requests}, ${measured.rejected}`),
        row(
          "CPU of a request beside a server that never answers, to one without",
          ({ cpuBeside, cpuQuiet }) => number(cpuBeside / cpuQuiet)
        ),
        row("CPU of `invalidate` for one subject, ms", ({ invalidation }) => number(invalidation))
      ]
    }],
    goals: [
      {
        id: "tenants/rejected",
        what: "requests of other tenants that one failing authorization server rejects",
        reach: { atMost: 0 },
        found: spread([rejected])
      },
      {
        id: "tenants/memory",
        what: "heap per tenant after a day, above that after its first request",
        reach: { atMost: 4 },
        found: spread([Math.max(0, growth)]),
        unit: "kB"
      }
    ]
  }
}
