import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { AddressGuard } from "effect-mcp-auth/host"
import { Check, Doctor, type Report, TokenReport } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { detectKind } from "../../src/provider/probe/DetectKind.ts"
import * as Probe from "../../src/provider/probe/Probe.ts"

const url = "https://hostile.test/mcp"
const length = 1_000_000

/** Runs a look-up against a server with these responses. They are so long that code with quadratic time would need minutes. */
const runAgainst = <A, E>(
  lookUp: Effect.Effect<A, E, HttpClient.HttpClient>,
  responses: Readonly<Record<string, () => Response>>
) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make({ issuer: "https://hostile.test" })
    for (const [path, respond] of Object.entries(responses)) yield* issuer.respondWith(path, respond)
    return yield* Effect.provideService(lookUp, HttpClient.HttpClient, client)
  })

const text = (body: string, type: string) => new Response(body, { status: 401, headers: { "content-type": type } })
const events = "text/event-stream"

/** Creates a response that repeats a chunk as long as it is read. */
const makeEndless = (chunk: string) => {
  const bytes = new TextEncoder().encode(chunk)
  return new Response(new ReadableStream({ pull: (controller) => controller.enqueue(bytes) }), {
    status: 401,
    headers: { "content-type": events }
  })
}

/** Creates a response of 20,000 chunks, each of ten bytes. */
const makeDrip = (chunk: string) => {
  const bytes = new TextEncoder().encode(chunk.padEnd(10))
  let left = 20_000
  return new Response(
    new ReadableStream({
      pull: (controller) => left-- > 0 ? controller.enqueue(bytes) : controller.close()
    }),
    { headers: { "content-type": events } }
  )
}

describe("a hostile MCP server", () => {
  it.effect.each<readonly [string, () => Response]>([
    ["a million line breaks", () => text("\n".repeat(length), "text/plain")],
    ["a million data fields", () => text("data:".repeat(length / 5), events)],
    ["a million empty events", () => text("\n".repeat(length), events)],
    ["a hundred thousand events without a reply", () => text("data: {}\n\n".repeat(100_000), events)],
    ["an event of a hundred thousand lines", () => text("data: [\n".repeat(100_000), events)],
    ["comments that do not end", () => makeEndless(": still here\n")],
    ["a line that does not end", () => makeEndless("data:".repeat(1000))],
    ["an event in the smallest chunks", () => makeDrip("data:x")],
    ["empty lines in the smallest chunks", () => makeDrip("\n\n\n\n")]
  ])("[T-AUD-40a] does not keep doctor busy with %s", ([, respond]) =>
    Effect.gen(function*() {
      const found = yield* runAgainst(Doctor.run(url), { "/mcp": respond }).pipe(
        Effect.match({ onSuccess: ({ outcome }) => outcome, onFailure: ({ message }) => message })
      )
      assert.match(found, /^fail$|sends more than 1 MiB$/)
    }), 15_000)

  it.effect("[T-AUD-40a] does not keep doctor busy with the name of its resource", () =>
    Effect.gen(function*() {
      const resource = `https://hostile.test${"/".repeat(length)}mcp`
      const found = yield* runAgainst(detectKind(new URL(url), "2026-07-28"), {
        "/mcp": () => new Response("", { status: 404 }),
        "/.well-known/oauth-protected-resource/mcp": () => Response.json({ resource })
      })
      assert.deepStrictEqual(found, { _tag: "Kind", kind: "mcp-server" })
    }))

  it.effect("[T-AUD-40d] does not crash doctor with the names of its servers and tools", () =>
    Effect.gen(function*() {
      const tools = [{ name: "€".repeat(200_000) }, { name: "naïve €" }]
      const report = yield* runAgainst(Doctor.run(url, { token: Redacted.make("a-token") }), {
        "/mcp": () => Response.json({ jsonrpc: "2.0", id: 1, result: { tools } }),
        "/.well-known/oauth-protected-resource": () =>
          Response.json({ resource: url, authorization_servers: ["https://€.test/€"] })
      })
      assert.strictEqual(report.outcome, "fail")
    }))

  it.effect.each([
    ["a comment", ": hello\n\n"],
    ["an event without data, from which clients resume", "id: 1\ndata:\n\n"],
    ["a notification", `data: {"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}\n\n`],
    ["a request", `data: {"jsonrpc":"2.0","id":1,"method":"ping"}\r\n\r\n`]
  ])("is read up to the reply in a stream that begins with %s and stays open", ([, before]) =>
    Effect.gen(function*() {
      const reply = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools: [] } })
      const open = () => {
        const parts = [before!, "event: message\r\nda", `ta: ${reply}\r`, "\n\r\n", "data: later\n\n"]
        return new Response(
          new ReadableStream({
            pull: (controller) => {
              const part = parts.shift()
              return part === undefined ? new Promise(() => {}) : controller.enqueue(new TextEncoder().encode(part))
            }
          }),
          { headers: { "content-type": events } }
        )
      }
      const exchange = yield* runAgainst(Probe.send(url), { "/mcp": open })
      assert.include(exchange._tag === "Response" ? exchange.body : exchange.detail, reply)
      assert.notInclude(exchange._tag === "Response" ? exchange.body : "", "later")
      const found = yield* runAgainst(detectKind(new URL(url), "2026-07-28"), { "/mcp": open })
      assert.deepStrictEqual(found, { _tag: "Kind", kind: "mcp-server" })
    }))
})

describe("a server that names hosts of the local network", () => {
  const publicAddress = ["93.184.216.34"]
  const target = "https://hostile.test"

  /** Runs a check of a server whose documents name an origin everywhere. Returns the other origins to which it sends requests. */
  const runNaming = <E>(
    check: Effect.Effect<Report.Report, E, HttpClient.HttpClient>,
    { host = target, inside, resolve }: {
      readonly host?: string
      readonly inside: string
      readonly resolve: (name: string) => Effect.Effect<ReadonlyArray<string>, unknown>
    }
  ) =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ issuer: host })
      const metadata = {
        issuer: host,
        resource: `${host}/mcp`,
        authorization_servers: [inside, `${inside}/tenant`],
        jwks_uri: `${inside}/keys`,
        token_endpoint: `${inside}/containers/prune`,
        registration_endpoint: `${inside}/register`
      }
      const challenge = { "www-authenticate": `Bearer resource_metadata="${inside}/metadata"` }
      yield* issuer.respondWith("/mcp", () => new Response("", { status: 401, headers: challenge }))
      yield* issuer.respondWith("/.well-known/", () => Response.json(metadata))
      const report = yield* Effect.provideService(check, HttpClient.HttpClient, client).pipe(
        Effect.provideService(AddressGuard.Resolver, resolve),
        Effect.match({ onSuccess: (report) => JSON.stringify(report), onFailure: String })
      )
      const origins = (yield* issuer.requests).map(({ url }) => new URL(url).origin)
      return { contacted: [...new Set(origins)].filter((_) => _ !== host), origins, report }
    })

  const toHost = (inside: string, host: string = target) => (name: string) =>
    name === new URL(host).hostname ? publicAddress : name === new URL(inside).hostname ? ["10.0.0.7"] : publicAddress

  const checks = [
    ["doctor", (options?: Doctor.Options) => Doctor.run(`${target}/mcp`, options)],
    ["check", () => Check.run(target)]
  ] as const

  it.effect.each(
    checks.flatMap(([command, check]) =>
      [
        "http://127.0.0.1:2375",
        "http://localhost:2375",
        "http://x.localhost:2375",
        "http://[::1]:2375",
        "https://127.1",
        "https://2130706433",
        "https://0x7f.0.0.1",
        "https://0177.0.0.1",
        "https://0.0.0.0",
        "https://10.0.0.1",
        "https://169.254.169.254",
        "https://[::ffff:127.0.0.1]",
        "https://[::ffff:7f00:1]",
        "https://[64:ff9b::7f00:1]",
        "https://[fd00::1]",
        "https://localhost.",
        "https://printer",
        "https://vault.internal",
        "https://rebound.example.com"
      ].map((inside) => ({ command, check, inside }))
    )
  )(
    "[T-AUD-40c] does not make $command contact $inside if it is a public server",
    ({ check, inside }) =>
      Effect.gen(function*() {
        const resolve = toHost(inside)
        const { contacted, report } = yield* runNaming(check(), {
          inside,
          resolve: (name) => Effect.sync(() => resolve(name))
        })
        assert.deepStrictEqual(contacted, [])
        assert.include(report, "ENOTPUBLIC")
      })
  )

  it.effect.each(checks)(
    "[T-AUD-40c] does not make %s follow its redirects to them",
    ([, check]) =>
      Effect.gen(function*() {
        const { client, issuer } = yield* TestIssuer.make({ issuer: target })
        for (const status of [301, 302, 303, 307, 308]) {
          yield* issuer.respondWith(
            "",
            () => new Response(null, { status, headers: { location: "http://127.0.0.1:2375/containers/prune" } })
          )
          yield* check().pipe(
            Effect.provideService(HttpClient.HttpClient, client),
            Effect.provideService(AddressGuard.Resolver, () => Effect.succeed(publicAddress)),
            Effect.ignore
          )
        }
        const origins = (yield* issuer.requests).map(({ url }) => new URL(url).origin)
        assert.deepStrictEqual([...new Set(origins)], [target])
      })
  )

  /** Ways in which the resolver of a public server could make it look like a private one. */
  const evasions: ReadonlyArray<
    readonly [string, () => (name: string) => Effect.Effect<ReadonlyArray<string>, unknown>]
  > = [
    ["the look-up of its name fails", () => () => Effect.fail("SERVFAIL")],
    ["its name has no address", () => () => Effect.succeed([])],
    ["its name changes to a private address after the first look-up", () => {
      let count = 0
      return () => Effect.sync(() => count++ === 0 ? publicAddress : ["127.0.0.1"])
    }]
  ]

  it.effect.each(
    evasions.flatMap(([way, resolve]) => checks.map(([command, check]) => ({ way, resolve, command, check })))
  )("[T-AUD-40c] does not make $command contact them if $way", ({ check, resolve }) =>
    Effect.gen(function*() {
      const { contacted } = yield* runNaming(check(), { inside: "http://127.0.0.1:2375", resolve: resolve() })
      assert.deepStrictEqual(contacted, [])
    }))

  it.live.each(checks)(
    "[T-AUD-40c] does not make %s contact them if its resolver is slow",
    ([, check]) =>
      Effect.gen(function*() {
        let isFirst = true
        const { contacted } = yield* runNaming(check(), {
          inside: "http://127.0.0.1:2375",
          resolve: () => {
            const answer = isFirst ? Effect.never : Effect.succeed(["127.0.0.1"])
            isFirst = false
            return answer
          }
        })
        assert.deepStrictEqual(contacted, [])
      }),
    15_000
  )

  it.effect.each(checks)(
    "[T-AUD-40c] receives no request of %s if it has a private address itself as well",
    ([, check]) =>
      Effect.gen(function*() {
        const { origins, report } = yield* runNaming(check(), {
          inside: "http://127.0.0.1:2375",
          resolve: () => Effect.succeed([...publicAddress, "192.168.0.1"])
        })
        assert.deepStrictEqual(origins, [])
        assert.include(report, "EMIXED")
      })
  )

  it.effect("makes doctor and check contact them if it is in the local network itself", () =>
    Effect.gen(function*() {
      const inside = "http://127.0.0.1:8080"
      const resolve = () => Effect.succeed(["10.0.0.7"])
      const local = "http://localhost:3000"
      const { contacted } = yield* runNaming(Doctor.run(`${local}/mcp`), { host: local, inside, resolve })
      assert.include(contacted, inside)
      const corporate = "https://auth.corp.test"
      const named = yield* runNaming(Check.run(corporate), { host: corporate, inside, resolve })
      assert.include(named.contacted, inside)
    }))
})

describe("a token", () => {
  it.effect.each([
    "http://mcp.example.com/mcp",
    "http://10.0.0.1/mcp",
    "http://printer/mcp",
    "http://localhost.example.com"
  ])(
    "[T-AUD-40e] is not sent over http to %s by doctor",
    (url) =>
      Effect.gen(function*() {
        const { client, issuer } = yield* TestIssuer.make({ issuer: new URL(url).origin })
        const error = yield* Doctor.run(url, { token: Redacted.make("a-token") }).pipe(
          Effect.provideService(HttpClient.HttpClient, client),
          Effect.flip
        )
        assert.include(error.message, "is not https")
        assert.deepStrictEqual(yield* issuer.requests, [])
      })
  )

  it.effect.each(["http://localhost:3000/mcp", "http://127.0.0.1:3000/mcp", "http://[::1]:3000/mcp"])(
    "is sent over http to %s by doctor",
    (url) =>
      Effect.gen(function*() {
        const { client, issuer } = yield* TestIssuer.make({ issuer: new URL(url).origin })
        yield* issuer.respondWith("/mcp", () => new Response("", { status: 401 }))
        yield* Effect.provideService(
          Doctor.run(url, { token: Redacted.make("a-token") }),
          HttpClient.HttpClient,
          client
        )
        assert.include((yield* issuer.requests).map(({ headers }) => headers["authorization"]), "Bearer a-token")
      })
  )
})

describe("a hostile document", () => {
  it("[T-AUD-40d] does not crash check if it nests deeply", () => {
    const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`
    const check = (metadata: string, jwks?: unknown) =>
      Check.checkDocuments([{ name: "saved.json", text: metadata }], { now: 0, jwks })
    assert.match(String(check(`{"issuer":"https://a.test","jwks_uri":${deep}}`)), /nests too deeply/)
    const report = check(`{"issuer":"https://a.test"}`, JSON.parse(`{"keys":[{"kty":${deep}}]}`))
    assert.ok("findings" in report)
  })
})

describe("a hostile token", () => {
  const nested = `{"a":${"[".repeat(6_000)}${"]".repeat(6_000)}}`
  const token = Redacted.make([`{"alg":"ES256"}`, nested, "x"].map((_) => btoa(_).replace(/=+$/, "")).join("."))

  it.effect("[T-AUD-40b] can be described and checked if it nests deeply", () =>
    Effect.gen(function*() {
      assert.match(yield* TokenReport.describe(token), /32 levels/)
      const report = yield* TokenReport.run(token, { resource: url })
      assert.strictEqual(report.outcome, "fail")
    }).pipe(Effect.provide(TestIssuer.layer())))
})
