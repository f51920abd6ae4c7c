/** Tests the protection against DNS rebinding: the `Host` headers that are accepted for a loopback resource, and for others. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { bearer, call } from "./cases.ts"
import { type Answer, makeIssuer, optionsOf, type Settings } from "./Host.ts"
import { hosts } from "./hosts.ts"

const wrongHost = {
  status: 403,
  body: JSON.stringify({
    error: "invalid_request",
    error_description: "Requests with this Host header are not allowed"
  })
}

const own = ["localhost", "localhost:3000", "LOCALHOST:1", "127.0.0.1:3000", "127.1.2.3", "[::1]:80", "todos.localhost"]

const foreign = [
  "evil.example",
  "evil.example:3000",
  "localhost.evil.example",
  "evil-localhost",
  "127.0.0.1.evil.example",
  "127.evil.example",
  "128.0.0.1",
  "0.0.0.0:3000",
  "[::2]:80"
]

// No URL can contain these host names, so only a raw `Host` header can send them.
const unspeakable = [
  "",
  "localhost:80:evil",
  "localhost/@evil.example",
  "evil.example@localhost",
  "localhost, localhost",
  "127.0.0.1x"
]

describe.each(hosts)("the Host header, $name", (host) => {
  const start = async (settings: Settings, resource: string) => {
    const { client, issuer } = await makeIssuer(resource)
    const token = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))
    const running = await host.start(optionsOf(issuer.issuer, settings, resource), client)
    const verdict = async (hosts: ReadonlyArray<string>, others: Parameters<typeof call>[2] = [], token_ = token) => {
      await running.ran()
      const { body, headers, status } = await running.send({
        ...call(token_ === "" ? [] : bearer(token_), token_ === "" ? "whoami" : "list_todos", others),
        hosts
      })
      return { status, body: status === 403 ? body : "", ran: await running.ran(), headers }
    }
    return { running, token, verdict }
  }
  type Started = Awaited<ReturnType<typeof start>>

  const rejected = (
    { body, headers, ran, status }: Answer & { readonly ran: ReadonlyArray<string> },
    where: string
  ) => {
    assert.deepStrictEqual({ status, body, ran }, { ...wrongHost, ran: [] }, where)
    assert.notProperty(headers, "www-authenticate", where)
  }

  const overSocket = !["Effect, web handler", "fetch", "SDK v1 on the web transport"].includes(host.name)

  describe("a loopback resource", () => {
    let started: Started
    beforeAll(async () => {
      started = await start({}, "http://localhost:3000/mcp")
    })
    afterAll(() => started.running.stop())

    it("[T-AUD-18a] accepts every name of this machine, with any port, seen before or not", async () => {
      for (const name of [...own, ...own]) {
        const { ran, status } = await started.verdict([name])
        assert.deepStrictEqual([status, ran], [200, ["list_todos alice"]], name)
      }
    })

    it.each(foreign)("[T-AUD-18a] rejects Host %s, also with a token that was just accepted", async (name) => {
      assert.strictEqual((await started.verdict(["localhost"])).status, 200)
      rejected(await started.verdict([name]), "with a token")
      rejected(await started.verdict([name], [], ""), "without a token")
      rejected(await started.verdict([name], [], "garbage"), "with a bad token")
      rejected(await started.verdict([name], [["origin", "http://localhost:3000"]]), "before the origin")
      rejected(await started.verdict([name], [["origin", "https://evil.test"]]), "before a foreign origin")
      rejected(await started.verdict([name], [["x-forwarded-host", "localhost"]]), "X-Forwarded-Host is not read")
      rejected(await started.verdict([name], [["forwarded", "host=localhost"]]), "Forwarded is not read")
    })

    it("[T-AUD-18a] does not read X-Forwarded-Host", async () => {
      assert.strictEqual((await started.verdict(["localhost"], [["x-forwarded-host", "evil.example"]])).status, 200)
    })

    it("[T-AUD-18a] rejects a preflight with a foreign Host", async () => {
      const { body, status } = await started.running.send({
        method: "OPTIONS",
        path: "/mcp",
        hosts: ["evil.example"],
        headers: [["origin", "http://localhost:3000"], ["access-control-request-method", "POST"]]
      })
      assert.deepStrictEqual({ status, body }, wrongHost)
    })

    it("[T-AUD-18a] serves its metadata under every name, since any page may read it anyway", async () => {
      const { headers, status } = await started.running.send({
        method: "GET",
        path: "/.well-known/oauth-protected-resource/mcp",
        hosts: ["evil.example"],
        headers: []
      })
      assert.deepStrictEqual([status, headers["access-control-allow-origin"]], [200, "*"])
    })

    it.runIf(overSocket && host.name !== "workerd").each(unspeakable)(
      "[T-AUD-18a] rejects an invalid Host: %s",
      async (name) => {
        const { ran, status } = await started.verdict([name])
        // A server on fetch answers 400 itself if it cannot create the URL of the request.
        assert.include([400, 403], status)
        assert.deepStrictEqual(ran, [])
      }
    )

    // workerd itself answers two `Host` headers with 500.
    it.skipIf(host.name === "workerd")("[T-AUD-18a] rejects two Host lines, if one of them is foreign", async () => {
      for (const names of [["localhost", "evil.example"], ["evil.example", "localhost"]]) {
        const { ran, status } = await started.verdict(names)
        assert.include([400, 403], status)
        assert.deepStrictEqual(ran, [])
      }
    })
  })

  describe("a loopback resource for anonymous callers", () => {
    let started: Started
    beforeAll(async () => {
      started = await start({ anonymous: "allow-unscoped" }, "http://127.0.0.1:3000/mcp")
    })
    afterAll(() => started.running.stop())

    it("[T-AUD-18a] rejects a foreign Host without credentials", async () => {
      rejected(await started.verdict(["evil.example:3000"], [], ""), "anonymous")
      assert.deepStrictEqual((await started.verdict(["localhost:3000"], [], "")).ran, ["whoami nobody"])
    })
  })

  describe("a loopback resource with other allowed names", () => {
    let started: Started
    beforeAll(async () => {
      started = await start({ allowedHosts: ["todos.internal", "10.0.0.7"] }, "http://localhost:3000/mcp")
    })
    afterAll(() => started.running.stop())

    it("[T-AUD-18b] accepts allowedHosts with any port, and the names of this machine", async () => {
      for (const name of ["todos.internal", "TODOS.internal:8080", "10.0.0.7:3000", "localhost:3000", "127.0.0.1"]) {
        assert.strictEqual((await started.verdict([name])).status, 200, name)
      }
      for (const name of ["internal", "a.todos.internal", "todos.internal.evil.example", "10.0.0.70"]) {
        rejected(await started.verdict([name]), name)
      }
    })
  })

  describe("a resource elsewhere", () => {
    it("[T-AUD-18b] accepts every Host unless allowedHosts is set", async () => {
      const open = await start({}, "https://server.test/mcp")
      assert.strictEqual((await open.verdict(["anything.internal:8080"])).status, 200)
      await open.running.stop()
      const closed = await start({ allowedHosts: ["todos.internal"] }, "https://server.test/mcp")
      for (const name of ["server.test", "server.test:443", "todos.internal:8080"]) {
        assert.strictEqual((await closed.verdict([name])).status, 200, name)
      }
      for (const name of ["evil.example", "localhost", "127.0.0.1:3000"]) rejected(await closed.verdict([name]), name)
      await closed.running.stop()
    })
  })
})
