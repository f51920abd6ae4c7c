import { afterAll, assert, beforeAll, describe, it, onTestFinished, vi } from "@effect/vitest"
import { Effect } from "effect"
import type { TestIssuer } from "effect-mcp-auth/testing"
import { ask, bearer, call, type Case, cases as tokenCases, mint, ownHeaders, raw, type Tokens } from "./cases.ts"
import { challengeCases } from "./challengeCases.ts"
import { denialCases } from "./denialCases.ts"
import {
  type Answer,
  type Host,
  makeIssuer,
  optionsOf,
  origin,
  type Running,
  type Sent,
  type Settings
} from "./Host.ts"
import { hosts } from "./hosts.ts"
import { keyCases } from "./keyCases.ts"
import * as Keys from "./keys.ts"

interface Bench {
  readonly running: Running
  readonly issuer: TestIssuer.TestIssuer["Service"]
  readonly tokens: Tokens
}

const setUp = async (host: Host, settings: Settings, outage: boolean): Promise<Bench> => {
  const { client, issuer } = await makeIssuer()
  if (outage) await Effect.runPromise(issuer.fail({ _tag: "Status", status: 500 }))
  const running = await host.start(optionsOf(issuer.issuer, settings), client)
  return { running, issuer, tokens: await mint(issuer) }
}

const own = (headers: Answer["headers"]) =>
  Object.fromEntries(ownHeaders.flatMap((name) => headers[name] === undefined ? [] : [[name, headers[name]]]))

const play = async ({ endOfSession = 204 }: Host, { running, tokens }: Bench, { steps }: Case) => {
  const answers: Array<Answer> = []
  await running.ran()
  for (const [index, { expected, sent }] of steps(tokens).entries()) {
    const answer = await running.send(typeof sent === "function" ? sent(answers) : sent)
    answers.push(answer)
    const lines = await running.ran()
    const where = `step ${index + 1}`
    if ("ran" in expected) {
      const status = expected.status === 204 ? endOfSession : expected.status ?? 200
      assert.deepStrictEqual([answer.status, lines], [status, expected.ran], `${where}: ${answer.body}`)
      assert.isUndefined(answer.headers["www-authenticate"], where)
    } else {
      const { body, headers, status } = expected
      assert.deepStrictEqual({ status: answer.status, headers: own(answer.headers), body: answer.body }, {
        status,
        headers,
        body
      }, where)
      assert.deepStrictEqual(lines, [], `${where}: nothing runs that was rejected`)
    }
  }
}

const cases: ReadonlyArray<Case> = [...tokenCases, ...keyCases, ...challengeCases, ...denialCases]

/** A key for the settings of a case. Cases with the same key share a server. */
const keyOf = ({ outage, settings }: Case) => JSON.stringify([settings ?? {}, outage ?? false])

type Lines = ReadonlyArray<readonly [string, string]>

/** A request that opens a stream. */
const opening = ({ streams }: Host, credentials: Lines): Sent =>
  streams === "GET"
    ? { method: "GET", path: "/mcp", headers: [...credentials, ["accept", "text/event-stream"]] }
    : ask(credentials, "subscriptions/listen", { notifications: { toolsListChanged: true } })

describe.each(hosts)("$name", (host) => {
  for (const key of new Set(cases.map(keyOf))) {
    const [settings, outage] = JSON.parse(key) as [Settings, boolean]
    describe(key, () => {
      let bench: Bench
      beforeAll(async () => {
        bench = await setUp(host, settings, outage)
      })
      afterAll(() => bench.running.stop())
      it.each(cases.filter((row) => keyOf(row) === key && row.notOn !== host.name))(
        "$title",
        (row) => play(host, bench, row)
      )
    })
  }

  describe("metadata", () => {
    let bench: Bench
    beforeAll(async () => {
      bench = await setUp(host, { mirrorMetadata: true }, false)
    })
    afterAll(() => bench.running.stop())

    const paths = ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"]
    const document = {
      resource: "https://server.test/mcp",
      authorization_servers: ["https://issuer.test"],
      scopes_supported: ["todos:read"],
      bearer_methods_supported: ["header"]
    }

    it.each(paths)("PRM-08 PRM-17 %s is public", async (path) => {
      const { body, headers, status } = await bench.running.send({ method: "GET", path, headers: [["origin", "null"]] })
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(JSON.parse(body), document)
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(headers["cache-control"], "public, max-age=3600")
      assert.strictEqual(headers["access-control-allow-origin"], "*")
    })

    it.each(paths)("PRM-11 PRM-13 %s answers other methods", async (path) => {
      const head = await bench.running.send({ method: "HEAD", path, headers: [] })
      assert.deepStrictEqual([head.status, head.body, head.headers["content-type"]], [200, "", "application/json"])
      const post = await bench.running.send({ method: "POST", path, headers: [], body: "{}" })
      assert.deepStrictEqual([post.status, post.body, post.headers["allow"]], [405, "", "GET, HEAD, OPTIONS"])
      const preflight = await bench.running.send({
        method: "OPTIONS",
        path,
        headers: [["origin", origin], ["access-control-request-method", "GET"]]
      })
      assert.deepStrictEqual(
        [preflight.status, preflight.headers["access-control-allow-methods"]],
        [204, "GET, HEAD"]
      )
    })

    it("mirrors the authorization server's metadata for clients of 2025-03-26, with unchanged members", async () => {
      await Effect.runPromise(bench.issuer.publishMetadata({ a_member_of_its_own: { deep: [1, null] } }))
      const { body, headers, status } = await bench.running.send({
        method: "GET",
        path: "/.well-known/oauth-authorization-server",
        headers: []
      })
      assert.strictEqual(status, 200)
      assert.strictEqual(headers["content-type"], "application/json")
      assert.strictEqual(headers["access-control-allow-origin"], "*")
      const published = await Effect.runPromise(
        bench.issuer.respond(new Request("https://issuer.test/.well-known/oauth-authorization-server"))
      )
      assert.deepStrictEqual(JSON.parse(body), await published.json())
      assert.deepStrictEqual(JSON.parse(body).a_member_of_its_own, { deep: [1, null] })
    })
  })

  it("the metadata of a server without scopes have no scopes_supported", async () => {
    const bench = await setUp(host, { isWithoutScopes: true }, false)
    const path = "/.well-known/oauth-protected-resource/mcp"
    const { body, status } = await bench.running.send({ method: "GET", path, headers: [] })
    await bench.running.stop()
    assert.strictEqual(status, 200)
    assert.deepStrictEqual(JSON.parse(body), {
      resource: "https://server.test/mcp",
      authorization_servers: ["https://issuer.test"],
      bearer_methods_supported: ["header"]
    })
  })

  describe("the copy of the metadata", () => {
    it("is unavailable while the authorization server is", async () => {
      const bench = await setUp(host, { mirrorMetadata: true }, true)
      const { body, headers, status } = await bench.running.send({
        method: "GET",
        path: "/.well-known/oauth-authorization-server",
        headers: []
      })
      await bench.running.stop()
      assert.strictEqual(status, 503)
      assert.strictEqual(headers["retry-after"], "1")
      assert.strictEqual(headers["access-control-allow-origin"], "*")
      assert.strictEqual(JSON.parse(body).error, "temporarily_unavailable")
    })

    it("does not exist unless the option is set", async () => {
      const bench = await setUp(host, {}, false)
      const { status } = await bench.running.send({
        method: "GET",
        path: "/.well-known/oauth-authorization-server",
        headers: []
      })
      await bench.running.stop()
      assert.include([401, 404], status)
    })
  })

  it("ends a stream that the server keeps open when the token ends, and lets the caller open another", async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ["Date"], now: start })
    onTestFinished(() => void vi.useRealTimers())
    // An open stream also checks the wall clock at the revocation interval.
    const bench = await setUp(host, { revocationInterval: "1 second" }, false)
    const token = await Effect.runPromise(bench.issuer.mint({ scopes: ["todos:read"], expiresIn: "1 minute" }))
    const { ended, first, status } = await bench.running.open(opening(host, bearer(token)))
    assert.strictEqual(status, 200)
    assert.notStrictEqual(first, "")
    vi.setSystemTime(start + 60_000)
    await bench.running.tell({ clock: 60_000 })
    await ended
    assert.strictEqual((await bench.running.send(call(bearer(token), "whoami"))).status, 401)
    assert.strictEqual((await bench.running.send(call(bearer(bench.tokens.reader), "whoami"))).status, 200)
    await bench.running.stop()
  })

  const key = (value: string): Lines => [["x-api-key", value]]

  it.runIf(host.name === "workerd")(
    "[T-STREAM-01] counts no streams in Workers, where a client leaves unnoticed",
    async () => {
      const bench = await setUp(host, { streamsPerCaller: 1 }, false)
      for (let count = 0; count < 3; count++) {
        const { close, status } = await bench.running.open(opening(host, bearer(bench.tokens.reader)))
        assert.strictEqual(status, 200)
        close()
      }
      await bench.running.stop()
    }
  )

  const isCounted = host.name !== "workerd"

  // Each kind of caller opens two streams, and is then bound. No caller takes the streams of another one.
  it.runIf(isCounted)(
    "[T-STREAM-01] rejects a caller with too many open streams before its body is read, until it closes one",
    async () => {
      const bench = await setUp(host, {
        anonymous: "allow-unscoped",
        streamsPerCaller: 2,
        apiKeys: { header: "x-api-key" }
      }, false)
      const { running, tokens } = bench
      const statusOf = async (credentials: Lines) => (await running.send(call(credentials, "whoami"))).status
      for (
        const [credentials, same, other] of [
          [bearer(tokens.reader), bearer(tokens.otherClient), bearer(tokens.bob)],
          [key(Keys.reader), key(Keys.writer), bearer(tokens.bob)]
        ] as const
      ) {
        const one = await running.open(opening(host, credentials))
        const two = await running.open(opening(host, credentials))
        assert.deepStrictEqual([one.status, two.status], [200, 200])
        await running.ran()
        for (const bound of [credentials, same]) {
          const answer = await running.send(raw(bound, "{"))
          assert.deepStrictEqual([answer.status, answer.headers["retry-after"]], [429, "10"], answer.body)
          assert.strictEqual((await running.send(opening(host, bound))).status, 429)
        }
        assert.deepStrictEqual(await running.ran(), [])
        assert.deepStrictEqual([await statusOf(other), await statusOf([])], [200, 200])
        one.close()
        await vi.waitFor(async () => assert.strictEqual(await statusOf(credentials), 200))
        two.close()
      }
      await running.stop()
    }
  )
})
