import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { AddressGuard } from "effect-mcp-auth/host"
import { HttpClient } from "effect/http"
import { createServer, type IncomingHttpHeaders } from "node:http"
import type { AddressInfo } from "node:net"
import * as Network from "../../src/cli/Network.ts"

/** Serves on a free port of 127.0.0.1 until the scope closes. */
const serve = Effect.acquireRelease(
  Effect.callback<{ readonly port: number; readonly received: Array<IncomingHttpHeaders>; readonly stop: () => void }>(
    (resume) => {
      const received: Array<IncomingHttpHeaders> = []
      const server = createServer((request, response) => {
        received.push(request.headers)
        response.setHeader("location", "http://redirected.example.com/").writeHead(302).end()
      })
      server.listen(0, "127.0.0.1", () =>
        resume(Effect.succeed({
          port: (server.address() as AddressInfo).port,
          received,
          stop: () => {
            server.close()
            server.closeAllConnections()
          }
        })))
    }
  ),
  ({ stop }) => Effect.sync(stop)
)

/** Creates a look-up that returns these answers in turn, and the last one afterwards. Records the names. */
const answeringWith = (...answers: ReadonlyArray<ReadonlyArray<string>>) => {
  const names: Array<string> = []
  const lookup: AddressGuard.Lookup = (name, options, callback) => {
    const addresses = answers[Math.min(names.length, answers.length - 1)]!
    names.push(name)
    assert.isTrue(options.all)
    if (addresses.length === 0) callback(Object.assign(new Error("no address"), { code: "ENOTFOUND" }), undefined)
    else callback(null, addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })))
  }
  return { lookup, names }
}

const status = (url: string) =>
  HttpClient.get(url).pipe(Effect.map((_) => _.status), Effect.catch((error) => Effect.succeed(String(error.cause))))

describe("the network of the command", () => {
  it.live("[T-AUD-40c] connects to the address that the guard has checked, though the address of the name changes", () =>
    Effect.gen(function*() {
      const { port, received } = yield* serve
      // Nothing listens at the second address.
      const { lookup, names } = answeringWith(["127.0.0.1"], ["127.0.0.2"])
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* AddressGuard.reach("rebound.example.com"), "private")
        for (let count = 0; count < 3; count++) {
          assert.strictEqual(yield* status(`http://rebound.example.com:${port}/`), 302)
        }
      }).pipe(Effect.provide(Network.layer({ lookup })))
      assert.strictEqual(received.length, 3)
      assert.deepStrictEqual(names, ["rebound.example.com"])
    }))

  it.live("[T-AUD-40c] connects to no address of a name whose first look-up failed, which the guard takes for public", () =>
    Effect.gen(function*() {
      const { port, received } = yield* serve
      const { lookup, names } = answeringWith([], ["127.0.0.1"])
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* AddressGuard.reach("rebound.example.com"), "public")
        assert.match(String(yield* status(`http://rebound.example.com:${port}/`)), /no address/)
      }).pipe(Effect.provide(Network.layer({ lookup })))
      assert.deepStrictEqual(received, [])
      assert.deepStrictEqual(names, ["rebound.example.com"])
    }))

  it.live("[T-AUD-40e] resolves names below localhost like localhost, so that plain http stays on this machine", () =>
    Effect.gen(function*() {
      const { port } = yield* serve
      const { lookup, names } = answeringWith(["127.0.0.1"])
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* status(`http://mcp.localhost:${port}/`), 302)
        assert.strictEqual(yield* status(`http://localhost:${port}/`), 302)
      }).pipe(Effect.provide(Network.layer({ lookup })))
      assert.deepStrictEqual(names, ["localhost"])
    }))

  it.live("follows no redirect, and sends no trace ids", () =>
    Effect.gen(function*() {
      const { port, received } = yield* serve
      const { lookup, names } = answeringWith(["127.0.0.1"])
      assert.strictEqual(
        yield* Effect.provide(status(`http://a.example.com:${port}/`), Network.layer({ lookup })),
        302
      )
      assert.deepStrictEqual(names, ["a.example.com"])
      assert.strictEqual(received[0]!["user-agent"], "effect-mcp-auth")
    }))
})
