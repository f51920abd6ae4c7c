import { assert, describe, it } from "@effect/vitest"
import { Effect, type Layer, type Scope } from "effect"
import { FetchHttpClient, type HttpClient } from "effect/http"
import { createServer as createHttpServer } from "node:http"
import { createServer as createHttpsServer, type ServerOptions } from "node:https"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import * as Network from "../../../src/cli/Network.ts"
import type { Lookup } from "../../../src/outbound/AddressGuard.ts"
import * as Probe from "../../../src/provider/probe/Probe.ts"
import { makeCertificate } from "./certificate.ts"

/** Serves on a free port of 127.0.0.1 until the scope closes, and returns the port. */
const listen = (server: Server): Effect.Effect<number, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Set<Socket>>((resume) => {
      const sockets = new Set<Socket>()
      server.on("connection", (socket) => {
        sockets.add(socket.on("error", () => {}))
      })
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(sockets)))
    }),
    (sockets) =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
        server.close()
      })
  ).pipe(Effect.as(undefined), Effect.map(() => (server.address() as AddressInfo).port))

const day = 24 * 60 * 60
const now = Math.floor(Date.now() / 1000)
const tls = (options: ServerOptions) => createHttpsServer(options, (_, response) => response.end("{}"))
const current = { from: now - day, until: now + day }

/** Creates a server that sends these bytes after the first bytes of the client, and closes the connection. */
const answering = (bytes: string | Uint8Array) => createServer((socket) => socket.once("data", () => socket.end(bytes)))
const plain = () => createHttpServer((_, response) => response.end("{}"))

const reject = (code: string): Lookup => (_, __, callback) =>
  callback(Object.assign(new Error(code), { code }), undefined)

/** Sends a request with each client. `fetch` takes no look-up, so failed look-ups are tested with the client of the command. */
const probe = (url: string, lookup?: Lookup) =>
  Effect.forEach(
    [Network.layer({ lookup }), ...(lookup === undefined ? [FetchHttpClient.layer] : [])] as ReadonlyArray<
      Layer.Layer<HttpClient.HttpClient>
    >,
    (client) => Effect.provide(Probe.send(url), client)
  ).pipe(Effect.map((exchanges) => exchanges.map((_) => _._tag === "NoResponse" ? _.detail : `status ${_.status}`)))

/** Sends an https and an http request through a proxy. */
const probeThrough = (proxy: string) => {
  const environment = { NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: proxy, HTTP_PROXY: proxy }
  return Effect.forEach(["https://auth.example.com/", "http://auth.example.com/"], (url) =>
    Effect.map(
      Effect.provide(Probe.send(url), Network.layer({ environment })),
      (_) => _._tag === "NoResponse" ? _.detail : `status ${_.status}`
    ))
}

describe("the cause of a failed connection", () => {
  it.live.each<readonly [string, string, () => Server, RegExp, RegExp?]>([
    [
      "a server without TLS",
      "https",
      plain,
      /^does not use TLS on this port\. If the server expects http, write http \(EPROTO: wrong version number\)$/,
      /^does not use TLS on this port\. .* \(ERR_SSL_WRONG_VERSION_NUMBER\)$/
    ],
    [
      "a server with TLS that closes plain connections",
      "http",
      () => tls(makeCertificate(current)),
      /^closes the connection without a response\. If the server expects TLS, write https \(ECONNRESET\)$/,
      /^closes the connection without a response\. If the server expects TLS, write https \(UND_ERR_SOCKET\)$/
    ],
    [
      "a server with TLS that sends an alert",
      "http",
      () => answering(new Uint8Array([21, 3, 1, 0, 2, 2, 40])),
      /^expects TLS on this port\. Write https \(HPE_INVALID_CONSTANT\)$/,
      /^does not respond with HTTP on this port \(HTTPParserError\)$/
    ],
    [
      "a server with TLS that responds to plain requests with 400",
      "http",
      () =>
        createHttpServer((_, response) =>
          response.writeHead(400).end("<center>The plain HTTP request was sent to HTTPS port</center>")
        ),
      /^expects TLS on this port\. Write https \(400\)$/
    ],
    [
      "a server with a self-signed certificate",
      "https",
      () => tls(makeCertificate(current)),
      /^has a self-signed certificate\. Node trusts it if NODE_EXTRA_CA_CERTS .* \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/
    ],
    [
      "a server with an expired certificate",
      "https",
      () => tls(makeCertificate({ from: now - 3 * day, until: now - day })),
      /^has an expired certificate \(CERT_HAS_EXPIRED\)$/
    ],
    [
      "a server with a certificate that is not valid yet",
      "https",
      () => tls(makeCertificate({ from: now + day, until: now + 2 * day })),
      /^has a certificate that is not valid yet\. .* \(CERT_NOT_YET_VALID\)$/
    ],
    [
      "a server with old versions of TLS",
      "https",
      () =>
        tls({ ...makeCertificate(current), minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" }),
      /^supports no version of TLS that this machine accepts\. .* \(EPROTO: tlsv1 alert protocol version\)$/,
      /^supports no version of TLS that this machine accepts\. .* \(ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION\)$/
    ],
    [
      "a server that rejects the handshake",
      "https",
      () => answering(new Uint8Array([21, 3, 1, 0, 2, 2, 40])),
      /^rejects the TLS handshake \(EPROTO: ssl\/tls alert handshake failure\)$/,
      /^rejects the TLS handshake \(ERR_SSL_/
    ],
    [
      "a server that closes the connection during the handshake",
      "https",
      () => answering(""),
      /^closes the connection during the TLS handshake \(ECONNRESET\)$/
    ],
    [
      "a server of another protocol",
      "http",
      () => answering("SSH-2.0-OpenSSH_9.9\r\n"),
      /^does not respond with HTTP on this port \(HPE_INVALID_CONSTANT\)$/,
      /^does not respond with HTTP on this port \(HTTPParserError\)$/
    ],
    [
      "a server with too many headers",
      "http",
      () => answering(`HTTP/1.1 200 OK\r\n${`x: ${"y".repeat(1000)}\r\n`.repeat(40)}\r\n`),
      /^sends more than 16 KiB of headers, which clients reject \(HPE_HEADER_OVERFLOW\)$/,
      /^sends more than 16 KiB of headers, which clients reject \(UND_ERR_HEADERS_OVERFLOW\)$/
    ],
    [
      "a proxy that requires credentials",
      "http",
      () => createHttpServer((_, response) => response.writeHead(407).end()),
      /^cannot be reached, because the proxy requires a user name and a password \(407\)$/,
      // The error of fetch names no cause.
      /^cannot be reached$/
    ]
  ])("is named for %s", ([, scheme, serve, byNode, byFetch = byNode]) =>
    Effect.gen(function*() {
      const port = yield* listen(serve())
      const [first, second] = yield* probe(`${scheme}://127.0.0.1:${port}/`)
      assert.match(first!, byNode)
      assert.match(second!, byFetch)
    }))

  it.live("is named for a port that accepts no connections", () =>
    Effect.gen(function*() {
      const port = yield* Effect.scoped(listen(createServer()))
      const expected = "does not accept the connection (ECONNREFUSED)"
      assert.deepStrictEqual(yield* probe(`http://127.0.0.1:${port}/`), [expected, expected])
    }))

  it.live.each([
    ["ENOTFOUND", "is not a known host name (ENOTFOUND)"],
    ["EAI_AGAIN", "cannot be resolved. Check the connection of this machine (EAI_AGAIN)"],
    ["ETIMEDOUT", "does not respond (ETIMEDOUT)"],
    ["ENETUNREACH", "cannot be reached from here (ENETUNREACH)"],
    ["EUNHEARDOF", "cannot be reached (EUNHEARDOF)"]
  ])("is named for a look-up that fails with %s", ([code, expected]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* probe("https://auth.example.com", reject(code!)), [expected])
    }))

  it.live.each<readonly [string, () => Server, string, string]>([
    [
      "that requires credentials",
      () => answering("HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"),
      "cannot be reached, because the proxy requires a user name and a password (ERR_PROXY_TUNNEL)",
      "cannot be reached, because the proxy requires a user name and a password (407)"
    ],
    [
      "that rejects the host",
      () => answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"),
      "cannot be reached, because the proxy rejects the connection with 403 (ERR_PROXY_TUNNEL)",
      "status 403"
    ]
  ])("is named for a proxy %s", ([, serve, forHttps, forHttp]) =>
    Effect.gen(function*() {
      const proxy = `http://127.0.0.1:${yield* listen(serve())}`
      assert.deepStrictEqual(yield* probeThrough(proxy), [forHttps, forHttp])
    }))

  it.live.each(["http://127.0.0.1:1", "http://proxy.invalid:3128"])(
    "is named for the proxy %s, which is down",
    (proxy) =>
      Effect.gen(function*() {
        for (const detail of yield* probeThrough(proxy)) {
          assert.match(
            detail,
            /^cannot be reached, because the proxy (?:does not accept the connection|is not a known host name) \(/
          )
        }
      })
  )
})
