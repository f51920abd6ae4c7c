/** Creates and sends the requests of the soak test, and compares the responses with the expected ones. */
import { Effect } from "effect"
import { DpopClient, type TestIssuer } from "effect-mcp-auth/testing"
import { createHistogram, type RecordableHistogram } from "node:perf_hooks"
import { callTool } from "../speed/Load.ts"
import type { Connections } from "./Connections.ts"
import type { Issuers } from "./Issuers.ts"

/** One kind of request. Some kinds of bad tokens may also be answered with 503 while the server cannot verify them. */
interface Kind {
  readonly name: string
  readonly good: boolean
  readonly expected: ReadonlyArray<string>
}

interface Prepared {
  readonly kind: Kind
  /** The bytes, or a function that returns them for a request that must not be sent twice. */
  readonly request: Buffer | (() => Promise<Buffer>)
}

const good = (name: string): Kind => ({ name, good: true, expected: ["200"] })
const admitted = good("good")
const withoutScope: Kind = { name: "good, without the scope", good: true, expected: ["403"] }
const bad = (name: string, ...others: ReadonlyArray<string>): Kind => ({
  name,
  good: false,
  expected: ["401", ...others]
})
const withdrawn = bad("a withdrawn key", "503")
const proven = good("a key-bound token with a new proof")
const replayed = bad("a used proof")

/** A revision of MCP. */
type Revision = Parameters<typeof callTool>[1]

const prepare = (kind: Kind, revision: Revision) => (token: string): Prepared => ({
  kind,
  request: callTool(token, revision)
})

/** Replaces the bearer token of a request with a key-bound token and its proof. */
const withProof = (
  request: Buffer,
  { authorization, dpop }: { readonly authorization: string; readonly dpop: string }
) =>
  Buffer.from(
    request.toString().replace(/authorization: .*\r\n/, `authorization: ${authorization}\r\ndpop: ${dpop}\r\n`)
  )

const chosen = <A>(from: ReadonlyArray<A>): A => from[Math.floor(Math.random() * from.length)]!

const summary = (histogram: RecordableHistogram) => ({
  p50: histogram.percentile(50) / 1000,
  p99: histogram.percentile(99) / 1000,
  slowest: histogram.max / 1000
})

export type Traffic = Effect.Success<ReturnType<typeof make>>

export const make = Effect.fnUntraced(function*(
  issuers: Issuers,
  connections: Connections,
  people: number,
  revision: Revision
) {
  const { main, opaque, tenants } = issuers
  const full = { scopes: ["todos:read", "todos:write"], expiresIn: "2 hours" } as const
  const mint = (of: TestIssuer.TokenOptions = {}) => main.mint({ ...full, ...of })
  const mintAt = (signer: keyof typeof tenants, tenant: string, i: number) =>
    tenants[signer].mint({ ...full, subject: `person-${i}`, claims: { org_id: tenant } })
  const mintOpaque = (i: number) => opaque.mintOpaque({ ...full, subject: `person-${i}` })
  const client = yield* DpopClient.make()
  const mintBound = (i: number) => mint({ subject: `person-${i}`, boundTo: client.thumbprint })
  const prove = (token: string) => () =>
    Effect.runPromise(
      Effect.map(
        client.headers({ method: "POST", url: main.resource, token }),
        (headers) => withProof(callTool(token, revision), headers)
      )
    )
  const several = <E>(count: number, kind: Kind, token: (i: number) => Effect.Effect<string, E>) =>
    Effect.map(Effect.forEach(Array.from({ length: count }, (_, i) => i), token), (_) => _.map(prepare(kind, revision)))

  /** Creates tokens with the current signing key. Each bad token has exactly one fault. */
  const signed = Effect.all({
    good: several(people, admitted, (i) => mint({ subject: `person-${i}` })),
    bound: Effect.map(
      Effect.forEach(Array.from({ length: 20 }, (_, i) => i), mintBound),
      (tokens) => tokens.map((token): Prepared => ({ kind: proven, request: prove(token) }))
    ),
    withoutScope: several(20, withoutScope, (i) => mint({ subject: `person-${i}`, scopes: ["todos:read"] })),
    bad: Effect.all([
      several(20, bad("expired"), () => mint({ expiresIn: "-1 seconds" })),
      several(20, bad("another audience"), () => mint({ audience: "https://other.example.com" })),
      several(20, bad("another issuer"), () => mint({ claims: { iss: "https://evil.example.com" } })),
      several(20, bad("a changed signature"), () => Effect.map(mint(), (token) => `${token.slice(0, -6)}AAAAAA`)),
      several(100, bad("an unknown key", "503"), () => mint({ header: { kid: crypto.randomUUID() } })),
      several(20, bad("no expiry"), () => mint({ claims: { exp: undefined } })),
      several(20, bad("an ID token"), () => mint({ header: { typ: "JWT" }, claims: { nonce: "n" } })),
      several(20, bad("a key-bound token without a proof"), mintBound),
      several(1, bad("garbage"), () => Effect.succeed("garbage"))
    ])
  })

  /** Tokens of issuers whose keys do not rotate. */
  const steady = {
    good: yield* Effect.all([
      several(20, good("an opaque token"), mintOpaque),
      several(20, good("a token of the tenant acme"), (i) => mintAt("acme", "acme", i)),
      several(20, good("a token of the tenant globex"), (i) => mintAt("globex", "globex", i))
    ]),
    bad: yield* Effect.all([
      several(20, bad("an unknown opaque token"), () => Effect.succeed(crypto.randomUUID())),
      several(20, bad("a revoked opaque token"), (i) => Effect.tap(mintOpaque(i), opaque.revoke)),
      several(20, bad("a tenant with the issuer of another"), (i) => mintAt("globex", "acme", i)),
      several(20, bad("an unknown tenant"), (i) => mintAt("acme", "initech", i))
    ])
  }

  let own = yield* signed
  let gone: ReadonlyArray<Prepared> = []
  /** Requests with proofs that were accepted, oldest first. */
  let used: ReadonlyArray<Buffer> = []
  /** Returns a function that takes the kinds of requests in turn, so that also a short run sends all of them. */
  const inTurn = () => {
    let turn = 0
    return (kinds: ReadonlyArray<ReadonlyArray<Prepared>>): Prepared => chosen(kinds[turn++ % kinds.length]!)
  }
  const nextGood = inTurn()
  const nextBad = inTurn()
  const pick = (): Prepared => {
    const which = Math.random()
    if (which < 0.6) return chosen(own.good)
    if (which < 0.7) return chosen(own.withoutScope)
    if (which < 0.8) return nextGood([own.bound, ...steady.good])
    const proofs = used.map((request): Prepared => ({ kind: replayed, request }))
    return nextBad([...own.bad, ...steady.bad, proofs, gone].filter((kind) => kind.length > 0))
  }

  let counts: Record<string, Record<string, number>> = {}
  let goodRejected: Array<string> = []
  let badAdmitted: Array<string> = []
  let unexpected: Array<string> = []
  let latencies = { good: createHistogram(), bad: createHistogram() }
  let began = performance.now()

  /** Requests in progress. */
  const under = new Set<Promise<void>>()

  const exchange = async ({ kind, request }: Prepared, due: number): Promise<void> => {
    const signedBy = own
    const bytes = typeof request === "function" ? await request() : request
    const status = await connections.send(bytes)
    // After the rotation of the key, the server would reject the token whether or not it knows the proof.
    if (kind === proven && status === "200" && signedBy === own) used = [...used.slice(-19), bytes]
    const now = performance.now()
    latencies[kind.good ? "good" : "bad"].record(Math.max(1, Math.round((now - due) * 1000)))
    const of = (counts[kind.name] ??= {})
    of[status] = (of[status] ?? 0) + 1
    if (kind.expected.includes(status)) return
    const list = kind.good ? goodRejected : status === "200" || status === "403" ? badAdmitted : unexpected
    list.push(
      `${kind.name}: ${status} after ${((now - began) / 1000).toFixed(1)} s`
    )
  }

  /** Sends a request. `due` is the time at which it should be sent, from which latency is measured. */
  const send = (due: number): Promise<void> => {
    const one = exchange(pick(), due)
    under.add(one)
    return one.finally(() => under.delete(one))
  }

  return {
    send,
    /** Sends a request of each good kind, so that the server has the keys of each issuer before an outage begins. */
    warm: () =>
      Promise.all(
        [own.good, own.withoutScope, own.bound, ...steady.good].map((kind) => exchange(kind[0]!, performance.now()))
      ),
    /** Resolves when all requests that are in progress at the time of the call have their responses. */
    answered: () => Promise.all(under),
    /** Creates tokens with the current signing key. Pass them to `use` when the server has had the time to fetch the key. */
    signed,
    /** Replaces the good tokens that are sent. Returns the previous ones. */
    use: (next: typeof own): ReadonlyArray<Prepared> => {
      const before = own.good
      own = next
      used = []
      return before
    },
    /**
     * Sends these requests instead of the previous ones whose key was withdrawn. The key must have been withdrawn so long ago
     * that the server must reject its tokens. Only 100 requests are used, because the server evicts each rejected token from
     * its cache, and the cache should stay as full as possible.
     */
    retire: (requests: ReadonlyArray<Prepared>) => {
      gone = requests.slice(0, 100).map(({ request }) => ({ kind: withdrawn, request }))
    },
    /** Resets the counts and starts to count. */
    begin: () => {
      counts = {}
      goodRejected = []
      badAdmitted = []
      unexpected = []
      latencies = { good: createHistogram(), bad: createHistogram() }
      began = performance.now()
    },
    seen: () => ({
      counts,
      goodRejected,
      badAdmitted,
      /** Bad tokens whose response was neither an admission nor an expected rejection. */
      unexpected,
      sent: Object.values(counts).flatMap((_) => Object.values(_)).reduce((sum, count) => sum + count, 0),
      good: [admitted, withoutScope, proven, ...steady.good.map(([first]) => first!.kind)]
        .flatMap((_) => Object.values(counts[_.name] ?? {})).reduce((sum, _) => sum + _, 0),
      /** In milliseconds, from the time at which a request was due. */
      latency: { good: summary(latencies.good), bad: summary(latencies.bad) }
    })
  }
})
