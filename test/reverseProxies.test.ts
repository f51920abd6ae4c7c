/** Runs every configuration of a reverse proxy that docs/operations.md shows, with nginx in front of a server. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthNode } from "effect-mcp-auth/node"
import { DpopClient, TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpClientRequest } from "effect/http"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { request as httpsRequest } from "node:https"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { freePort, runs, start } from "./program.ts"
import { gateLayer, withFetcher } from "./servers/gates.ts"
import { overSocket } from "./servers/hosts/Host.ts"

const root = join(import.meta.dirname, "..")
const page = readFileSync(join(root, "docs/operations.md"), "utf8")

/** The blocks of the page with a file name, by that name. */
const blocks = new Map(
  [...page.matchAll(/^```(?:nginx|ts) file=(\S+)\n([\s\S]*?)^```/gm)].map(([, name, code]) => [name!, code!])
)

// Inside the package, so that the blocks import it by its name.
const folder = mkdtempSync(join(root, ".documents-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const load = async (name: string): Promise<any> => {
  const file = join(folder, name)
  writeFileSync(file, blocks.get(name)!)
  return import(/* @vite-ignore */ file)
}

const replaceAll = (text: string, from: string, to: string): string => {
  assert.include(text, from)
  return text.replaceAll(from, to)
}

/** Runs nginx with a configuration of the page in front of the server at `port`. Returns the port of nginx. */
const startNginx = (name: string, port: number) =>
  Effect.gen(function*() {
    const own = yield* freePort
    let block = replaceAll(blocks.get(name)!, "listen 443 ssl;", `listen 127.0.0.1:${own} ssl;`)
    block = replaceAll(block, "127.0.0.1:3000", `127.0.0.1:${port}`)
    block = replaceAll(block, "/etc/ssl/certificate.pem", join(folder, "certificate.pem"))
    block = replaceAll(block, "/etc/ssl/key.pem", join(folder, "key.pem"))
    const file = join(folder, name)
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) =>
      `${kind}_temp_path ${join(folder, kind)};`
    )
    writeFileSync(
      file,
      `daemon off; master_process off; pid ${join(folder, `${name}.pid`)}; error_log stderr;
      events {}
      http { access_log off; ${temporary.join(" ")}
      ${block} }`
    )
    yield* start("nginx", ["-e", "stderr", "-p", folder, "-c", file], own)
    return own
  })

interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: string
}

/** Sends a request for a public URL to nginx. Resolves with the first piece of the body, or with the whole body. */
const sender = (port: number) => (url: string, { body, headers = {}, method = "GET" }: Sent = {}, isStream = false) =>
  new Promise<Answer>((resolve, reject) => {
    const { host, hostname, pathname } = new URL(url)
    const request = httpsRequest({
      host: "127.0.0.1",
      port,
      servername: hostname,
      // The certificate of the test is from no authority.
      rejectUnauthorized: false,
      method,
      path: pathname,
      agent: false,
      headers: { ...headers, host }
    }, (response) => {
      let text = ""
      const settle = () => resolve({ status: response.statusCode!, headers: response.headers, body: text })
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => {
        text += chunk
        if (!isStream) return
        settle()
        request.destroy()
      })
      response.on("end", settle)
      response.on("error", isStream ? settle : reject)
    })
    request.on("error", reject)
    request.end(body)
  })

const ping: Sent = {
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" })
}

/** Serves an MCP endpoint at each of `paths`, a protected route at `/files` and the metadata. Runs until the scope closes. */
const serve = (resource: any, path: string) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make()
    const auth = yield* Effect.acquireRelease(
      Effect.promise(() =>
        McpAuthNode.make({
          resource,
          authorizationServers: [issuer.issuer],
          scopes: ["todos:read"],
          dpop: Dpop.optional(),
          layer: withFetcher(Layer.succeed(HttpClient.HttpClient, client))
        })
      ),
      (auth) => Effect.promise(auth.dispose)
    )
    const [metadata, mcp, files] = [auth.metadataRouter(), auth.protect(), auth.protectRoute()]
    const server = yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const server = createServer((req, res) => {
          void metadata(req, res, () => {
            if (req.url === "/files") return void files(req, res, () => void res.end("file"))
            if (req.url !== path) return void res.writeHead(404).end()
            void mcp(req, res, () => {
              if (req.method !== "GET") return void res.end(`{"jsonrpc":"2.0","id":1,"result":{}}`)
              // The stream stays open after its first event, which a buffering proxy would hold back.
              res.writeHead(200, { "content-type": "text/event-stream" }).write("data: first\n\n")
            })
          })
        }).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.promise(() => {
          server.closeAllConnections()
          return new Promise((closed) => server.close(closed))
        })
    )
    const dpopClient = yield* DpopClient.make()
    const mint = (audience: string, boundTo?: string) => issuer.mint({ audience, scopes: ["todos:read"], boundTo })
    /** Returns the headers of a request with a proof for `htu`. */
    const proven = Effect.fnUntraced(function*(audience: string, method: string, htu: string) {
      const token = yield* mint(audience, dpopClient.thumbprint)
      return { authorization: `DPoP ${token}`, dpop: yield* dpopClient.proof({ method, url: htu, token }) }
    })
    return { port: (server.address() as AddressInfo).port, mint, proven }
  })

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

const metadataUrlIn = ({ headers }: Answer): string =>
  /resource_metadata="([^"]+)"/.exec(String(headers["www-authenticate"]))?.[1] ?? "none"

describe.runIf(runs("nginx"))("nginx, as the page Operations configures it", () => {
  const scope = Scope.makeUnsafe()
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  const run = <A>(effect: Effect.Effect<A, unknown, Scope.Scope>) => Effect.runPromise(Scope.provide(effect, scope))

  beforeAll(() => {
    const made = spawnSync("openssl", [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(" "),
      "-keyout",
      join(folder, "key.pem"),
      "-out",
      join(folder, "certificate.pem")
    ])
    assert.strictEqual(made.status, 0, String(made.stderr))
  })

  it("every configuration of the page has a test", () => {
    assert.deepStrictEqual([...blocks.keys()].filter((name) => name.endsWith(".conf")), [
      "unchanged.conf",
      "prefix.conf",
      "names.conf"
    ])
  })

  it.each<[configuration: string, resource: () => Promise<unknown>, url: string, path: string]>([
    [
      "unchanged.conf",
      async () => "https://whoami.example.com/whoami",
      "https://whoami.example.com/whoami",
      "/whoami"
    ],
    ["prefix.conf", async () => (await load("prefix.ts")).resource, "https://api.example.com/tools/mcp", "/mcp"],
    ["names.conf", async () => (await load("names.ts")).resource, "https://todos.example.com/mcp", "/mcp"]
  ])(
    "%s forwards challenges, metadata, tokens, DPoP proofs and streams",
    async (configuration, resource, url, path) => {
      const { mint, port, proven } = await run(serve(await resource(), path))
      const send = sender(await run(startNginx(configuration, port)))
      const challenge = await send(url, ping)
      assert.strictEqual(challenge.status, 401)
      const metadata = await send(metadataUrlIn(challenge))
      assert.deepStrictEqual([metadata.status, JSON.parse(metadata.body).resource], [200, url])
      const token = await run(mint(url))
      assert.strictEqual((await send(url, { ...ping, headers: { ...ping.headers, ...bearer(token) } })).status, 200)
      const stream = await send(url, { headers: { accept: "text/event-stream", ...bearer(token) } }, true)
      assert.deepStrictEqual([stream.status, stream.body], [200, "data: first\n\n"])
      const withProof = async (htu: string) =>
        (await send(url, { ...ping, headers: { ...ping.headers, ...await run(proven(url, "POST", htu)) } })).status
      assert.strictEqual(await withProof(url), 200)
      assert.strictEqual(await withProof(`https://other.example.com${path}`), 401)
      if (new URL(url).pathname !== path) assert.strictEqual(await withProof(new URL(path, url).href), 401)
    }
  )

  it("other routes below the prefix accept DPoP proofs for their public URL", async () => {
    const url = "https://api.example.com/tools/mcp"
    const { port, proven } = await run(serve((await load("prefix.ts")).resource, "/mcp"))
    const send = sender(await run(startNginx("prefix.conf", port)))
    const files = "https://api.example.com/tools/files"
    for (const [htu, status] of [[files, 200], ["https://api.example.com/files", 401], [url, 401]] as const) {
      const answer = await send(files, { headers: await run(proven(url, "GET", htu)) })
      assert.strictEqual(answer.status, status, htu)
    }
  })

  it("[T-AUD-32] a token for the internal name is not valid at the external one, and the reverse", async () => {
    const { mint, port } = await run(serve((await load("names.ts")).resource, "/mcp"))
    const send = sender(await run(startNginx("names.conf", port)))
    const [external, internal] = ["https://todos.example.com/mcp", "http://todos:3000/mcp"]
    const direct = async (token: string, host: string) =>
      (await overSocket(port).send({
        method: "POST",
        path: "/mcp",
        hosts: [host],
        headers: Object.entries({ ...ping.headers, ...bearer(token) }),
        body: ping.body!
      })).status
    const outside = async (token: string) =>
      (await send(external, { ...ping, headers: { ...ping.headers, ...bearer(token) } })).status
    const [forExternal, forInternal] = [await run(mint(external)), await run(mint(internal))]
    assert.deepStrictEqual([await outside(forExternal), await outside(forInternal)], [200, 401])
    assert.deepStrictEqual([await direct(forInternal, "todos:3000"), await direct(forExternal, "todos:3000")], [
      200,
      401
    ])
    assert.strictEqual(await direct(forInternal, "evil.example.com"), 403)
    // A client chooses the Host header, and the proxy forwards it. It then needs a token for that name.
    const smuggled = await send("https://todos/mcp", { ...ping, headers: { ...ping.headers, ...bearer(forExternal) } })
    assert.strictEqual(smuggled.status, 401)
  })
})

describe("the configuration of a split network on the page Operations", () => {
  it.effect("fetches keys by the internal name only", () =>
    Effect.gen(function*() {
      const { keycloak } = yield* Effect.promise(() => load("split.ts"))
      const { client, issuer } = yield* TestIssuer.make({ issuer: keycloak.issuer })
      const urls: Array<string> = []
      const inside = HttpClient.mapRequest(client, (request) => {
        urls.push(request.url)
        return HttpClientRequest.setUrl(request, request.url === keycloak.jwksUri ? issuer.jwksUri : request.url)
      })
      const services = yield* Layer.build(
        gateLayer({
          resource: "https://todos.example.com/mcp",
          authorizationServers: [keycloak as string],
          scopes: ["todos:read"]
        }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, inside)))
      )
      yield* Context.get(services, AuthLayer.AuthLayer).ready
      assert.deepStrictEqual(urls, [keycloak.jwksUri])
    }))
})
