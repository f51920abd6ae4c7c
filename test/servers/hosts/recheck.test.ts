/** Tests tokens that expire or are revoked while the body of a request arrives, or while a stream is open. */
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import type { TestIssuer } from "effect-mcp-auth/testing"
import { ask, bearer, call } from "./cases.ts"
import type { Message } from "./functions.ts"
import { type Given, makeIssuer, optionsOf, type Running, type Sent, startAll } from "./Host.ts"
import { hosts } from "./hosts.ts"

/** Makes the body so long that a server does not buffer all of it before it calls the gate. */
const long = (sent: Sent): Sent => ({ ...sent, body: `${String(sent.body)}${" ".repeat(2000)}` })

const expectRejected = async (running: Running, { headers, status }: Awaited<ReturnType<Running["send"]>>) => {
  assert.deepStrictEqual([status, await running.ran()], [401, []])
  assert.include(headers["www-authenticate"], "error=\"invalid_token\"")
  assert.include(headers["www-authenticate"], "resource_metadata=")
}

/** The servers of a host. Each name states how the server differs from the others. */
const servers = (issuer: string) =>
  ({
    cached: { options: optionsOf(issuer, {}), functions: "none" },
    "not cached": {
      options: optionsOf(issuer, { tokenCache: { capacity: 0 } }),
      functions: "a revocation that is counted"
    },
    tolerant: { options: optionsOf(issuer, { clockTolerance: "2 minutes" }), functions: "none" },
    revocations: { options: optionsOf(issuer, {}), functions: "a list of revocations" },
    switched: { options: optionsOf(issuer, {}), functions: "a verifier and a revocation that the test switches" }
  }) as const satisfies Record<string, Given>

type Servers = Readonly<Record<keyof ReturnType<typeof servers>, Running>>

describe.each(hosts)("$name", (host) => {
  let served: Servers
  let issuer: TestIssuer.TestIssuer["Service"]
  beforeAll(async () => {
    const made = await makeIssuer()
    issuer = made.issuer
    const given = servers(issuer.issuer)
    const running = await startAll(host, Object.values(given), made.client)
    served = Object.fromEntries(Object.keys(given).map((name, index) => [name, running[index]!])) as unknown as Servers
  })
  afterAll(() => Promise.all(Object.values(served).map((_) => _.stop())))

  const mint = (given: Parameters<typeof issuer.mint>[0] = {}) =>
    Effect.runPromise(issuer.mint({ scopes: ["todos:read"], ...given }))

  describe.skipIf(host.readsBodyFirst === true)("when the body is complete", () => {
    let start: number
    beforeEach(() => {
      start = Date.now()
      vi.useFakeTimers({ toFake: ["Date"], now: start })
    })
    // Runs after a failed test, too, so that the next test begins with the usual clock, verifier and revocation.
    afterEach(async () => {
      vi.useRealTimers()
      await served.cached.tell({ clock: 0 })
      await served.switched.tell({ verifier: "unchanged" })
      await served.switched.tell({ revocation: "valid" })
      for (const running of Object.values(served)) await running.ran()
    })

    /** Moves the wall clock forward, in this process and in the process of workerd. */
    const advance = async (millis: number) => {
      vi.setSystemTime(Date.now() + millis)
      await served.cached.tell({ clock: Date.now() - start })
    }

    /** Calls once, so that the token is cached. The next call with it is authenticated as soon as its headers arrive. */
    const cache = async (running: Running, token: string) => {
      assert.strictEqual((await running.send(call(bearer(token), "list_todos"))).status, 200)
      await running.ran()
    }

    /** Sends the headers of a call, then runs `meanwhile`, then sends the body. */
    const during = async (running: Running, token: string, meanwhile: () => Promise<void>, name = "list_todos") => {
      const before = await running.checks()
      const held = await running.hold(long(call(bearer(token), name)))
      while (running === served["not cached"] && await running.checks() === before) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      await meanwhile()
      return held.finish()
    }

    it.each(["cached", "not cached"] as const)(
      "[T-AUD-07a] rejects a token that expired meanwhile with 401, %s",
      async (cached) => {
        const running = served[cached]
        for (const name of ["list_todos", "add_todo"]) {
          const token = await mint({ expiresIn: "1 minute" })
          await cache(running, token)
          assert.strictEqual((await during(running, token, async () => {})).status, 200)
          await running.ran()
          await expectRejected(running, await during(running, token, () => advance(60_000), name))
        }
      }
    )

    it("[T-AUD-07d] applies the tolerance of verification, and no more", async () => {
      const running = served.tolerant
      const token = await mint({ expiresIn: "1 minute" })
      await cache(running, token)
      const within = await during(running, token, () => advance(120_000))
      assert.deepStrictEqual([within.status, await running.ran()], [200, ["list_todos alice"]])
      await expectRejected(running, await during(running, token, () => advance(60_000)))
    })

    it("[T-AUD-07b] rejects a token that was revoked meanwhile with 401", async () => {
      const running = served.revocations
      const token = await mint()
      await cache(running, token)
      await expectRejected(running, await during(running, token, () => running.tell({ revoke: { token } })))
    })

    it.each([["revoked", 401], ["throws", 500]] as const)(
      "[T-AUD-07b] checks revocation again, whose result has become: %s",
      async (revocation, expected) => {
        const running = served.switched
        const token = await mint()
        await cache(running, token)
        const { status } = await during(running, token, () => running.tell({ revocation }))
        assert.deepStrictEqual([status, await running.ran()], [expected, []])
      }
    )

    it("[T-AUD-07c] verifies a token again that was invalidated meanwhile, and no other token", async () => {
      const running = served.switched
      const token = await mint()
      const then = async (...messages: ReadonlyArray<Message>) => {
        await cache(running, token)
        const answer = await during(running, token, async () => {
          for (const message of messages) await running.tell(message)
        })
        await running.tell({ verifier: "unchanged" })
        return answer
      }
      const of = (subject: string): Message => ({ invalidate: { issuer: issuer.issuer, subject } })
      assert.strictEqual((await then(of("alice"))).status, 200)
      assert.strictEqual((await then({ verifier: "rejected" }, of("bob"))).status, 200)
      await running.ran()
      await expectRejected(running, await then({ verifier: "rejected" }, of("alice")))
      await expectRejected(running, await then({ verifier: "without scopes" }, of("alice")))
      await expectRejected(running, await then({ verifier: "rejected" }, { invalidate: { token } }))
    })
  })

  describe("an open stream", () => {
    const opening = (token: string): Sent =>
      host.streams === "GET"
        ? { method: "GET", path: "/mcp", headers: [...bearer(token), ["accept", "text/event-stream"]] }
        : ask(bearer(token), "subscriptions/listen", { notifications: { toolsListChanged: true } })

    it("[T-AUD-03e] ends when its token is revoked, and no other stream does", async () => {
      const running = served.revocations
      const open = async (clientId: string, subject: string) => {
        const opened = await running.open(opening(await mint({ clientId, subject })))
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
      await running.tell({ revoke: { issuer: issuer.issuer, client: "client-1" } })
      await one.ended
      assert.deepStrictEqual([two.isEnded, three.isEnded], [false, false])
      await running.tell({ revoke: { issuer: issuer.issuer, subject: "alice" } })
      await two.ended
      assert.isFalse(three.isEnded)
    })
  })
})
