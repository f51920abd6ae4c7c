import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Result, Schema } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import * as AllowedHosts from "../../src/authorization/AllowedHosts.ts"
import { gateLayer } from "../servers/gates.ts"

const allows = (resource: string, hosts?: ReadonlyArray<string>) => (host: string) =>
  AllowedHosts.make(resource, hosts)?.(host)

const build = Effect.fnUntraced(function*(resource: string, allowedHosts: unknown) {
  const { client } = yield* TestIssuer.make()
  const logs: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    logs.push(`${logLevel}: ${String(message)}`)
  })
  const layer = gateLayer({
    resource,
    authorizationServers: ["https://issuer.test"],
    scopes: ["a"],
    allowedHosts: allowedHosts as ReadonlyArray<string>
  }).pipe(
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
    Layer.provide(Logger.layer([logger]))
  )
  const exit = yield* Effect.exit(Effect.scoped(Layer.build(layer)))
  return { exit, logs }
})

describe("AllowedHosts", () => {
  it("[T-AUD-18a] a loopback resource accepts only loopback hosts", () => {
    for (
      const resource of ["http://localhost/mcp", "http://127.0.0.1:3000", "https://[::1]/", "http://a.localhost:1/"]
    ) {
      for (
        const host of ["localhost", "a.b.localhost:1", "LocalHost:65535", "127.0.0.1", "127.255.0.1:8", "[::1]:80"]
      ) {
        assert.isTrue(allows(resource)(host), host)
      }
      const foreign = [
        "",
        "evil.test",
        "localhost.",
        "localhost.evil.test",
        "xlocalhost",
        "127.0.0.1.evil.test",
        "127.0.0.1 ",
        " localhost",
        "localhost:",
        "localhost:x",
        "localhost:123456",
        "localhost, localhost",
        "user@localhost",
        "localhost/",
        "localhost#",
        "localhost\\evil.test",
        "ｌocalhost",
        "localhoſt",
        "[::1]evil.test",
        "[::ffff:127.0.0.1]",
        "::1",
        "0.0.0.0",
        "127.1",
        "2130706433"
      ]
      for (const host of foreign) assert.isFalse(allows(resource)(host), host)
    }
  })

  it("[T-AUD-18b] any other resource accepts every host unless allowedHosts is set", () => {
    assert.isUndefined(AllowedHosts.make("https://todos.test/mcp", undefined))
    const listed = allows("https://todos.test/mcp", ["a.internal", "[fd00::1]", "10.0.0.7"])
    for (const host of ["todos.test", "TODOS.test:443", "a.internal:8080", "[fd00::1]:80", "[FD00::1]", "10.0.0.7"]) {
      assert.isTrue(listed(host), host)
    }
    for (const host of ["localhost", "127.0.0.1", "b.internal", "x.a.internal", "[fd00::2]", "todos.test:80:80", ""]) {
      assert.isFalse(listed(host), host)
    }
    assert.isTrue(allows("https://todos.test/mcp", [])("todos.test"))
    assert.isFalse(allows("https://todos.test/mcp", [])("evil.test"))
  })

  it.prop(
    "[T-AUD-18a] rejects a host with a suffix that is not a port",
    { tail: Schema.String, host: Schema.Literals(["localhost", "[::1]"]) },
    ({ host, tail }) => allows("http://localhost/mcp")(host + tail) === /^(?::\d{1,5})?$/.test(tail),
    { arbitrary: { runs: 500 } }
  )

  it("[T-AUD-18a] decides in time that grows linearly with the length of the host", () => {
    for (const host of ["a.".repeat(500_000), `${"a".repeat(1_000_000)}.localhost:`, ":1".repeat(500_000)]) {
      assert.isFalse(allows("http://localhost/mcp", ["b"])(host))
    }
  })

  it.effect.each([
    "todos.internal",
    ["http://todos.internal"],
    ["todos.internal:8080"],
    ["todos.internal/"],
    ["*.internal"],
    ["*"],
    ["Todos.internal"],
    ["a b"],
    ["a@b"],
    [""],
    [1],
    [undefined],
    [null]
  ])("[T-AUD-18b] rejects allowedHosts %j and says what to write", (allowedHosts) =>
    Effect.gen(function*() {
      const { exit } = yield* build("http://localhost/mcp", allowedHosts)
      const error = Result.getOrThrow(Exit.findError(exit))
      assert.include(String(error), "allowedHosts")
      assert.include(String(error), "host.docker.internal")
    }))

  it.effect("[T-AUD-18b] logs names that extend a loopback resource when the layer is built", () =>
    Effect.gen(function*() {
      const extended = yield* build("http://localhost/mcp", ["todos.internal"])
      assert.isTrue(Exit.isSuccess(extended.exit))
      assert.lengthOf(extended.logs, 1)
      assert.match(extended.logs[0]!, /^Warn: allowedHosts .*http:\/\/localhost\/mcp.*todos\.internal/)
      for (
        const [resource, hosts] of [["https://todos.test/mcp", ["a.test"]], [
          "http://localhost/mcp",
          undefined
        ]] as const
      ) {
        assert.deepStrictEqual((yield* build(resource, hosts)).logs, [])
      }
    }))
})
