/**
 * The level "tenants". It runs in a separate process with `--expose-gc`: one gate, many tenants with an authorization server each,
 * and a simulated day. The clock is that of the test kit, and the authorization servers are a function in memory, so a day takes a
 * minute, and all counts are exact.
 */
import { Effect, Exit, Layer, References, Scope } from "effect"
import { AddressGuard, Gate } from "effect-mcp-auth/host"
import { Tenants } from "effect-mcp-auth/tenants"
import { Fetcher } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"
// oxlint-disable-next-line no-restricted-imports -- signs hundreds of thousands of tokens, which takes a third of the time this way
import { createSign, generateKeyPairSync } from "node:crypto"
import { resource } from "./Subject.ts"

export interface Work {
  readonly tenants: number
  /** How long the authorization servers let their documents be cached, in seconds. `undefined`: they say nothing. */
  readonly maxAge: number | undefined
}

export interface Measured {
  /** Heap per tenant in kB, above the empty gate: after the first request of each tenant, and at the end of the day. */
  readonly heapFirst: number
  readonly heapEnd: number
  /** Requests that were sent to the gate for tenants whose authorization server works, and how many were rejected. */
  readonly requests: number
  readonly rejected: number
  /** Per tenant and day. */
  readonly lookUps: number
  readonly fetches: number
  /** The most requests to authorization servers in one simulated half hour, per tenant. */
  readonly busiest: number
  /** Requests of callers of the tenant whose authorization server fails, and requests that this server received. */
  readonly badRequests: number
  readonly badFetches: number
  /** CPU time of a request of another tenant, in microseconds: while all work, and while one server never answers. */
  readonly cpuQuiet: number
  readonly cpuBeside: number
  /** CPU time of `invalidate` for one subject, in milliseconds. */
  readonly invalidation: number
}

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
const jwk = publicKey.export({ format: "jwk" })

const issuerOf = (tenant: number) => `https://tenant-${tenant}.example.com`

const segment = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")

const mint = (tenant: number, seconds: number): string => {
  const head = segment({ alg: "ES256", typ: "at+jwt", kid: `key-${tenant}` })
  const claims = segment({
    iss: issuerOf(tenant),
    aud: resource,
    sub: `person-${tenant}`,
    client_id: "client",
    org_id: String(tenant),
    iat: seconds,
    exp: seconds + 3600,
    jti: `${tenant}-${seconds}`,
    scope: "todos:read"
  })
  const signature = createSign("SHA256").update(`${head}.${claims}`).sign({
    key: privateKey,
    dsaEncoding: "ieee-p1363"
  })
  return `${head}.${claims}.${signature.toString("base64url")}`
}

const heap = () => {
  for (let turn = 0; turn < 3; turn++) globalThis.gc!()
  return process.memoryUsage().heapUsed / 1000
}

const cpu = () => {
  const { system, user } = process.cpuUsage()
  return user + system
}

/** The authorization servers of all tenants. */
const makeServers = (maxAge: number | undefined) => {
  const received = new Map<string, number>()
  let fault: "none" | "failing" | "hanging" = "none"
  let fetches = 0
  const headers = {
    "content-type": "application/json",
    ...(maxAge === undefined ? {} : { "cache-control": `max-age=${maxAge}` })
  }
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const { origin, pathname } = new URL(String(input))
    fetches++
    received.set(origin, (received.get(origin) ?? 0) + 1)
    if (origin === issuerOf(0) && fault === "failing") return new Response(null, { status: 503 })
    if (origin === issuerOf(0) && fault === "hanging") {
      return new Promise((_, reject) => init!.signal!.addEventListener("abort", () => reject(new Error("aborted"))))
    }
    const tenant = Number(/\d+/.exec(origin)![0])
    return Response.json(
      pathname === "/jwks"
        ? { keys: [{ ...jwk, kid: `key-${tenant}`, alg: "ES256", use: "sig" }] }
        : { issuer: origin, jwks_uri: `${origin}/jwks` },
      { headers }
    )
  }
  return {
    fetch,
    break: (next: typeof fault) => {
      fault = next
    },
    fetches: () => fetches,
    receivedBy: (tenant: number) => received.get(issuerOf(tenant)) ?? 0
  }
}

const start = 1_800_000_000

const measure = ({ maxAge, tenants }: Work) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(start * 1000)
    const servers = makeServers(maxAge)
    let lookUps = 0
    const scope = yield* Scope.make()
    const gate = yield* Effect.provideContext(
      Gate.AuthLayer,
      yield* Gate.layer({
        resource,
        authorizationServers: ["https://default.example.com"],
        scopes: ["todos:read"],
        tenants: Tenants.fromClaim("org_id", {
          capacity: tenants,
          // The first request of each tenant comes in the same second. A real server would limit these look-ups.
          newTenants: tenants,
          authorizationServers: (tenant) => Effect.sync(() => (lookUps++, [issuerOf(Number(tenant))]))
        })
      }).pipe(
        Layer.provide([Fetcher.layerFetch(servers.fetch), Layer.succeed(AddressGuard.Resolver, undefined)]),
        Layer.build,
        Scope.provide(scope)
      )
    )
    const header = () => undefined
    const send = (token: string) =>
      Effect.withFiber((fiber) =>
        Effect.exit(gate.authenticate({ fiber, method: "GET", header, authorization: [`Bearer ${token}`] }))
      )
    const others = Array.from({ length: tenants - 1 }, (_, index) => index + 1)
    let requests = 0
    let rejected = 0
    const sendAll = Effect.fnUntraced(function*(tokens: ReadonlyArray<string>) {
      for (const token of tokens) {
        requests++
        if (Exit.isFailure(yield* send(token))) rejected++
      }
    })

    const empty = heap()
    let tokens = others.map((tenant) => mint(tenant, start))
    yield* sendAll(tokens)
    yield* send(mint(0, start))
    const heapFirst = heap()

    // A day. Each tenant sends a request every half hour, and gets a new token every hour. Callers of the first tenant, whose
    // server answers 503, send a request every minute.
    servers.break("failing")
    const before = { lookUps, fetches: servers.fetches(), bad: servers.receivedBy(0) }
    let badRequests = 0
    let busiest = 0
    for (let half = 1; half <= 48; half++) {
      const fetched = servers.fetches()
      for (let minute = 0; minute < 30; minute++) {
        yield* TestClock.adjust("1 minute")
        yield* send(mint(0, start + half * 1800 + minute))
        badRequests++
      }
      if (half % 2 === 0) tokens = others.map((tenant) => mint(tenant, start + half * 1800))
      yield* sendAll(tokens)
      busiest = Math.max(busiest, servers.fetches() - fetched)
    }
    const day = { lookUps: lookUps - before.lookUps, fetches: servers.fetches() - before.fetches }
    const badFetches = servers.receivedBy(0) - before.bad
    const heapEnd = heap()

    // The cost of other tenants while the server of the first tenant never answers and a thousand of its callers wait.
    const timed = Effect.gen(function*() {
      const began = cpu()
      for (let round = 0; round < 5; round++) yield* sendAll(tokens)
      return (cpu() - began) / (5 * tokens.length)
    })
    yield* timed
    const cpuQuiet = yield* timed
    servers.break("hanging")
    for (let caller = 0; caller < 1000; caller++) {
      yield* Effect.forkIn(send(mint(0, start + 49 * 1800 + caller)), scope, { startImmediately: true })
    }
    const cpuBeside = yield* timed

    const began = cpu()
    yield* gate.invalidate({ subject: "person-1", issuer: issuerOf(1) })
    const invalidation = (cpu() - began) / 1000
    yield* Scope.close(scope, Exit.void)
    const measured: Measured = {
      heapFirst: (heapFirst - empty) / tenants,
      heapEnd: (heapEnd - empty) / tenants,
      requests,
      rejected,
      lookUps: day.lookUps / tenants,
      fetches: (day.fetches - badFetches) / (tenants - 1),
      busiest: busiest / tenants,
      badRequests,
      badFetches,
      cpuQuiet,
      cpuBeside,
      invalidation
    }
    return measured
  }).pipe(Effect.provide([TestClock.layer(), Layer.succeed(References.MinimumLogLevel, "None")]))

process.on("message", (work: Work) => void Effect.runPromise(measure(work)).then((measured) => process.send!(measured)))
process.on("disconnect", () => process.exit())
process.send!("ready")
