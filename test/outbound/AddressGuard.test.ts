import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Schema } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { AddressGuard } from "effect-mcp-auth/host"
import { GuardedHttpClient } from "effect-mcp-auth/http-client"
import { Tenants } from "effect-mcp-auth/tenants"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { authenticate } from "../authorization/steps.ts"
import { gateLayer } from "../servers/gates.ts"

/** Returns an IPv4 address in every form of IPv6 that contains an IPv4 address. */
const forms = (v4: string): ReadonlyArray<string> => {
  const [a, b, c, d] = v4.split(".").map(Number) as [number, number, number, number]
  const high = (a * 256 + b).toString(16)
  const low = (c * 256 + d).toString(16)
  return [
    `::ffff:${v4}`,
    `::FFFF:${high}:${low}`,
    `0:0:0:0:0:ffff:${high}:${low}`,
    `::ffff:0:${v4}`,
    `::${v4}`,
    `64:ff9b::${v4}`,
    `64:ff9b::${high}:${low}`,
    `2002:${high}:${low}::1`,
    `2606:4700::5efe:${v4}`,
    `2606:4700::200:5efe:${v4}`,
    `[::ffff:${v4}]`
  ]
}

const privateV4 = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "10.255.255.255",
  "100.64.0.1",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.254",
  "169.254.0.1",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.8",
  "192.0.2.1",
  "192.88.99.1",
  "192.168.0.1",
  "192.168.255.255",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.7",
  "203.0.113.7",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255"
]

const publicV4 = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.1",
  "169.253.255.255",
  "172.15.255.255",
  "172.32.0.0",
  "192.167.255.255",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255"
]

describe("an address", () => {
  it.each(privateV4)("%s is not public", (v4) => assert.isFalse(AddressGuard.isPublic(v4)))

  it.each(privateV4)("SSRF-03 %s inside IPv6 is not public either", (v4) => {
    for (const v6 of forms(v4)) assert.isFalse(AddressGuard.isPublic(v6), v6)
  })

  it.each(publicV4)("SSRF-04 %s is public, also inside IPv6", (v4) => {
    for (const address of [v4, ...forms(v4)]) assert.isTrue(AddressGuard.isPublic(address), address)
  })

  it.each([
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["0:0:0:0:0:0:0:1", "loopback"],
    ["fe80::1", "link-local"],
    ["fe80::1%eth0", "link-local with a zone"],
    ["febf::1", "link-local"],
    ["fe80::5efe:8.8.8.8", "ISATAP in a private prefix"],
    ["fec0::1", "site-local"],
    ["fc00::1", "unique local"],
    ["fdff::1", "unique local"],
    ["fd00:ec2::254", "cloud metadata"],
    ["ff02::1", "multicast"],
    ["100::1", "discard"],
    ["2001::1", "Teredo"],
    ["2001:2::1", "benchmarking"],
    ["2001:10::1", "ORCHID"],
    ["2001:db8::1", "documentation"],
    ["3fff::1", "documentation"],
    ["64:ff9b:1::8.8.8.8", "local NAT64"],
    ["5f00::1", "segment routing"],
    ["4000::1", "not assigned"]
  ])("%s is not public: %s", (address) => assert.isFalse(AddressGuard.isPublic(address)))

  it.each(["2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001:800::200e", "[2606:4700::1]"])(
    "%s is public",
    (address) => assert.isTrue(AddressGuard.isPublic(address))
  )

  it.each([
    "",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "08.8.8.8",
    "8.8.8.08",
    "0x8.8.8.8",
    "8.8.8.256",
    "8.8.8.8 ",
    "134744072",
    ":::",
    "1::2::3",
    "2606:4700",
    "2606:4700:0:0:0:0:0:0:0",
    "2606:4700::12345",
    "2606:4700::g",
    "8.8.8.8::",
    "2606::8.8.8.8:1",
    "example.com",
    "[8.8.8.8",
    "[]"
  ])("%j is not an address, and so not a public one", (text) => assert.isFalse(AddressGuard.isPublic(text)))

  it.prop(
    "has a result for any text",
    { text: Schema.String },
    ({ text }) =>
      typeof AddressGuard.isPublic(text) === "boolean" && typeof AddressGuard.isPublicHost(text) === "boolean",
    { arbitrary: { runs: 500 } }
  )
})

describe("a host", () => {
  it.each([
    "localhost",
    "LOCALHOST.",
    "a.localhost",
    "printer",
    "nas.local",
    "db.internal",
    "metadata.google.internal",
    "router.home.arpa",
    "127.0.0.1",
    "[::1]",
    "[::ffff:7f00:1]",
    "127.1",
    "2130706433"
  ])("%s is not public", (host) => assert.isFalse(AddressGuard.isPublicHost(host)))

  it.each(["auth.example.com", "auth.example.com.", "8.8.8.8", "[2606:4700::1]", "localhost.example.com", "local.dev"])(
    "%s may be public",
    (host) => assert.isTrue(AddressGuard.isPublicHost(host))
  )
})

describe("a guarded client", () => {
  /** Guards a client that could reach every host. Returns the guarded client and the URLs that it requested. */
  const guarded = Effect.map(
    TestIssuer.make({ elsewhere: () => Response.json({}) }),
    ({ client, issuer }) => ({
      requested: Effect.map(issuer.requests, (requests) => requests.map(({ url }) => url)),
      client: GuardedHttpClient.make(client)
    })
  )

  it.effect.each([
    "http://auth.example.com/",
    "https://127.0.0.1/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://[::ffff:10.0.0.1]/",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost/",
    "https://admin.internal/"
  ])("SSRF-01 rejects %s without a request", (url) =>
    Effect.gen(function*() {
      const { requested, client } = yield* guarded
      assert.strictEqual((yield* Effect.flip(client.get(url))).reason._tag, "TransportError")
      assert.deepStrictEqual(yield* requested, [])
    }))

  it.effect("sends requests to public hosts", () =>
    Effect.gen(function*() {
      const { requested, client } = yield* guarded
      yield* client.get("https://auth.example.com/x")
      assert.deepStrictEqual(yield* requested, ["https://auth.example.com/x"])
    }))
})

describe("a guarded look-up", () => {
  /**
   * Starts a real server on loopback, and creates a client that requests it by a host name. Each element of `answers` is the
   * list of addresses that one look-up of the name returns.
   */
  const through = Effect.fnUntraced(function*(answers: ReadonlyArray<ReadonlyArray<string>>, guard: boolean) {
    let connections = 0
    const node = createServer((_, response) => response.end("inside")).on("connection", () => connections++)
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => node.listen(0, "127.0.0.1", resolve))),
      () => Effect.sync(() => node.close().closeAllConnections())
    )
    let turn = 0
    const names: AddressGuard.Lookup = (_, options: { readonly all?: boolean }, callback) => {
      const addresses = answers[Math.min(turn++, answers.length - 1)]!.map((address) => ({ address, family: 4 }))
      if (options.all === true) callback(null, addresses)
      else callback(null, addresses[0]!.address, 4)
    }
    const lookup = guard ? AddressGuard.lookup(names) : names
    const client = yield* Effect.map(
      Layer.build(NodeHttpClient.layerNodeHttpOptions({ lookup, keepAlive: false, timeout: 500 })),
      (context) => HttpClient.HttpClient.pipe(Effect.provide(context))
    )
    const url = `http://rebind.example.com:${(node.address() as AddressInfo).port}/`
    return { get: Effect.flatMap(client, (_) => _.get(url)), connections: () => connections }
  })

  it.live("rejects a name whose address is private", () =>
    Effect.gen(function*() {
      for (const answers of [[["127.0.0.1"]], [["8.8.8.8", "127.0.0.1"]], [["127.0.0.1", "8.8.8.8"]], [[]]]) {
        const { connections, get } = yield* through(answers, true)
        yield* Effect.flip(get)
        assert.strictEqual(connections(), 0)
      }
      // Without the guard, the same client connects.
      const { connections, get } = yield* through([["127.0.0.1"]], false)
      assert.strictEqual((yield* get).status, 200)
      assert.strictEqual(connections(), 1)
    }))

  it.live("checks the address that is connected to, so that rebinding a name has no effect", () =>
    Effect.gen(function*() {
      // An earlier look-up of the name may have returned a public address. Only the look-up for the connection counts, and here
      // that look-up returns a private address.
      const { connections, get } = yield* through([["127.0.0.1"]], true)
      const error = yield* Effect.flip(get)
      assert.strictEqual(error.reason._tag, "TransportError")
      assert.strictEqual(connections(), 0)
    }))

  it("passes errors and public addresses through unchanged", () => {
    const seen: Array<unknown> = []
    const of = (...answer: ReadonlyArray<unknown>): AddressGuard.Lookup => (_, __, callback) =>
      (callback as (...answer: ReadonlyArray<unknown>) => void)(...answer)
    const collect = (...answer: ReadonlyArray<unknown>) => void seen.push(answer)
    const failed = new Error("no such name")
    AddressGuard.lookup(of(failed, undefined))("a", {}, collect)
    AddressGuard.lookup(of(null, "8.8.8.8", 4))("a", {}, collect)
    AddressGuard.lookup(of(null, [{ address: "8.8.8.8", family: 4 }]))("a", { all: true }, collect)
    assert.deepStrictEqual(seen, [
      [failed, undefined, undefined],
      [null, "8.8.8.8", 4],
      [null, [{ address: "8.8.8.8", family: 4 }], undefined]
    ])
  })
})

describe("an issuer that a request names", () => {
  it.live("gets requests if its host is public, and no private host does, even after rebinding", () =>
    Effect.gen(function*() {
      let connections = 0
      const inside = createServer((_, response) => response.end()).on("connection", () => connections++)
      yield* Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((resolve) => inside.listen(0, "127.0.0.1", resolve))),
        () => Effect.sync(() => inside.close().closeAllConnections())
      )
      const { port } = inside.address() as AddressInfo
      // The resolver returns a public address for the name, but the look-up for the connection returns a private one.
      const looked: Array<string> = []
      const rebinding: AddressGuard.Lookup = (name, options: { readonly all?: boolean }, callback) => {
        looked.push(name)
        if (options.all === true) callback(null, [{ address: "127.0.0.1", family: 4 }])
        else callback(null, "127.0.0.1", 4)
      }
      const guarded = Layer.effect(
        HttpClient.HttpClient,
        Effect.map(HttpClient.HttpClient, (client) => GuardedHttpClient.make(client))
      ).pipe(
        Layer.provide(
          NodeHttpClient.layerNodeHttpOptions({ lookup: AddressGuard.lookup(rebinding), keepAlive: false })
        )
      )
      const context = yield* Layer.build(
        gateLayer({
          resource: "https://server.test/mcp",
          authorizationServers: ["https://own.example.com"],
          scopes: ["todos:read"],
          tenants: Tenants.fromHeader("x-tenant", {
            authorizationServers: (tenant) => Effect.succeed([`https://${tenant}`])
          })
        }).pipe(Layer.provide(guarded))
      )
      const gate = Context.get(context, AuthLayer.AuthLayer)
      const signed = (issuer: string) => {
        const segment = (content: object) => Buffer.from(JSON.stringify(content)).toString("base64url")
        const claims = { iss: issuer, aud: "https://server.test/mcp", sub: "a", client_id: "c", exp: 9_999_999_999 }
        return `${segment({ alg: "ES256", typ: "at+jwt", kid: "k" })}.${segment(claims)}.${"A".repeat(86)}`
      }
      for (
        const tenant of [
          `rebind.example.com:${port}`,
          `127.0.0.1:${port}`,
          `[::ffff:7f00:1]:${port}`,
          `localhost:${port}`,
          `printer:${port}`
        ]
      ) {
        const issuer = `https://${tenant}`
        const rejected = yield* Effect.flip(
          authenticate(gate, {
            method: "POST",
            header: (name) => name === "x-tenant" ? tenant : undefined,
            authorization: [`Bearer ${signed(issuer)}`]
          })
        )
        assert.strictEqual(rejected.status, 503, `${tenant}: ${rejected.reason}`)
      }
      assert.strictEqual(connections, 0)
      // Only the issuer with a public name causes look-ups: one for each of its two metadata URLs.
      assert.deepStrictEqual(looked, ["rebind.example.com", "rebind.example.com"])
    }).pipe(Effect.provideService(AddressGuard.Resolver, () => Effect.succeed(["93.184.216.34"]))))
})
