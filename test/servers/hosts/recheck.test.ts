import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Revocations } from "effect-mcp-auth"
import { ask, bearer, call } from "./cases.ts"
import { makeIssuer, type Options, optionsOf, type Running, type Sent } from "./Host.ts"
import { hosts } from "./hosts.ts"

/** A list in memory, as an object that options take. */
const makeRevocations = () => {
  const entries = new Map<string, object>()
  return Revocations.make({
    getMany: (keys) => Effect.sync(() => keys.map((key) => entries.get(key)) as never),
    set: (key, value) => Effect.sync(() => void entries.set(key, value))
  })
}

/** Long enough that no server in front reads it first. */
const long = (sent: Sent): Sent => ({ ...sent, body: `${String(sent.body)}${" ".repeat(2000)}` })

const start = async (host: (typeof hosts)[number], options: object = {}) => {
  const { client, issuer } = await makeIssuer()
  const running: Running = await host.start({ ...optionsOf(issuer.issuer, {}), ...options } as Options, client)
  const mint = (given: Parameters<typeof issuer.mint>[0] = {}) => Effect.runPromise(issuer.mint(given))
  return { running, issuer, mint }
}

const inProcess = hosts.filter(({ name }) => name !== "workerd")

describe.each(inProcess)("$name, the body complete", (host) => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it.each(["cached", "not cached"])("[T-AUD-07a] a token that expired meanwhile is 401, %s", async (cached) => {
    const { mint, running } = await start(host, cached === "cached" ? {} : { tokenCache: { capacity: 0 } })
    const token = await mint({ scopes: ["todos:read"], expiresIn: "1 minute" })
    assert.strictEqual((await running.send(call(bearer(token), "list_todos"))).status, 200)
    await running.ran()
    const good = await running.hold(long(call(bearer(token), "list_todos")))
    assert.strictEqual((await good.finish()).status, 200)
    await running.ran()
    for (const name of ["list_todos", "add_todo"]) {
      const held = await running.hold(long(call(
        bearer(
          await mint({
            scopes: ["todos:read"],
            expiresIn: "1 minute"
          })
        ),
        name
      )))
      vi.setSystemTime(Date.now() + 60_000)
      const { headers, status } = await held.finish()
      assert.deepStrictEqual([status, await running.ran()], [401, []])
      assert.include(headers["www-authenticate"], "error=\"invalid_token\"")
      assert.include(headers["www-authenticate"], "resource_metadata=")
    }
    const known = await mint({ scopes: ["todos:read"], expiresIn: "1 minute" })
    assert.strictEqual((await running.send(call(bearer(known), "list_todos"))).status, 200)
    await running.ran()
    const held = await running.hold(long(call(bearer(known), "list_todos")))
    vi.setSystemTime(Date.now() + 60_000)
    assert.deepStrictEqual([(await held.finish()).status, await running.ran()], [401, []])
    await running.stop()
  })

  it("[T-AUD-07b] a token that was revoked meanwhile is 401", async () => {
    const revocations = makeRevocations()
    const { mint, running } = await start(host, { revocation: revocations })
    const token = await mint({ scopes: ["todos:read"] })
    assert.strictEqual((await running.send(call(bearer(token), "list_todos"))).status, 200)
    await running.ran()
    const held = await running.hold(long(call(bearer(token), "list_todos")))
    await Effect.runPromise(revocations.revoke({ token: Redacted.make(token) }))
    const { headers, status } = await held.finish()
    assert.deepStrictEqual([status, await running.ran()], [401, []])
    assert.include(headers["www-authenticate"], "error=\"invalid_token\"")
    await running.stop()
  })

  it("[T-AUD-07b] a function is asked again, and its outage is 503", async () => {
    let answer: Effect.Effect<boolean, never> | "throw" = Effect.succeed(false)
    const { mint, running } = await start(host, {
      revocation: () => {
        if (answer === "throw") throw new Error("broken")
        return answer
      }
    })
    const token = await mint({ scopes: ["todos:read"] })
    for (const [then, expected] of [[Effect.succeed(true), 401], ["throw", 500]] as const) {
      answer = Effect.succeed(false)
      const held = await running.hold(long(call(bearer(token), "list_todos")))
      answer = then
      assert.deepStrictEqual([(await held.finish()).status, await running.ran()], [expected, []])
    }
    await running.stop()
  })
})

const opening = (host: (typeof hosts)[number], token: string): Sent =>
  host.streams === "GET"
    ? { method: "GET", path: "/mcp", headers: [...bearer(token), ["accept", "text/event-stream"]] }
    : ask(bearer(token), "subscriptions/listen", { notifications: { toolsListChanged: true } })

describe.each(hosts)("$name, an open stream", (host) => {
  it("[T-AUD-03e] ends when its token is revoked, and no other stream does", async () => {
    const revocations = makeRevocations()
    const { issuer, mint, running } = await start(host, { revocation: revocations })
    const revoke = async (target: Revocations.Target) => {
      if (host.name !== "workerd") return Effect.runPromise(revocations.revoke(target))
      await running.send({ method: "POST", path: "/revoke", headers: [], body: JSON.stringify(target) })
    }
    const open = async (clientId: string, subject: string) => {
      const opened = await running.open(opening(host, await mint({ scopes: ["todos:read"], clientId, subject })))
      assert.strictEqual(opened.status, 200)
      const stream = { ...opened, isEnded: false }
      void opened.ended.then(() => {
        stream.isEnded = true
      }, () => {})
      return stream
    }
    const one = await open("client-1", "alice")
    const two = await open("client-2", "alice")
    const three = await open("client-3", "bob")
    await revoke({ issuer: issuer.issuer, client: "client-1" })
    await one.ended
    assert.deepStrictEqual([two.isEnded, three.isEnded], [false, false])
    await revoke({ issuer: issuer.issuer, subject: "alice" })
    await two.ended
    assert.isFalse(three.isEnded)
    await running.stop()
  })
})
