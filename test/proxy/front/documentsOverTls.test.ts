/** The documents of clients over real TLS on loopback. The name of the server resolves there, and its certificate is trusted, in this test only. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type * as AddressGuard from "../../../src/outbound/AddressGuard.ts"
import type * as nodeFetcher from "../../../src/outbound/NodeFetcher.ts"
import * as clientDocuments from "../../../src/proxy/front/ClientDocuments.ts"
import * as documentFetcher from "../../../src/proxy/front/internal/documentFetcher.ts"

const host = "app.example.com"

const makeCertificate = () => {
  const folder = mkdtempSync(join(tmpdir(), "documents-"))
  try {
    const made = spawnSync("openssl", [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(" "),
      "-subj",
      `/CN=${host}`,
      "-addext",
      `subjectAltName=DNS:${host}`,
      "-keyout",
      join(folder, "key.pem"),
      "-out",
      join(folder, "cert.pem")
    ])
    assert.strictEqual(made.status, 0, String(made.stderr))
    return { key: readFileSync(join(folder, "key.pem")), cert: readFileSync(join(folder, "cert.pem")) }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const toLoopback: AddressGuard.Lookup = (_, options, callback) =>
  options.all === true ? callback(null, [{ address: "127.0.0.1", family: 4 }]) : callback(null, "127.0.0.1", 4)

it.live("the document of a client arrives over TLS if the certificate is valid for its host, and attack 72: no redirect", () =>
  Effect.gen(function*() {
    const { cert, key } = makeCertificate()
    const paths: Array<string> = []
    const server = https.createServer({ cert, key }, (req, res) => {
      paths.push(req.url!)
      if (req.url === "/moved") {
        res.writeHead(302, { location: "/client" }).end()
        return
      }
      res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({
        client_id: `https://${req.headers.host}${req.url}`,
        client_name: "App",
        redirect_uris: ["http://127.0.0.1/callback"],
        token_endpoint_auth_method: "none"
      }))
    })
    yield* Effect.acquireRelease(
      Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
      () => Effect.promise(() => new Promise<void>((resolve) => server.close(() => resolve())))
    )
    const { port } = server.address() as AddressInfo
    const fetcherWith = (options: Readonly<Record<string, unknown>>) =>
      documentFetcher.make({ http, https } as unknown as nodeFetcher.Modules, toLoopback, options)
    const trusting = yield* clientDocuments.make(fetcherWith({ ca: cert }), [])
    const url = `https://${host}:${port}/client`
    const client = yield* trusting.find(url)
    assert.strictEqual(client.id, url)
    assert.deepStrictEqual(paths, ["/client"])
    yield* Effect.flip(trusting.find(`https://${host}:${port}/moved`))
    assert.deepStrictEqual(paths, ["/client", "/moved"])

    // Another host has no certificate here, and without the option no one trusts this one: no request reaches the server.
    const other = yield* Effect.flip(trusting.find(`https://other.example.com:${port}/client`))
    assert.strictEqual(other.reason, "unavailable")
    const strict = yield* clientDocuments.make(fetcherWith({}), [])
    assert.strictEqual((yield* Effect.flip(strict.find(url))).reason, "unavailable")
    assert.deepStrictEqual(paths, ["/client", "/moved"])
  }))
