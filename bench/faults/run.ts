/**
 * `npm run faults`: for each fault of an authorization server, prints what a client sees, how many requests the
 * authorization server receives, and how long tokens are still served. Compares this library with `mcp-auth` on Express and
 * with the SDK's `requireBearerAuth` and jose.
 *
 * Each contender has a separate issuer behind a fault proxy, on real sockets. To let hours pass, the program moves the wall
 * clock, which all contenders use, and the monotonic clock, which this library uses to measure ages.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, References, Scope } from "effect"
import { AuthLayer, Principal } from "effect-mcp-auth"
import { FaultProxy, TestIssuer } from "effect-mcp-auth/testing"
import type { AuthorizationServer } from "effect-mcp-auth/verification"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import type { Start } from "./peers/index.d.mts"

if (!existsSync(new URL("peers/node_modules/mcp-auth", import.meta.url))) {
  console.log("installing the peers into bench/faults/peers …")
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: join(import.meta.dirname, "peers"),
    stdio: "inherit"
  })
}
// Discards warnings, because mcp-auth writes one for each missing member of the metadata.
console.warn = () => {}
const peers: { readonly mcpAuth: Start; readonly sdk: Start } = await import("./peers/index.mjs")

let offset = 0
const realNow = Date.now.bind(Date)
Date.now = () => realNow() + offset
const realMonotonic = process.hrtime.bigint.bind(process.hrtime)
process.hrtime.bigint = () => realMonotonic() + BigInt(offset) * 1_000_000n
const minutes = (count: number) => {
  offset += count * 60_000
}

const resource = "https://todos.example.com/mcp"

const build = async <A, E>(layer: Layer.Layer<A, E>) => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Scope.provide(Layer.build(layer), scope))
  return { context, close: () => void Effect.runPromise(Scope.close(scope, Exit.void)) }
}

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

/** Starts a server of this library, with one route behind `AuthLayer`. */
const serve = async (server: string | AuthorizationServer.Options) => {
  const node = createServer()
  const Server = HttpRouter.serve(
    HttpRouter.add("GET", "/mcp", Effect.map(Principal, () => HttpServerResponse.text("in"))).pipe(
      Layer.provide(AuthLayer.make({ resource, authorizationServers: [server], scopes: ["todos:read"] }))
    ),
    { disableLogger: true, disableListenLog: true }
  ).pipe(Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" })), Layer.provideMerge(quiet))
  const { close } = await build(Server)
  return {
    url: `http://127.0.0.1:${(node.address() as AddressInfo).port}/mcp`,
    close: () => {
      node.closeAllConnections()
      close()
    }
  }
}

const own = "effect-mcp-auth"
const ownWithKeys = "effect-mcp-auth, jwksUri given"
const sdk = "SDK + jose"
const contenders: Readonly<Record<string, Start>> = {
  [own]: serve,
  [ownWithKeys]: (issuer) => serve({ issuer, jwksUri: `${issuer}/jwks` }),
  "mcp-auth 0.2.0": peers.mcpAuth,
  [sdk]: peers.sdk
}

interface World {
  readonly issuer: TestIssuer.TestIssuer["Service"]
  readonly set: (fault: FaultProxy.Fault, where?: string) => Promise<void>
  readonly clear: () => Promise<void>
  /**
   * Sends one request with each token, `atATime` requests at a time. Returns the number of responses by status, and the longest
   * wait in seconds.
   */
  readonly ask: (tokens: ReadonlyArray<string>, atATime?: number) => Promise<Seen>
  readonly mint: (options?: TestIssuer.TokenOptions) => Promise<string>
  readonly takeRequests: () => Promise<number>
}

interface Seen {
  readonly statuses: Readonly<Record<string, number>>
  readonly slowest: number
}

/** Timeout of the client, in milliseconds. */
const patience = 12_000

const world = async (start: Start): Promise<World & { readonly close: () => void }> => {
  const node = createServer()
  const provider = await build(
    FaultProxy.serve({ resource }).pipe(
      Layer.provide(NodeHttpServer.layer(() => node, { port: 0, host: "127.0.0.1" })),
      Layer.provideMerge(quiet)
    )
  )
  const issuer = Context.get(provider.context, TestIssuer.TestIssuer)
  const proxy = Context.get(provider.context, FaultProxy.FaultProxy)
  const server = await start(issuer.issuer, resource)
  const one = async (token: string) => {
    const began = performance.now()
    const status = await fetch(server.url, {
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(patience)
    }).then(async (response) => {
      await response.text()
      return String(response.status)
    }, (error: Error) => error.name === "TimeoutError" ? "no answer" : "broken")
    return { status, took: (performance.now() - began) / 1000 }
  }
  return {
    issuer,
    set: (fault, where) => Effect.runPromise(proxy.set(fault, where)),
    clear: () => Effect.runPromise(proxy.clear),
    mint: (options) => Effect.runPromise(issuer.mint({ scopes: ["todos:read"], expiresIn: "3 days", ...options })),
    takeRequests: () => Effect.runPromise(Effect.map(proxy.takeReceived, (_) => _.length)),
    ask: async (tokens, atATime = 10) => {
      const left = [...tokens]
      const seen: Array<Awaited<ReturnType<typeof one>>> = []
      await Promise.all(Array.from({ length: atATime }, async () => {
        for (let token = left.shift(); token !== undefined; token = left.shift()) seen.push(await one(token))
      }))
      const statuses: Record<string, number> = {}
      for (const { status } of seen) statuses[status] = (statuses[status] ?? 0) + 1
      return { statuses, slowest: Math.max(...seen.map((_) => _.took)) }
    },
    close: () => {
      server.close()
      node.closeAllConnections()
      provider.close()
    }
  }
}

interface Row {
  readonly saw: string
  readonly requests: number
  readonly served: string
  /**
   * The numbers by which contenders are ranked for one fault. They are compared from the first to the last, and a smaller
   * number is better.
   */
  readonly rank: ReadonlyArray<number>
}

const shown = ({ slowest, statuses }: Seen) =>
  `${Object.entries(statuses).map(([status, count]) => `${count} × ${status}`).join(", ")}; slowest ${
    slowest.toFixed(1)
  } s`

const admitted = ({ statuses }: Seen) => statuses["200"] ?? 0

/** Counts the wrong responses to good tokens: a status other than 200 or 503, a broken response, or none before the timeout. */
const wronged = ({ statuses }: Seen) =>
  Object.entries(statuses).reduce((sum, [status, count]) => status === "200" || status === "503" ? sum : sum + count, 0)

/** Measures a cold server: the authorization server fails before the first token arrives, and then recovers. */
const cold =
  (fault: FaultProxy.Fault, where: string, count = 100, wrong = wronged) => async (_: World): Promise<Row> => {
    const token = await _.mint()
    await _.set(fault, where)
    const seen = await _.ask(Array.from({ length: count }, () => token))
    const requests = await _.takeRequests()
    await _.clear()
    // Each contender waits for a cooldown after a failure. Half a minute is longer than every cooldown.
    minutes(0.5)
    const after = await _.ask([token])
    return {
      saw: shown(seen),
      requests,
      served: after.statuses["200"] === 1 ? "again at once" : "not yet 30 s later",
      rank: [wrong(seen), requests, after.statuses["200"] === 1 ? 0 : 1]
    }
  }

const rows: Readonly<Record<string, (world: World) => Promise<Row>>> = {
  "keys answer 503": cold({ _tag: "Status", status: 503 }, "/jwks"),
  "keys hang": cold({ _tag: "Hang" }, "/jwks", 20),
  "metadata hangs": cold({ _tag: "Hang" }, ".well-known", 20),
  "everything is reset": cold({ _tag: "Reset" }, ""),
  "keys drip": cold({ _tag: "Drip", every: "100 millis" }, "/jwks", 20),
  "keys are cut off": cold({ _tag: "Truncate" }, "/jwks"),
  "keys are 64 MB": cold({ _tag: "Giant", bytes: 64 * 1024 * 1024 }, "/jwks", 20),
  "keys are an HTML page": cold({ _tag: "Replace", body: "<html>", contentType: "text/html" }, "/jwks"),
  "keys are labelled text/html": cold(
    { _tag: "ContentType", contentType: "text/html" },
    "/jwks",
    100,
    (seen) => wronged(seen) + admitted(seen)
  ),
  "an attacker's keys, labelled text/html": async (_) => {
    const good = await _.mint()
    await _.ask([good])
    await _.takeRequests()
    const attacker = await Effect.runPromise(TestIssuer.make({ issuer: _.issuer.issuer, resource }))
    const keys = await Effect.runPromise(attacker.issuer.respond(new Request(_.issuer.jwksUri)))
    await _.set({ _tag: "Replace", body: await keys.text(), contentType: "text/html" }, "/jwks")
    const forged = await Effect.runPromise(
      attacker.issuer.mint({ scopes: ["todos:read"], expiresIn: "3 days" })
    )
    // Each contender fetches the keys again after ten minutes.
    minutes(11)
    const seen = await _.ask(Array.from({ length: 20 }, () => good))
    const forgeries = await _.ask(Array.from({ length: 20 }, () => forged))
    return {
      saw: `${shown(seen)}; forged: ${shown(forgeries)}`,
      requests: await _.takeRequests(),
      served: admitted(seen) === 20 ? "all" : "not all",
      rank: [admitted(forgeries), 20 - admitted(seen)]
    }
  },
  "keys redirect": cold({ _tag: "Status", status: 302, headers: { location: "/elsewhere" } }, "/jwks"),
  "100 unknown key ids": async (_) => {
    const token = await _.mint()
    await _.ask([token])
    await _.takeRequests()
    // jose does not fetch again within 30 seconds of a fetch. After a minute, every contender may fetch again.
    minutes(1)
    const unknown = await Promise.all(
      Array.from({ length: 100 }, (__, i) => _.mint({ header: { kid: `unknown-${i}` } }))
    )
    const seen = await _.ask(unknown)
    const requests = await _.takeRequests()
    const good = await _.ask([token])
    return {
      saw: shown(seen),
      requests,
      served: good.statuses["200"] === 1 ? "good tokens: yes" : "good tokens: no",
      rank: [(seen.statuses["200"] ?? 0) + wronged(good), requests]
    }
  },
  "an outage after a good start": async (_) => {
    const token = await _.mint()
    await _.ask([token])
    await _.takeRequests()
    await _.set({ _tag: "Status", status: 503 })
    let served = 0
    let requests = 0
    let last: Seen = { statuses: {}, slowest: 0 }
    for (const passed of [1, 8, 2, 20, 29, 300, 360, 660, 59, 122]) {
      minutes(passed)
      last = await _.ask(Array.from({ length: 20 }, () => token))
      requests += await _.takeRequests()
      if (last.statuses["200"] !== 20) break
      served += passed
    }
    return {
      saw: `then ${shown(last)}`,
      requests,
      served: served < 60 ? `${served} min` : `${(served / 60).toFixed(1)} h`,
      rank: [-served, wronged(last), requests]
    }
  },
  "keys hang when they are due again": async (_) => {
    const token = await _.mint()
    await _.ask([token])
    await _.takeRequests()
    await _.set({ _tag: "Hang" })
    // This library refreshes keys before they are ten minutes old, and jose refreshes them after that. So the clock advances to
    // 9 minutes and then to 11.
    minutes(9)
    await _.ask([token])
    await new Promise((resolve) => setTimeout(resolve, 5_500))
    minutes(2)
    const seen = await _.ask(Array.from({ length: 20 }, () => token))
    return {
      saw: shown(seen),
      requests: await _.takeRequests(),
      served: seen.statuses["200"] === 20 ? "all" : "not all",
      rank: [20 - (seen.statuses["200"] ?? 0), Math.round(seen.slowest)]
    }
  },
  "a new key signs at once": async (_) => {
    await _.ask([await _.mint()])
    await _.takeRequests()
    minutes(1)
    await Effect.runPromise(_.issuer.rotateKeys)
    const token = await _.mint()
    const seen = await _.ask(Array.from({ length: 20 }, () => token))
    const requests = await _.takeRequests()
    return {
      saw: shown(seen),
      requests,
      served: seen.statuses["200"] === 20 ? "all" : "not all",
      rank: [20 - (seen.statuses["200"] ?? 0), requests]
    }
  },
  "a key is withdrawn": async (_) => {
    const token = await _.mint()
    await _.ask([token])
    await _.takeRequests()
    await Effect.runPromise(Effect.andThen(_.issuer.rotateKeys, _.issuer.withdrawOldKeys))
    let served = 0
    for (let i = 0; i < 40; i++) {
      minutes(0.5)
      const { statuses } = await _.ask([token])
      if (statuses["200"] !== 1) break
      served += 0.5
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    return {
      saw: "401 afterwards",
      requests: await _.takeRequests(),
      served: `${served} min`,
      rank: [Math.max(0, served - 10)]
    }
  },
  "its clock is 20 s ahead": async (_) => {
    await Effect.runPromise(_.issuer.skewClock("20 seconds"))
    const token = await _.mint({ claims: { nbf: Math.floor((Date.now() + 20_000) / 1000) } })
    const seen = await _.ask(Array.from({ length: 20 }, () => token))
    return {
      saw: shown(seen),
      requests: await _.takeRequests(),
      served: seen.statuses["200"] === 20 ? "all" : "none",
      rank: [20 - (seen.statuses["200"] ?? 0)]
    }
  }
}

/** Notes that explain a row. */
const notes: Readonly<Record<string, string>> = {
  "metadata hangs":
    "SDK + jose has the URL of the keys and fetches no metadata: the row of this library with `jwksUri` compares with it.",
  "keys are labelled text/html":
    "RFC 8414 §3.2: a document is served as application/json. This library rejects one that is labelled as a page " +
    "(T-KEYS-06 of the threat catalogue) with 503, and admitted tokens count as wrong. The row below shows the reason."
}

const compare = (one: ReadonlyArray<number>, other: ReadonlyArray<number>): number => {
  for (const [i, value] of one.entries()) {
    if (value !== (other[i] ?? 0)) return value - (other[i] ?? 0)
  }
  return 0
}

const only = process.argv[2]
const table: Array<ReadonlyArray<string>> = [["fault", "", "client saw", "requests", "served"]]
const read: Array<string> = []
let beaten = 0
for (const [fault, run] of Object.entries(rows)) {
  if (only !== undefined && !fault.includes(only)) continue
  const results = new Map<string, Row>()
  for (const [name, start] of Object.entries(contenders)) {
    // With `jwksUri`, this library fetches no metadata. Only for faults of the metadata do the results then differ from those
    // without `jwksUri`, so all other faults are skipped.
    if (name === ownWithKeys && !fault.includes("metadata")) continue
    const here = await world(start)
    results.set(name, await run(here))
    here.close()
  }
  const rival = (name: string) => results.get(name === sdk && results.has(ownWithKeys) ? ownWithKeys : own)!
  const best = [...results].every(([name, row]) => name === ownWithKeys || compare(rival(name).rank, row.rank) <= 0)
  if (!best) beaten++
  const note = notes[fault]
  if (note !== undefined) read.push(note)
  for (const [i, [name, row]] of [...results].entries()) {
    table.push([
      i > 0 ? "" : note === undefined ? fault : `${fault} [${read.length}]`,
      i === 0 && !best ? `${name} (beaten)` : name,
      row.saw,
      String(row.requests),
      row.served
    ])
  }
}
const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)))
for (const [i, row] of table.entries()) {
  console.log(row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd())
  if (i === 0) console.log(widths.map((width) => "-".repeat(width)).join("  "))
}
console.log("")
for (const [i, note] of read.entries()) console.log(`[${i + 1}] ${note}`)
console.log(beaten === 0 ? "best, or equal to the best, in every row" : `worse than another in ${beaten} rows`)
process.exit(beaten === 0 ? 0 : 1)
