import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { HttpServer } from "effect/http"
import { createServer, request } from "node:http"
import { connect, createServer as createSocketServer } from "node:net"
import type { AddressInfo } from "node:net"
import * as Page from "../../../src/cli/page/Page.ts"
import * as AddressGuard from "../../../src/outbound/AddressGuard.ts"
import type { Report } from "../../../src/provider/report/Report.ts"

const port: Layer.Layer<HttpServer.HttpServer> = Layer.orDie(
  NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })
)
const Issuer = TestIssuer.serve().pipe(Layer.provide(port))

const serve = (options: Partial<Page.Options> = {}) =>
  Page.serve({ host: "127.0.0.1", port: 0, local: false, timeout: Duration.seconds(20), ...options })

interface ReportResponse {
  readonly status: number
  readonly headers: Headers
  readonly body: Report & { readonly error?: string; readonly detail?: string }
}

const fetchReport = (page: string, query: Readonly<Record<string, string>>, headers: Record<string, string> = {}) =>
  Effect.promise(async (): Promise<ReportResponse> => {
    const response = await fetch(`${page}report?${new URLSearchParams(query)}`, { headers })
    return { status: response.status, headers: response.headers, body: await response.json() as ReportResponse["body"] }
  })

/** Starts a server that accepts connections and never sends a response. */
const makeSilentServer = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly count: () => number; readonly stop: () => void }>((resume) => {
    const sockets = new Set<{ readonly destroy: () => void }>()
    const server = createSocketServer((socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
    })
    server.listen(0, "127.0.0.1", () =>
      resume(Effect.succeed({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        count: () => sockets.size,
        stop: () => {
          for (const socket of sockets) socket.destroy()
          server.close()
        }
      })))
  }),
  ({ stop }) => Effect.sync(stop)
)

describe("the report of the page", () => {
  it.live("is that of check if the target is an issuer", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.TestIssuer
      const page = yield* serve({ local: true })
      const { body, headers, status } = yield* fetchReport(page, { target: issuer })
      assert.strictEqual(status, 200)
      assert.match(headers.get("content-type")!, /^application\/json/)
      assert.strictEqual(headers.get("cache-control"), "no-store")
      assert.deepInclude(body, { kind: "authorization-server", subject: issuer, revision: "2026-07-28" })
      assert.include(body.findings.map((_) => _.verdict), "pass")
      const earlier = yield* fetchReport(page, { target: issuer, spec: "2025-06-18", kind: "authorization-server" })
      assert.strictEqual(earlier.body.revision, "2025-06-18")
    }).pipe(Effect.provide(Issuer)))

  it.live("is that of doctor if the target is an MCP server, and includes its authorization server", () =>
    Effect.gen(function*() {
      const { issuer } = yield* TestIssuer.TestIssuer
      const server = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const server = createServer((request, response) => {
            const here = `http://${request.headers.host}`
            if (request.url === "/.well-known/oauth-protected-resource/mcp") {
              response.setHeader("content-type", "application/json")
              return response.end(JSON.stringify({ resource: `${here}/mcp`, authorization_servers: [issuer] }))
            }
            if (request.url !== "/mcp") return response.writeHead(404).end()
            response.writeHead(401, {
              "www-authenticate": `Bearer resource_metadata="${here}/.well-known/oauth-protected-resource/mcp"`
            }).end()
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
      const { body, status } = yield* fetchReport(yield* serve({ local: true }), { target })
      assert.strictEqual(status, 200)
      assert.deepInclude(body, { kind: "mcp-server", subject: target })
      assert.deepStrictEqual(body.parts.map((_) => [_.kind, _.subject]), [["authorization-server", issuer]])
    }).pipe(Effect.provide(Issuer)))

  it.live("is a timeout if the host does not respond", () =>
    Effect.gen(function*() {
      const { url } = yield* makeSilentServer
      const page = yield* serve({ local: true, timeout: Duration.millis(400) })
      const before = Date.now()
      for (const kind of ["auto", "authorization-server", "mcp-server"]) {
        const { body, status } = yield* fetchReport(page, { target: url, kind })
        assert.strictEqual(status, 504)
        assert.deepStrictEqual(
          body,
          {
            error: "timeout",
            detail: `the check of ${url} did not finish within 400ms`
          } as unknown as ReportResponse["body"]
        )
      }
      // All three checks end within 15 seconds. The default timeout of a single check is 20 seconds.
      assert.isBelow(Date.now() - before, 15_000)
    }))

  it.live("names the cause if the host cannot be reached", () =>
    Effect.gen(function*() {
      const gone = yield* Effect.scoped(Effect.map(makeSilentServer, ({ url }) => url))
      const { body, status } = yield* fetchReport(yield* serve({ local: true }), { target: gone })
      assert.strictEqual(status, 502)
      assert.strictEqual(body.error, "unreachable")
      assert.strictEqual(body.detail, `${gone} does not accept the connection (ECONNREFUSED)`)
    }))

  it.live("is limited to four at a time, and an aborted request ends its look-up", () =>
    Effect.gen(function*() {
      const { count, url } = yield* makeSilentServer
      const page = yield* serve({ local: true })
      const abort = new AbortController()
      const waiting = Array.from(
        { length: 4 },
        () =>
          fetch(`${page}report?kind=mcp-server&target=${url}`, { signal: abort.signal }).then(
            () => "answered",
            () => "aborted"
          )
      )
      while (count() < 4) yield* Effect.promise(() => new Promise((resume) => setImmediate(resume)))
      const rejected = yield* fetchReport(page, { target: url })
      assert.strictEqual(rejected.status, 429)
      assert.strictEqual(rejected.body.error, "busy")
      assert.strictEqual(rejected.headers.get("retry-after"), "5")
      const before = Date.now()
      abort.abort()
      assert.deepStrictEqual(yield* Effect.promise(() => Promise.all(waiting)), waiting.map(() => "aborted"))
      const freed = yield* fetchReport(page, { target: "http://127.0.0.1:1" }).pipe(
        Effect.repeat({ until: ({ status }) => status !== 429, times: 500 })
      )
      assert.strictEqual(freed.status, 502)
      // The look-ups ended before their timeout of 20 seconds, because the requests were aborted.
      assert.isBelow(Date.now() - before, 15_000)
    }))
})

describe("the page rejects", () => {
  it.live.each([
    "http://127.0.0.1:3000",
    "https://127.0.0.1",
    "https://localhost:3000/mcp",
    "https://[::1]/",
    "https://10.1.2.3/mcp",
    "https://169.254.169.254/latest/meta-data",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://[::ffff:192.168.0.1]/",
    "https://printer/",
    "https://vault.internal/",
    "http://auth.example.com"
  ])("the target %s without --local", (target) =>
    Effect.gen(function*() {
      const page = yield* serve()
      for (const kind of ["auto", "authorization-server", "mcp-server"]) {
        const { body, status } = yield* fetchReport(page, { target, kind })
        assert.strictEqual(status, 403)
        assert.strictEqual(body.error, "not-public")
        assert.match(body.detail!, /is not a public https host.*--local/)
      }
    }))

  it.live("a public host name with a private address without --local", () =>
    Effect.gen(function*() {
      let connections = 0
      const server = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createSocketServer>>((resume) => {
          const server = createSocketServer((socket) => {
            connections++
            socket.destroy()
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => server.close())
      )
      const { port } = server.address() as AddressInfo
      const lookup: Page.Options["lookup"] = (_, options, callback) =>
        options.all === true ? callback(null, [{ address: "127.0.0.1", family: 4 }]) : callback(null, "127.0.0.1", 4)
      const target = `https://rebound.example.com:${port}/mcp`
      for (const kind of ["auto", "authorization-server", "mcp-server"]) {
        // The resolver never responds, so only the check of the address that `lookup` returns for the connection can reject
        // the target.
        const page = yield* serve({ lookup }).pipe(Effect.provideService(AddressGuard.Resolver, () => Effect.never))
        const { body, status } = yield* fetchReport(page, { target, kind })
        assert.strictEqual(status, 502)
        assert.match(body.detail!, /is on a loopback or private address.*ENOTPUBLIC/)
      }
      assert.strictEqual(connections, 0)
      yield* fetchReport(yield* serve({ lookup, local: true }), { target })
      assert.isAbove(connections, 0)
    }))

  it.live.each(
    [
      [{}, /^target is missing/],
      [{ target: "  " }, /^target is missing/],
      [{ target: "nonsense" }, /"?nonsense"? is not the URL of a server/],
      [{ target: "file:///etc/passwd" }, /is not the URL of a server/],
      [{ target: "https://user:secret@auth.example.com" }, /contains a password or a token/],
      [{ target: "https://mcp.example.com/?access_token=abc" }, /contains a password or a token/],
      [{ target: "https://auth.example.com", kind: "toaster" }, /toaster is not a kind/],
      [{ target: "https://auth.example.com", spec: "2024-01-01" }, /2024-01-01 is not a known revision/],
      [
        { target: "https://auth.example.com", token: "abc" },
        /token is not a parameter.*For a token, run effect-mcp-auth check/
      ],
      [{ target: "https://auth.example.com", access_token: "abc" }, /For a token, run effect-mcp-auth check/],
      [
        { target: "https://auth.example.com/.well-known/openid-configuration", kind: "authorization-server" },
        /URL of a document/
      ]
    ] as const
  )("the query %j", ([query, message]) =>
    Effect.gen(function*() {
      const { body, status } = yield* fetchReport(yield* serve(), query)
      assert.strictEqual(status, 400)
      assert.strictEqual(body.error, "invalid-input")
      assert.match(body.detail!, message)
      assert.notInclude(JSON.stringify(body), "abc")
    }))

  it.live("requests of other sites, and requests for another host name", () =>
    Effect.gen(function*() {
      const { issuer, requests } = yield* TestIssuer.TestIssuer
      const page = yield* serve({ local: true })
      for (const site of ["cross-site", "same-site"]) {
        const { body, status } = yield* fetchReport(page, { target: issuer }, { "sec-fetch-site": site })
        assert.strictEqual(status, 403)
        assert.strictEqual(body.error, "foreign-page")
      }
      const { port } = new URL(page)
      const status = yield* Effect.callback<number>((resume) => {
        request({
          host: "127.0.0.1",
          port,
          path: `/report?target=${encodeURIComponent(issuer)}`,
          headers: { host: "rebound.example.com" }
        }, (response) => {
          response.resume()
          resume(Effect.succeed(response.statusCode!))
        }).end()
      })
      assert.strictEqual(status, 403)
      assert.deepStrictEqual(yield* requests, [])
    }).pipe(Effect.provide(Issuer)))
})

describe("the page", () => {
  it.live("is one document with a content security policy, and has no field for a token", () =>
    Effect.gen(function*() {
      const page = yield* serve()
      const response = yield* Effect.promise(() => fetch(page))
      const html = yield* Effect.promise(() => response.text())
      assert.strictEqual(response.status, 200)
      const policy = response.headers.get("content-security-policy")!
      assert.match(policy, /^default-src 'none'; script-src 'sha256-[^ ]+'; style-src 'sha256-[^ ]+';/)
      assert.notInclude(policy, "unsafe")
      assert.notMatch(
        html,
        /\son[a-z]+=|javascript:|style="|https?:\/\/(?!auth\.example\.com|www\.w3\.org)[a-z0-9]+\.[a-z]+\//
      )
      assert.notMatch(html, /<(?:link rel="stylesheet|script src|img|iframe)/)
      const names = [...html.matchAll(/<(?:input|select|textarea)[^>]*\sname="([^"]*)"/g)].map(([, name]) => name)
      assert.deepStrictEqual([...new Set(names)], ["target", "kind", "spec"])
      assert.notMatch(html, /type="password"/)
    }))

  it.live("serves no other path and no other method than GET and HEAD", () =>
    Effect.gen(function*() {
      const page = yield* serve()
      const status = (path: string, init?: RequestInit) =>
        Effect.promise(() => fetch(`${page}${path}`, init).then((_) => _.status))
      assert.strictEqual(yield* status("etc/passwd"), 404)
      assert.strictEqual(yield* status("", { method: "POST", body: "target=x" }), 405)
      assert.strictEqual(yield* status("report", { method: "DELETE" }), 405)
      assert.strictEqual(yield* status("", { method: "HEAD" }), 200)
    }))

  it.live("listens only on loopback with --local, and reports a port that is in use", () =>
    Effect.gen(function*() {
      const everywhere = yield* Effect.flip(serve({ host: "0.0.0.0", local: true }))
      assert.match(everywhere.message, /Leave out --host or --local/)
      const taken = Number(new URL(yield* serve()).port)
      const again = yield* Effect.flip(serve({ port: taken }))
      assert.strictEqual(again.message, `127.0.0.1, port ${taken}, is already in use. --port 0 selects a free port`)
    }))

  it.live("closes its port with the scope", () =>
    Effect.gen(function*() {
      const page = yield* Effect.scoped(serve())
      const isClosed = yield* Effect.callback<boolean>((resume) => {
        connect(Number(new URL(page).port), "127.0.0.1")
          .on("error", () => resume(Effect.succeed(true)))
          .on("connect", () => resume(Effect.succeed(false)))
      })
      assert.isTrue(isClosed)
    }))
})
