/** Tests what a client observes on every server adapter if the authorization server has a fault. */
import { afterAll, afterEach, assert, beforeAll, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { bearer, call } from "./cases.ts"
import type { Name } from "./functions.ts"
import { type Answer, type Host, makeIssuer, optionsOf, resource, type Running, startAll } from "./Host.ts"
import { hosts } from "./hosts.ts"

const run = Effect.runPromise

const attack = "\u001b[2J\r\nx-injected: 1\u202e"

/**
 * The keys are the names of the authorization servers. For each of them, there is a separate server that trusts only it. The
 * value names the functions of `functions.ts` that this server is configured with.
 */
const functionsOf = {
  sound: "a list of decisions",
  rotating: "none",
  empty: "none",
  repaired: "none",
  hostile: "a list of decisions",
  busy: "introspection at busy.test",
  rejecting: "introspection at rejecting.test"
} as const satisfies Record<string, Name>

type Issuer = keyof typeof functionsOf

const names = Object.keys(functionsOf) as ReadonlyArray<Issuer>

const makeIssuers = async () => {
  const [first, ...others] = names
  const made = await Promise.all(
    others.map(async (name) =>
      [name, (await run(TestIssuer.make({ issuer: `https://${name}.test`, resource }))).issuer] as const
    )
  )
  const { client, issuer } = await run(
    TestIssuer.make({ issuer: `https://${first}.test`, resource, others: made.map(([, issuer]) => issuer) })
  )
  const issuers = Object.fromEntries([[first, issuer], ...made]) as Record<Issuer, TestIssuer.TestIssuer["Service"]>
  await run(issuers.empty.publishKeys([]))
  await run(issuers.repaired.publishMetadata({ jwks_uri: "https://@repaired.test/jwks" }))
  await run(issuers.hostile.publishMetadata({ issuer: `https://hostile.test/${attack}` }))
  await run(issuers.busy.fail({ _tag: "Status", status: 429, headers: { "retry-after": "7" } }, "/introspect"))
  await run(issuers.rejecting.respondWith("/introspect", () => Response.json({ active: false }, { status: 401 })))
  return { client, issuers }
}

/**
 * Asserts a 503 without a challenge, since signing in again does not end an outage. Returns `Retry-After`, in seconds.
 */
const expectOutage = ({ body, headers, status }: Answer): number => {
  assert.strictEqual(status, 503)
  assert.deepStrictEqual(JSON.parse(body), {
    error: "temporarily_unavailable",
    error_description: "Access tokens cannot be checked at the moment; try again later"
  })
  assert.notProperty(headers, "www-authenticate")
  assert.notProperty(headers, "x-injected")
  assert.match(headers["retry-after"] ?? "", /^\d+$/)
  return Number(headers["retry-after"])
}

const expectInvalid = ({ headers, status }: Answer) => {
  assert.strictEqual(status, 401)
  assert.include(headers["www-authenticate"], "error=\"invalid_token\"")
  assert.notProperty(headers, "retry-after")
}

describe.each(hosts)("$name", (host) => {
  let issuers: Awaited<ReturnType<typeof makeIssuers>>["issuers"]
  let servers: ReadonlyMap<Issuer, Running>
  beforeAll(async () => {
    const made = await makeIssuers()
    issuers = made.issuers
    const given = names.map((name) => ({
      options: optionsOf(issuers[name].issuer, {}),
      functions: functionsOf[name]
    }))
    const running = await startAll(host, given, made.client)
    servers = new Map(names.map((name, index) => [name, running[index]!]))
  })
  afterAll(() => Promise.all([...servers.values()].map((_) => _.stop())))

  const send = (name: Issuer, token: string) => servers.get(name)!.send(call(bearer(token), "list_todos"))
  const ran = (name: Issuer) => servers.get(name)!.ran()
  const mint = (name: Issuer, options: TestIssuer.TokenOptions = {}) =>
    run(issuers[name].mint({ scopes: ["todos:read"], ...options }))

  it("[T-AUD-10b] an introspection endpoint that is overloaded is a 503 with its Retry-After", async () => {
    const token = await run(issuers.busy.mintOpaque({ scopes: ["todos:read"] }))
    assert.strictEqual(expectOutage(await send("busy", token)), 7)
    assert.deepStrictEqual(await ran("busy"), [])
  })

  it("[T-AUD-10g] an introspection endpoint that answers 401 about an inactive token does not cause an outage", async () => {
    const token = await run(issuers.rejecting.mintOpaque({ scopes: ["todos:read"] }))
    expectInvalid(await send("rejecting", token))
    assert.deepStrictEqual(await ran("rejecting"), [])
  })

  it("[T-AUD-14b] metadata that commands a terminal is an outage, and none of its text is in the answer", async () => {
    const answer = await send("hostile", await mint("hostile"))
    expectOutage(answer)
    assert.notInclude(JSON.stringify(answer), "x-injected")
    const heard = await servers.get("hostile")!.decisions()
    assert.deepStrictEqual(heard.map(({ reason, status }) => [reason, status]), [["wrong-issuer", 503]])
  })

  it("[T-AUD-14c] a subject that commands a terminal reaches the decision listener escaped", async () => {
    const token = await mint("sound", { subject: "alice\u202e\u2028" })
    assert.strictEqual((await send("sound", token)).status, 200)
    const [heard] = await servers.get("sound")!.decisions()
    assert.strictEqual(heard?.subject, "alice\\u202e\\u2028")
    for (const control of ["\u001b[2J", "\u009b2J"]) {
      expectInvalid(await send("sound", await mint("sound", { subject: `alice${control}` })))
    }
  })

  it("[T-AUD-15] a key set without a usable key is an outage, and not the fault of the token", async () => {
    expectOutage(await send("empty", await mint("empty")))
    assert.deepStrictEqual(await ran("empty"), [])
  })

  it("[T-AUD-31] metadata with an endpoint that a URL parser would repair is not used", async () => {
    expectOutage(await send("repaired", await mint("repaired")))
    assert.deepStrictEqual(await ran("repaired"), [])
  })

  it("[T-AUD-16] a forged kid does not reject the tokens of a key that was rotated afterwards", async () => {
    const known = await mint("rotating")
    assert.strictEqual((await send("rotating", known)).status, 200)
    const iat = Math.floor(Date.now() / 1000) - 60
    const forge = (kid: string) => mint("rotating", { header: { kid }, claims: { iat } })
    expectInvalid(await send("rotating", await forge("forged")))
    await run(issuers.rotating.rotateKeys)
    const retryAfter = expectOutage(await send("rotating", await mint("rotating")))
    assert.isTrue(retryAfter >= 1 && retryAfter <= 30, `Retry-After: ${retryAfter}`)
    expectInvalid(await send("rotating", await forge("forged again")))
    assert.strictEqual((await send("rotating", known)).status, 200)
    assert.deepStrictEqual(await ran("rotating"), ["list_todos alice", "list_todos alice"])
  })

  it("[T-AUD-31] an issuer that a URL parser would repair is rejected", async () => {
    const { client, issuer } = await makeIssuer()
    const token = await run(issuer.mint({ scopes: ["todos:read"] }))
    const outcome = host.start(optionsOf(`${issuer.issuer}/?`, {}), client).then(async (running) => {
      const { status } = await running.send(call(bearer(token), "list_todos"))
      assert.deepStrictEqual(await running.ran(), [])
      await running.stop()
      return status
    })
    assert.include(["does not start", 500], await outcome.catch(() => "does not start"))
  })
})

describe("a wall clock that steps back an hour", () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Repeats the call until its status is not 503, and returns the status. Gives up after 10 seconds. */
  const settled = async (running: Running, token: string) => {
    for (let attempt = 0; attempt < 100; attempt++) {
      const { status } = await running.send(call(bearer(token), "list_todos"))
      if (status !== 503) return status
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    return 503
  }

  it("[T-AUD-08] does not lengthen the backoff after a failed fetch, on any host", async () => {
    const start = Date.now()
    vi.useFakeTimers({ toFake: ["Date"], now: start })
    const begin = async (host: Host) => {
      const { client, issuer } = await makeIssuer()
      await run(issuer.fail({ _tag: "Status", status: 500 }))
      const running = await host.start(optionsOf(issuer.issuer, {}), client)
      expectOutage(await running.send(call(bearer(await run(issuer.mint())), "list_todos")))
      await run(issuer.recover)
      return { name: host.name, running, issuer }
    }
    const begun = await Promise.all(hosts.map(begin))
    vi.setSystemTime(start - 3_600_000)
    const statuses = await Promise.all(begun.map(async ({ issuer, name, running }) => {
      await running.tell({ clock: -3_600_000 })
      return [name, await settled(running, await run(issuer.mint({ scopes: ["todos:read"] })))] as const
    }))
    assert.deepStrictEqual(statuses, hosts.map(({ name }) => [name, 200] as const))
    await Promise.all(begun.map(({ running }) => running.stop()))
  })
})
