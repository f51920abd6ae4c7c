/** The level "request": whole requests, over sockets. */
import * as Child from "./Child.ts"
import type { Measured as Handled } from "./Handler.ts"
import * as Load from "./Load.ts"
import { type Goal, type Level, type Settings, type Table, withQuartiles } from "./Report.ts"
import { compare, goal, rounds, routesOf, type Samples, startServers } from "./Rounds.ts"
import { ratio, spread } from "./Stats.ts"

const own = "effect + effect-mcp-auth"
/** Verifies signatures by jose, as hosts do that have no `node:crypto`. */
const byJose = `${own}, jose`

const contenders = [
  "effect",
  own,
  byJose,
  "effect + jose",
  "node:http",
  "node:http + effect-mcp-auth",
  "express",
  "express + effect-mcp-auth",
  "express + mcp-auth",
  "express + SDK + jose",
  "express + express-oauth2-jwt-bearer",
  "fastify + @fastify/jwt",
  "fastify + @fastify/jwt, cache on",
  "hono + hono/jwk",
  "hono + hono/jwk, keys at hand"
]

const few = ["effect", own, byJose, "effect + jose", "express + effect-mcp-auth", "express + mcp-auth"]

const isCaching = (name: string) => !unprotected.includes(name) && !/^(hono|floor)/.test(name)

/** Servers that admit every request. */
const unprotected = ["effect", "express", "node:http"]

/** Servers that only verify a signature. They show the minimum time for new tokens. */
const floors = ["floor, jose", "floor, node:crypto"]

const json = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")

interface Scenario {
  readonly tokens: ReadonlyArray<string>
  readonly statuses: ReadonlyArray<string>
  /** Whether each token is sent only once, so that a cache has no effect. */
  readonly fresh?: boolean
}

const rejected = ["400", "401", "500"]

export const request = async (settings: Settings): Promise<Level> => {
  const { issuer, quick } = settings
  const known = await issuer.mint("RS256", 1000)
  // Hono's middleware rejects the `typ` of RFC 9068, so it gets tokens with another `typ`. It has no cache, so they can repeat.
  const plain = (await issuer.mint("RS256", 1000, "JWT")).map(Load.get)
  // Enough tokens to fill the cache before the measurement without sending a token twice.
  const many = await issuer.mint("RS256", quick ? 18_000 : 45_000)
  const unknown = known.map((token, index) => {
    const [, claims, signature] = token.split(".")
    // No server rejects this `typ` before it looks up the key. This scenario measures the look-up.
    return `${json({ alg: "RS256", typ: "JWT", kid: `unknown-${index}` })}.${claims}.${signature}`
  })
  const garbage = known.map((_, index) => `garbage${index}${"x".repeat(700)}`)
  const all: Readonly<Record<string, Scenario>> = {
    "1,000 tokens": { tokens: known, statuses: ["200"] },
    "every token new": { tokens: many, statuses: ["200"], fresh: true },
    "garbage": { tokens: garbage, statuses: rejected }
  }
  const names = settings.few ? few : contenders
  const handled = await Child.work<Handled>("Handler.ts", {
    issuer: issuer.url,
    names: few,
    tokens: known,
    rounds: quick ? 5 : 7,
    milliseconds: quick ? 100 : 150
  })
  const scenarios = Object.entries(all)
  const found: Record<string, Samples> = {}
  for (const [scenario, { fresh = false, statuses, tokens }] of scenarios) {
    console.log(`  ${scenario} …`)
    const requests = tokens.map(Load.get)
    const lower = fresh && !quick ? floors : []
    const isCompared = (name: string) => few.includes(name) || lower.includes(name)
    // New processes for each scenario. Otherwise a server without a cache would have compiled its signature check in an earlier
    // scenario, and a server with a cache would not.
    const servers = await startServers([...names, ...lower], issuer, (name) => !quick && isCompared(name) ? 2 : 1)
    found[scenario] = await rounds(
      servers,
      (name) => name.startsWith("hono") && statuses[0] === "200" ? plain : requests,
      (name) => unprotected.includes(name) ? ["200"] : statuses,
      {
        count: quick ? 8 : 24,
        leadIn: 30,
        milliseconds: 70,
        compared: isCompared,
        // Caches are full after 10,000 tokens. The compilation of the code takes longer.
        warm: quick
          ? { requests: 10_500, milliseconds: fresh ? 5000 : 1000 }
          : fresh
          ? { requests: 28_000, milliseconds: 6000 }
          : { requests: 50_000, milliseconds: 2500 },
        once: (name) => fresh && isCaching(name)
      }
    )
    await Promise.all(servers.map((server) => server.stop()))
  }

  const tableOf = (title: string, text: string, pick: "cpu" | "rate"): Table => ({
    title,
    text,
    columns: ["server", ...scenarios.map(([name]) => name)],
    rows: names.map((name) => [
      name,
      ...scenarios.map(([scenario]) => withQuartiles(compare(found[scenario]!, name, "effect")[pick]))
    ])
  })
  const seen = found["1,000 tokens"]!
  const fresh = found["every token new"]!
  console.log("  routes of one server …")
  const pair = await routes(settings, all["1,000 tokens"]!)
  return {
    bars: names.filter((name) => !["express", "node:http", byJose].includes(name)).map((name) => ({
      name: name === "effect" ? "effect, no protection" : name,
      share: compare(seen, name, "effect").cpu.median,
      own: name.includes("effect-mcp-auth")
    })),
    tables: [
      tableOf(
        "A whole request, by CPU",
        "Requests that a server answers in the CPU time in which the unprotected Effect server answers one.",
        "cpu"
      ),
      tableOf(
        "A whole request, by requests per second",
        "The same by wall-clock time, on a shared machine.",
        "rate"
      ),
      {
        title: "The handler alone",
        text:
          "CPU time of the server's listener for a token seen before, without sockets, as a multiple of the unprotected Effect " +
          "server; less is better. It has no goal.",
        columns: ["server", "CPU"],
        rows: few.map((name) => [name, withQuartiles(ratio(handled[name]!, handled["effect"]!))])
      },
      ...(quick ? [] : [floorsTable(pair, fresh)]),
      ...(settings.few ? [] : [await unknownKids(issuer, unknown)])
    ],
    goals: [
      ...routesGoal(
        "seen/unprotected",
        "requests with a cached token, Effect: to the route without protection",
        0.9,
        pair,
        seen
      ),
      ...goal(
        "seen/mcp-auth",
        "requests with a cached token, Effect: to Express + mcp-auth",
        4,
        seen,
        own,
        "express + mcp-auth"
      ),
      ...goal(
        "express/mcp-auth",
        "requests with a cached token, Express: to Express + mcp-auth",
        1.8,
        seen,
        "express + effect-mcp-auth",
        "express + mcp-auth"
      ),
      ...goal(
        "new/default",
        "requests with a new token each: to plain jose",
        1.4,
        fresh,
        own,
        "effect + jose"
      ),
      ...goal(
        "new/jose",
        "requests with a new token each, without `node:crypto`: to plain jose",
        1,
        fresh,
        byJose,
        "effect + jose"
      ),
      ...routesGoal(
        "garbage/unprotected",
        "rejected garbage: to admitted requests without protection",
        0.7,
        await routes(settings, all["garbage"]!),
        found["garbage"]!
      ),
      ...(quick ? [] : [await unknownKidGoal(issuer, own, unknown)])
    ]
  }
}

const behind = "the route behind the gate"
const beside = "the route without the gate"
const constant = "the route behind a middleware that gives a constant"

const routes = ({ issuer, quick }: Settings, { statuses, tokens }: Scenario): Promise<Samples> =>
  routesOf(
    "effect, three routes",
    issuer,
    new Map([[behind, "/mcp"], [beside, "/open"], [constant, "/floor"]].map(([name, path]) =>
      [name!, tokens.map(Load.getAt(path!))] as const
    )),
    (name) =>
      name === behind ? statuses : ["200"],
    quick
      ? { processes: 1, count: 12, leadIn: 30, milliseconds: 70, warm: { requests: 20_000, milliseconds: 1500 } }
      : { processes: 3, count: 24, leadIn: 30, milliseconds: 70, warm: { requests: 50_000, milliseconds: 3000 } }
  )

/** Returns the goals that compare two routes of one server, with the same ratio as measured with two servers. */
const routesGoal = (id: string, what: string, atLeast: number, pair: Samples, servers: Samples): ReadonlyArray<Goal> =>
  goal(id, what, atLeast, pair, behind, beside).map((found) => ({
    ...found,
    asTwoServers: compare(servers, own, "effect").cpu
  }))

const floorsTable = (seen: Samples, fresh: Samples): Table => {
  const newTo = (name: string) => withQuartiles(compare(fresh, name, "effect + jose").cpu)
  return {
    title: "Lower bounds",
    text:
      "Middleware of Effect that protects nothing: it provides a constant to the handler, as every gate must provide something, " +
      "and checks at most the bare signature with a given key. A gate cannot cost less.",
    columns: [
      "middleware",
      "1,000 tokens, to the unprotected route of the same server",
      "every token new, to plain jose"
    ],
    rows: [
      ["a constant, nothing else", withQuartiles(compare(seen, constant, beside).cpu), "–"],
      ["a constant and `crypto.verify`", "–", newTo("floor, node:crypto")],
      ["effect-mcp-auth", withQuartiles(compare(seen, behind, beside).cpu), newTo(own)],
      ["a constant and jose's `compactVerify`", "–", newTo("floor, jose")],
      ["effect-mcp-auth, jose", "–", newTo(byJose)]
    ]
  }
}

/** Counts the requests that a server sends to the authorization server because of tokens with unknown key ids. */
const requestsFor = async (issuer: Child.Issuer, name: string, unknown: ReadonlyArray<string>, count: number) => {
  const server = await Child.server(name, issuer.url)
  const [good] = await issuer.mint("RS256", 1)
  await Load.run(server.port, [Load.get(good!)], { connections: 1, until: (sent) => sent === 1 })
  const before = await issuer.requests()
  await Load.run(server.port, unknown.map(Load.get), { until: (sent) => sent >= count })
  const after = await issuer.requests()
  await server.stop()
  return after - before
}

const unknownKidGoal = async (
  issuer: Child.Issuer,
  name: string,
  unknown: ReadonlyArray<string>
): Promise<Goal> => ({
  id: "unknown-kid/requests",
  what: "requests to the authorization server, caused by 10,000 unknown `kid`s in a minute",
  reach: { atMost: 2 },
  found: spread([await requestsFor(issuer, name, unknown, 10_000)])
})

const unknownKids = async (issuer: Child.Issuer, unknown: ReadonlyArray<string>): Promise<Table> => {
  const rows: Array<ReadonlyArray<string>> = []
  for (const name of contenders.filter((_) => !unprotected.includes(_))) {
    // Only 1,000 tokens, because some servers send one request per token.
    rows.push([name, String(await requestsFor(issuer, name, unknown, 1000))])
  }
  return {
    title: "1,000 tokens with an unknown `kid`",
    text: "Requests to the authorization server that they cause.",
    columns: ["server", "requests"],
    rows
  }
}
