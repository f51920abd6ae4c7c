/** Tests the public URLs of a server, on every host: behind a proxy that changes the path, and under several host names. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { Challenge } from "effect-mcp-auth/protocol"
import { PublicUrl } from "effect-mcp-auth/public-url"
import { DpopClient, type TestIssuer } from "effect-mcp-auth/testing"
import { fetcherWith } from "../gates.ts"
import { bearer, call } from "./cases.ts"
import { type Answer, makeIssuer, optionsOf, type Running, type Settings } from "./Host.ts"
import { hosts } from "./hosts.ts"

/** Returns `in` for status 200, otherwise the status and the `resource_metadata` of the first challenge. */
const outcome = ({ headers, status }: Answer): string => {
  if (status === 200) return "in"
  const challenges = Result.getOrThrow(Challenge.parse(headers["www-authenticate"] ?? ""))
  return `${status} ${challenges[0]?.parameters.get("resource_metadata") ?? ""}`.trim()
}

const mint = (issuer: TestIssuer.TestIssuer["Service"], audience: string, boundTo?: string) =>
  Effect.runPromise(issuer.mint({ audience, scopes: ["todos:read"], boundTo }))

const get = (path: string, host?: string) => ({
  method: "GET",
  path,
  headers: [],
  ...(host === undefined ? {} : { hosts: [host] })
})

describe.each(hosts)("$name", (host) => {
  const start = async (settings: Settings) => {
    const { client, issuer } = await makeIssuer()
    const running = await host.start(optionsOf(issuer.issuer, settings), client)
    return { running, issuer }
  }

  describe("a proxy that maps /tools/mcp to /mcp", () => {
    const url = "https://server.test/tools/mcp"
    const metadataUrl = "https://server.test/tools/metadata"
    let running: Running
    let issuer: TestIssuer.TestIssuer["Service"]
    beforeAll(async () => {
      ;({ issuer, running } = await start({
        publicUrls: [{ url, publicPrefix: "/tools", metadataUrl }],
        dpop: { mode: "optional" }
      }))
    })
    afterAll(() => running.stop())

    it("accepts a DPoP proof for the public URL, and rejects proofs for other URLs", async () => {
      const client = await Effect.runPromise(DpopClient.make())
      const token = await mint(issuer, url, client.thumbprint)
      const send = async (htu: string) => {
        const proof = await Effect.runPromise(client.proof({ method: "POST", url: htu, token }))
        return outcome(await running.send(call([["authorization", `DPoP ${token}`], ["dpop", proof]], "list_todos")))
      }
      assert.strictEqual(await send(url), "in")
      for (
        const other of [
          "https://server.test/mcp",
          "https://server.test/tools/tools/mcp",
          "https://other.test/tools/mcp"
        ]
      ) {
        assert.strictEqual(await send(other), `401 ${metadataUrl}`, other)
      }
      assert.deepStrictEqual(await running.ran(), ["list_todos alice"])
    })

    it("names the configured metadata URL in its challenge, and serves the document there and at the well-known path", async () => {
      assert.strictEqual(outcome(await running.send(call([], "list_todos"))), `401 ${metadataUrl}`)
      for (const path of ["/metadata", "/.well-known/oauth-protected-resource/tools/mcp"]) {
        const { body, status } = await running.send(get(path))
        assert.deepStrictEqual([status, JSON.parse(body).resource], [200, url], path)
      }
    })

    it("rejects a token for the internal URL", async () => {
      const token = await mint(issuer, "https://server.test/mcp")
      assert.strictEqual(outcome(await running.send(call(bearer(token), "list_todos"))), `401 ${metadataUrl}`)
      assert.deepStrictEqual(await running.ran(), [])
    })
  })

  describe("an external and an internal name", () => {
    const external = "https://server.test/mcp"
    const internal = "http://todos.internal:3000/mcp"
    const metadata = {
      "server.test": "https://server.test/.well-known/oauth-protected-resource/mcp",
      "todos.internal:3000": "http://todos.internal:3000/.well-known/oauth-protected-resource/mcp"
    }
    let running: Running
    let tokens: { readonly external: string; readonly internal: string }
    let issuer: TestIssuer.TestIssuer["Service"]
    beforeAll(async () => {
      ;({ issuer, running } = await start({
        publicUrls: [{ url: external }, { url: internal, insecure: true }],
        dpop: { mode: "optional" }
      }))
      tokens = { external: await mint(issuer, external), internal: await mint(issuer, internal) }
    })
    afterAll(() => running.stop())

    const send = async (
      token: string | undefined,
      hosts: ReadonlyArray<string>,
      others: Parameters<typeof call>[2] = []
    ) => outcome(await running.send({ ...call(token === undefined ? [] : bearer(token), "list_todos", others), hosts }))

    it("[T-AUD-02c] accepts pages of the origin of each name at that name, and rejects them at the other name", async () => {
      const [at, inside] = ["server.test", "todos.internal:3000"] as const
      assert.strictEqual(await send(tokens.external, [at], [["origin", "https://server.test"]]), "in")
      assert.strictEqual(await send(tokens.internal, [inside], [["origin", "http://todos.internal:3000"]]), "in")
      assert.strictEqual(await send(tokens.external, [at], [["origin", "http://todos.internal:3000"]]), "403")
      assert.strictEqual(await send(tokens.internal, [inside], [["origin", "https://server.test"]]), "403")
      await running.ran()
    })

    it("[T-AUD-32] accepts a token only at its own name, seen there before or not", async () => {
      const [at, inside] = ["server.test", "todos.internal:3000"] as const
      for (let round = 0; round < 2; round++) {
        assert.strictEqual(await send(tokens.external, [inside]), `401 ${metadata[inside]}`)
        assert.strictEqual(await send(tokens.internal, [at]), `401 ${metadata[at]}`)
        assert.deepStrictEqual(await running.ran(), [])
        assert.strictEqual(await send(tokens.external, [at]), "in")
        assert.strictEqual(await send(tokens.internal, [inside]), "in")
        assert.deepStrictEqual(await running.ran(), ["list_todos alice", "list_todos alice"])
      }
    })

    it("[T-AUD-32] does not read X-Forwarded-Host and Forwarded", async () => {
      const forwarded = [["x-forwarded-host", "server.test"], ["forwarded", "host=server.test"]] as const
      assert.strictEqual(
        await send(tokens.external, ["todos.internal:3000"], forwarded),
        `401 ${metadata["todos.internal:3000"]}`
      )
      assert.deepStrictEqual(await running.ran(), [])
    })

    it("[T-AUD-32] rejects every other name with 403", async () => {
      for (const name of ["other.test", "internal", "todos.internal.server.test", "server.test.", "localhost"]) {
        for (const token of Object.values(tokens)) assert.strictEqual(await send(token, [name]), "403", name)
      }
      assert.deepStrictEqual(await running.ran(), [])
    })

    it("challenges without a token with the metadata of the name", async () => {
      for (const [name, url] of Object.entries(metadata)) {
        assert.strictEqual(await send(undefined, [name]), `401 ${url}`)
      }
    })

    it("publishes the metadata of each name only there", async () => {
      for (const [name, url] of [["server.test", external], ["todos.internal:3000", internal]] as const) {
        for (const path of ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]) {
          const { body, status } = await running.send(get(path, name))
          assert.deepStrictEqual([status, JSON.parse(body).resource], [200, url], name + path)
        }
      }
      const { body } = await running.send(get("/.well-known/oauth-protected-resource/mcp", "other.test"))
      assert.notInclude(body, "authorization_servers")
    })

    it("accepts a DPoP proof only for the URL of the name", async () => {
      const client = await Effect.runPromise(DpopClient.make())
      const sendProof = async (token: string, htu: string, name: string) => {
        const proof = await Effect.runPromise(client.proof({ method: "POST", url: htu, token }))
        return outcome(
          await running.send({
            ...call([["authorization", `DPoP ${token}`], ["dpop", proof]], "list_todos"),
            hosts: [name]
          })
        )
      }
      const [outside, inside] = [
        await mint(issuer, external, client.thumbprint),
        await mint(issuer, internal, client.thumbprint)
      ]
      assert.strictEqual(await sendProof(outside, external, "server.test"), "in")
      assert.strictEqual(await sendProof(inside, internal, "todos.internal:3000"), "in")
      await running.ran()
      assert.strictEqual(await sendProof(outside, internal, "server.test"), `401 ${metadata["server.test"]}`)
      assert.strictEqual(
        await sendProof(inside, external, "todos.internal:3000"),
        `401 ${metadata["todos.internal:3000"]}`
      )
      assert.deepStrictEqual(await running.ran(), [])
    })
  })
})

describe("fetch, on a platform that builds the URL of requests with a configured name", () => {
  /** The function of the page Hosts. */
  const withHost = (request: Request): Request => {
    const url = new URL(request.url)
    url.host = request.headers.get("host") ?? url.host
    return new Request(url, request)
  }

  it("selects the resource of the Host header if the request has its host, and otherwise answers 403", async () => {
    const { client, issuer } = await makeIssuer()
    await using auth = await McpAuthFetch.make({
      resource: PublicUrl.byHost(["https://server.test/mcp", "https://internal.test/mcp"]),
      authorizationServers: [issuer.issuer],
      scopes: ["todos:read"],
      layer: fetcherWith(client)
    })
    const handle = auth.protect((_, { body }) => Response.json(body))
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
    const send = async (url: string, audience: string) => {
      const authorization = `Bearer ${await mint(issuer, audience)}`
      const headers = { authorization, host: "internal.test", "content-type": "application/json" }
      const request = new Request(url, { method: "POST", headers, body })
      return [(await handle(request.clone())).status, (await handle(withHost(request))).status]
    }
    for (const url of ["http://localhost:3000/mcp", "https://server.test/mcp"]) {
      assert.deepStrictEqual(await send(url, "https://internal.test/mcp"), [403, 200])
      assert.deepStrictEqual(await send(url, "https://server.test/mcp"), [403, 401])
    }
  })
})
