/** Tests DPoP proofs (RFC 9449): every server adapter gives the same response to the same request. */
import { NodeHttpServer } from "@effect/platform-node"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Result, Scope } from "effect"
import { Principal } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthNode } from "effect-mcp-auth/node"
import { Challenge } from "effect-mcp-auth/protocol"
import { DpopClient, type TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import express5 from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { authLayer, withFetcher } from "../gates.ts"
import { call } from "./cases.ts"
import { type Answer, makeIssuer, type Options, optionsOf, overSocket, resource, type Running } from "./Host.ts"
import { hosts } from "./hosts.ts"

type Lines = ReadonlyArray<readonly [string, string]>

interface Bench {
  readonly running: Running
  readonly issuer: TestIssuer.TestIssuer["Service"]
  readonly client: DpopClient.DpopClient
  /** A token that is bound to the key of the client. */
  readonly token: string
  readonly unbound: string
  readonly thief: DpopClient.DpopClient
}

const proofOf = ({ client, token }: Bench, claims: Readonly<Record<string, unknown>> = {}, nonce?: string) =>
  Effect.runPromise(client.proof({ method: "POST", url: resource, token, claims, nonce }))

const linesOf = (token: string, ...proofs: ReadonlyArray<string>): Lines => [
  ["authorization", `DPoP ${token}`],
  ...proofs.map((proof) => ["dpop", proof] as const)
]

/** Returns `in` for status 200, otherwise the status with the scheme and error code of the challenge. */
const verdict = ({ headers, status }: Answer): string => {
  if (status === 200) return "in"
  const challenges = Result.getOrThrow(Challenge.parse(headers["www-authenticate"] ?? ""))
  const found = challenges.find(({ parameters }) => parameters.has("error"))
  return `${status} ${found?.scheme} ${found?.parameters.get("error")}`
}

const unproven = "401 DPoP invalid_dpop_proof"

const htu = (htu: string) => async (bench: Bench) => linesOf(bench.token, await proofOf(bench, { htu }))

const rows: ReadonlyArray<{
  readonly title: string
  readonly lines: (bench: Bench) => Promise<Lines>
  readonly expected: string
}> = [
  { title: "a good proof", lines: async (bench) => linesOf(bench.token, await proofOf(bench)), expected: "in" },
  { title: "no proof", lines: async ({ token }) => linesOf(token), expected: unproven },
  { title: "an empty proof", lines: async ({ token }) => linesOf(token, ""), expected: unproven },
  {
    title: "two header lines",
    lines: async (bench) => linesOf(bench.token, await proofOf(bench), await proofOf(bench)),
    expected: unproven
  },
  {
    title: "the same proof on two lines",
    lines: async (bench) => {
      const proof = await proofOf(bench)
      return linesOf(bench.token, proof, proof)
    },
    expected: unproven
  },
  {
    title: "a comma",
    lines: async (bench) => linesOf(bench.token, `${await proofOf(bench)},${await proofOf(bench)}`),
    expected: unproven
  },
  { title: "10 kB", lines: async ({ token }) => linesOf(token, "x".repeat(10_000)), expected: unproven },
  {
    title: "another method",
    lines: async (bench) => linesOf(bench.token, await proofOf(bench, { htm: "GET" })),
    expected: unproven
  },
  {
    title: "the method in another case",
    lines: async (bench) => linesOf(bench.token, await proofOf(bench, { htm: "post" })),
    expected: unproven
  },
  { title: "another path", lines: htu("https://server.test/other"), expected: unproven },
  { title: "another host", lines: htu("https://other.test/mcp"), expected: unproven },
  { title: "another port", lines: htu("https://server.test:8443/mcp"), expected: unproven },
  { title: "another scheme", lines: htu("http://server.test/mcp"), expected: unproven },
  { title: "an additional trailing slash", lines: htu("https://server.test/mcp/"), expected: unproven },
  { title: "two slashes", lines: htu("https://server.test//mcp"), expected: unproven },
  { title: "an escaped slash", lines: htu("https://server.test%2fmcp"), expected: unproven },
  { title: "a user", lines: htu("https://user@server.test/mcp"), expected: unproven },
  { title: "the default port", lines: htu("https://server.test:443/mcp"), expected: "in" },
  { title: "an upper-case host", lines: htu("HTTPS://SERVER.TEST/mcp"), expected: "in" },
  { title: "dot segments", lines: htu("https://server.test/a/../mcp"), expected: "in" },
  { title: "an unnecessary escape", lines: htu("https://server.test/%6Dcp"), expected: "in" },
  { title: "a query", lines: htu("https://server.test/mcp?a=b"), expected: "in" },
  {
    title: "a token without a bound key",
    lines: async ({ client, unbound }) =>
      linesOf(unbound, await Effect.runPromise(client.proof({ method: "POST", url: resource, token: unbound }))),
    expected: "401 DPoP invalid_token"
  },
  {
    title: "the key of another client",
    lines: async ({ thief, token }) =>
      linesOf(token, await Effect.runPromise(thief.proof({ method: "POST", url: resource, token }))),
    expected: "401 DPoP invalid_token"
  },
  {
    title: "a bound token without its scheme",
    lines: async (bench) => [["authorization", `Bearer ${bench.token}`], ["dpop", await proofOf(bench)]],
    expected: "401 Bearer invalid_token"
  },
  {
    title: "a Bearer token",
    lines: async ({ unbound }) => [["authorization", `Bearer ${unbound}`]],
    expected: "in"
  },
  {
    title: "one token under both schemes",
    lines: async (
      bench
    ) => [...linesOf(bench.token, await proofOf(bench)), ["authorization", `Bearer ${bench.unbound}`]],
    expected: "400 Bearer invalid_request"
  }
]

const started = async (host: (typeof hosts)[number], dpop: Options["dpop"]) => {
  const { client: http, issuer } = await makeIssuer()
  const running = await host.start(optionsOf(issuer.issuer, { dpop }), http)
  const client = await Effect.runPromise(DpopClient.make())
  const bench: Bench = {
    running,
    issuer,
    client,
    thief: await Effect.runPromise(DpopClient.make()),
    token: await Effect.runPromise(issuer.mint({ scopes: ["todos:read"], boundTo: client.thumbprint })),
    unbound: await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))
  }
  return bench
}

describe.each(hosts)("$name", (host) => {
  describe("optional", () => {
    let bench: Bench
    beforeAll(async () => {
      bench = await started(host, { mode: "optional" })
    })
    afterAll(() => bench.running.stop())

    it.each(rows)("$title: $expected", async ({ expected, lines }) => {
      const answer = await bench.running.send(call(await lines(bench), "list_todos"))
      assert.strictEqual(verdict(answer), expected, answer.body)
      assert.deepStrictEqual(await bench.running.ran(), expected === "in" ? ["list_todos alice"] : [])
    })

    it("accepts a proof once", async () => {
      const lines = linesOf(bench.token, await proofOf(bench))
      assert.strictEqual(verdict(await bench.running.send(call(lines, "list_todos"))), "in")
      assert.strictEqual(verdict(await bench.running.send(call(lines, "list_todos"))), unproven)
      await bench.running.ran()
    })
  })

  it("required, with a nonce: the challenge names only DPoP, and its nonce is accepted", async () => {
    const bench = await started(host, { mode: "required", nonce: "required" })
    const bearer = await bench.running.send(call([["authorization", `Bearer ${bench.unbound}`]], "list_todos"))
    assert.strictEqual(bearer.status, 401)
    assert.match(bearer.headers["www-authenticate"]!, /^DPoP scope="todos:read", resource_metadata="[^"]+", algs="/)
    const challenged = await bench.running.send(call(linesOf(bench.token, await proofOf(bench)), "list_todos"))
    assert.strictEqual(verdict(challenged), "401 DPoP use_dpop_nonce")
    const nonce = challenged.headers["dpop-nonce"]!
    const lines = linesOf(bench.token, await proofOf(bench, {}, nonce))
    assert.strictEqual(verdict(await bench.running.send(call(lines, "list_todos"))), "in")
    const document = await bench.running.send({
      method: "GET",
      path: "/.well-known/oauth-protected-resource/mcp",
      headers: []
    })
    const { dpop_bound_access_tokens_required, dpop_signing_alg_values_supported } = JSON.parse(document.body)
    assert.isTrue(dpop_bound_access_tokens_required)
    assert.include(dpop_signing_alg_values_supported, "ES256")
    await bench.running.stop()
  })
})

describe("a router that removes a prefix", () => {
  const place = "https://server.test/api/v1/mcp"

  const setUp = async () => {
    const { client: http, issuer } = await makeIssuer()
    const client = await Effect.runPromise(DpopClient.make())
    const token = await Effect.runPromise(
      issuer.mint({ audience: place, scopes: ["todos:read"], boundTo: client.thumbprint })
    )
    const options = {
      resource: place,
      authorizationServers: [issuer.issuer] as const,
      scopes: ["todos:read"] as const,
      dpop: Dpop.required()
    }
    const proof = (url: string) => Effect.runPromise(client.proof({ method: "POST", url, token }))
    /** Returns two statuses: with a proof for the called URL, and with a proof for `cut`, the URL without the prefix. */
    const statuses = async (port: number, cut: string) => {
      const { send } = overSocket(port)
      const ask = async (url: string) =>
        (await send({
          method: "POST",
          path: "/api/v1/mcp?x=1",
          headers: [...linesOf(token, await proof(url)), ["content-type", "application/json"]],
          body: `{"jsonrpc":"2.0","id":1,"method":"ping"}`
        })).status
      return [await ask(place), await ask(cut)]
    }
    return { http: Layer.succeed(HttpClient.HttpClient, http), options, statuses }
  }

  const frameworks = [
    { version: "4", framework: express4 as unknown as typeof express5 },
    { version: "5", framework: express5 }
  ]

  it.each(frameworks)("Express $version: the path is that of the whole URL", async ({ framework }) => {
    const { http, statuses, options } = await setUp()
    const auth = await McpAuthNode.make({ ...options, layer: withFetcher(http) })
    const [app, api, v1] = [framework(), framework.Router(), framework.Router()]
    v1.use(auth.protect())
    v1.post("/mcp", (_, res) => void res.sendStatus(200))
    api.use("/v1", v1)
    app.use("/api", api)
    const server = await new Promise<Server>((resolve) => {
      const made = createServer(app).listen(0, "127.0.0.1", () => resolve(made))
    })
    assert.deepStrictEqual(await statuses((server.address() as AddressInfo).port, "https://server.test/mcp"), [
      200,
      401
    ])
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await auth.dispose()
  })

  it("Effect: the path is that of the whole URL", async () => {
    const { http, statuses, options } = await setUp()
    const node = createServer()
    const scope = Scope.makeUnsafe()
    const routes = HttpRouter.use((router) =>
      router.prefixed("/api").prefixed("/v1").add(
        "POST",
        "/mcp",
        Effect.map(Principal, (caller) => HttpServerResponse.text(caller.owner))
      )
    ).pipe(Layer.provide(authLayer(options)), Layer.provide(http))
    await Effect.runPromise(Layer.buildWithScope(
      HttpRouter.serve(routes as Layer.Layer<never, unknown, HttpRouter.HttpRouter>, {
        disableLogger: true,
        disableListenLog: true
      }).pipe(
        Layer.provide(NodeHttpServer.layer(() => node, { host: "127.0.0.1", port: 0 }))
      ),
      scope
    ))
    assert.deepStrictEqual(await statuses((node.address() as AddressInfo).port, "https://server.test/mcp"), [200, 401])
    await Effect.runPromise(Scope.close(scope, Exit.void))
  })
})
