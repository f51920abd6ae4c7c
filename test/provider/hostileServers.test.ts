import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { AddressGuard } from "effect-mcp-auth/host"
import { Check, Doctor, type Report, TokenReport } from "effect-mcp-auth/provider"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { detectKind } from "../../src/provider/probe/DetectKind.ts"

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
    ["an event in the smallest chunks", () => makeDrip("data:x")],
    ["empty lines in the smallest chunks", () => makeDrip("\n\n\n\n")]
  ])("[T-AUD-40a] does not keep doctor busy with %s", ([, respond]) =>
    Effect.gen(function*() {
      const report = yield* runAgainst(Doctor.run(url), { "/mcp": respond })
      assert.strictEqual(report.outcome, "fail")
    }), 15_000)

  it.effect("[T-AUD-40a] does not keep doctor busy with the name of its resource", () =>
    Effect.gen(function*() {
      const resource = `https://hostile.test${"/".repeat(length)}mcp`
      const found = yield* runAgainst(detectKind(new URL(url), "2026-07-28"), {
        "/.well-known/oauth-protected-resource/mcp": () => Response.json({ resource }),
        "/mcp": () => Response.json({ jsonrpc: "2.0", id: 1 })
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

  it.effect("is read up to the first event of a stream that stays open", () =>
    Effect.gen(function*() {
      const reply = JSON.stringify({ jsonrpc: "2.0", id: 1, result: { tools: [] } })
      const open = () => {
        const encode = (part: string) => new TextEncoder().encode(part)
        const parts = [": hello\n\n", "event: message\r\nda", `ta: ${reply}\r`, "\n\r\n", "data: later\n\n"]
        return new Response(
          new ReadableStream({
            pull: (controller) => {
              const part = parts.shift()
              return part === undefined ? new Promise(() => {}) : controller.enqueue(encode(part))
            }
          }),
          { headers: { "content-type": events } }
        )
      }
      const found = yield* runAgainst(detectKind(new URL(url), "2026-07-28"), { "/mcp": open })
      assert.deepStrictEqual(found, { _tag: "Kind", kind: "mcp-server" })
    }))
})

describe("a server that names hosts of the local network", () => {
  const inside = "http://127.0.0.1:8080"
  const publicHost = Layer.succeed(AddressGuard.Resolver, () => Effect.succeed(["93.184.216.34"]))
  const privateHost = Layer.succeed(AddressGuard.Resolver, () => Effect.succeed(["10.0.0.7"]))

  /** Runs a look-up of a server whose metadata contains URLs of other origins. Returns the contacted origins and the report. */
  const runNaming = <E>(lookUp: Effect.Effect<Report.Report, E, HttpClient.HttpClient>, host: string) =>
    Effect.gen(function*() {
      const { client, issuer } = yield* TestIssuer.make({ issuer: host })
      const metadata = {
        issuer: host,
        resource: `${host}/mcp`,
        authorization_servers: [inside],
        jwks_uri: `${inside}/keys`,
        token_endpoint: `${inside}/token`,
        registration_endpoint: "https://169.254.169.254/register"
      }
      yield* issuer.respondWith("/mcp", () => new Response("", { status: 401 }))
      yield* issuer.respondWith("/.well-known/", () => Response.json(metadata))
      const report = yield* Effect.provideService(lookUp, HttpClient.HttpClient, client)
      const hosts = (yield* issuer.requests).map(({ url }) => new URL(url).origin).filter((_) => _ !== host)
      return { contacted: [...new Set(hosts)], report: JSON.stringify(report) }
    })

  it.effect("[T-AUD-40c] does not make doctor or check contact them if it is a public server", () =>
    Effect.gen(function*() {
      const doctor = yield* runNaming(Doctor.run("https://hostile.test/mcp"), "https://hostile.test")
      assert.deepStrictEqual(doctor.contacted, [])
      assert.include(doctor.report, "which a public server must not name")
      const check = yield* runNaming(Check.run("https://hostile.test"), "https://hostile.test")
      assert.deepStrictEqual(check.contacted, [])
      assert.include(check.report, "which a public server must not name")
    }).pipe(Effect.provide(publicHost)))

  it.effect("makes doctor and check contact them if it is in the local network itself", () =>
    Effect.gen(function*() {
      const { contacted } = yield* runNaming(Doctor.run("http://localhost:3000/mcp"), "http://localhost:3000")
      assert.include(contacted, inside)
      const named = yield* runNaming(Check.run("https://auth.corp.test"), "https://auth.corp.test")
      assert.include(named.contacted, inside)
    }).pipe(Effect.provide(privateHost)))
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

  it("[T-AUD-40b] can be described and checked if it nests deeply", () => {
    assert.include(TokenReport.describe(token, 0), "nested too deeply")
    const report = TokenReport.make(token, { resource: url, now: 0 })
    assert.strictEqual(report.outcome, "fail")
  })
})
