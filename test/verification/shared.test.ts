import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Redacted, type Scope } from "effect"
import { Gate } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import { Revocations } from "effect-mcp-auth/revocation"
import { HttpClient } from "effect/http"
import { Persistence, Redis } from "effect/persistence"
import { TestClock } from "effect/testing"
import { Redis as Client } from "ioredis"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { authenticate } from "../authorization/steps.ts"
import { freePort, runs, start } from "../program.ts"
import { gateLayer } from "../servers/gates.ts"
import { active, resource, secret, type World, world } from "./introspection/answers.ts"
import * as steppingClock from "./steppingClock.ts"

/** Starts a Redis server on a free port, which stores nothing on disk. It runs until the scope closes. */
const RedisLive: Layer.Layer<Redis.Redis> = Layer.effect(
  Redis.Redis,
  Effect.gen(function*() {
    const port = yield* freePort
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-mcp-auth-redis-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    yield* start(
      "redis-server",
      ["--port", `${port}`, "--bind", "127.0.0.1", "--save", "", "--dir", directory],
      port
    )
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => new Client(port, "127.0.0.1")),
      (client) => Effect.sync(() => client.disconnect())
    )
    const send = <A>(command: string, ...args: ReadonlyArray<string>) =>
      Effect.tryPromise({
        try: () => client.call(command, ...args) as Promise<A>,
        catch: (cause) => new Redis.RedisError({ cause })
      })
    return yield* Redis.make({
      send,
      subscribe: () => Effect.die("not used"),
      connect: Effect.succeed({ send, close: Effect.void })
    })
  })
)

const storeOf = (layer: Layer.Layer<Persistence.BackingPersistence>, id: string) =>
  Effect.flatMap(Layer.build(layer), (context) => Context.get(context, Persistence.BackingPersistence).make(id))

/** Starts an instance of a server: a separate gate, which can share a store with other instances. */
const instance = (
  { client, issuer }: World,
  store: Introspection.SharedStore | undefined,
  introspection: object = {}
): Effect.Effect<(token: string) => Effect.Effect<string>, unknown, Scope.Scope> =>
  Effect.gen(function*() {
    const context = yield* Layer.build(
      gateLayer({
        resource,
        authorizationServers: [{
          issuer: issuer.issuer,
          introspection: Introspection.make({ ...secret, shared: store, ...introspection })
        }],
        scopes: ["todos:read"]
      }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
    )
    const gate = Context.get(context, Gate.AuthLayer)
    return (token) =>
      authenticate(gate, { method: "POST", header: () => undefined, authorization: [`Bearer ${token}`] }).pipe(
        Effect.as("admitted"),
        Effect.catch(({ reason, status }) => Effect.succeed(`${status} ${reason}`))
      )
  })

const shared = (layer: Layer.Layer<Persistence.BackingPersistence>) => () => {
  it.live("instances share active answers, and do not share inactive ones", () =>
    Effect.gen(function*() {
      const it = yield* Effect.provide(world, TestClock.layer())
      const answer = active({ exp: Math.floor(Date.now() / 1000) + 60 })
      it.endpoint.answer = ({ form }) => form.get("token") === "bad" ? Response.json({ active: false }) : answer()
      const store = yield* storeOf(layer, "introspection")
      const isWritten = yield* Deferred.make<void>()
      const writing: Introspection.SharedStore = {
        get: (key) => store.get(key),
        set: (...entry) => Effect.tap(store.set(...entry), () => Deferred.succeed(isWritten, undefined))
      }
      const [one, other] = [yield* instance(it, writing), yield* instance(it, store)]
      assert.strictEqual(yield* one("secret-token"), "admitted")
      // Answers are written in the background.
      yield* Deferred.await(isWritten)
      assert.strictEqual(yield* other("secret-token"), "admitted")
      assert.strictEqual(it.endpoint.requests.length, 1)
      assert.strictEqual(yield* one("bad"), "401 inactive")
      assert.strictEqual(yield* other("bad"), "401 inactive")
      assert.strictEqual(it.endpoint.requests.length, 3)
    }))

  it.live("a revocation by one instance makes another instance reject", () =>
    Effect.gen(function*() {
      const store = yield* storeOf(layer, "revocations")
      const [one, other] = [Revocations.make(store), Revocations.make(store)]
      const { gate } = yield* Effect.provide(world, TestClock.layer())
      const now = Math.floor(Date.now() / 1000)
      const claims = { iat: now - 10, exp: now + 60, sid: "s1" }
      const caller = yield* gate({
        server: {
          introspection: Introspection.lookUp((token) =>
            Effect.succeed({ active: true, sub: Redacted.value(token), aud: resource, ...claims })
          )
        },
        revocation: Revocations.from(other)
      })
      for (const subject of ["alice", "bob"]) assert.strictEqual(yield* caller.outcome(subject), "admitted")
      yield* one.revoke({ issuer: "https://issuer.test", subject: "alice" })
      assert.strictEqual(yield* caller.outcome("alice"), "401 revoked")
      assert.strictEqual(yield* caller.outcome("bob"), "admitted")
      yield* one.revoke({ token: Redacted.make("bob") })
      assert.strictEqual(yield* caller.outcome("bob"), "401 revoked")
      assert.strictEqual(yield* caller.outcome("carol"), "admitted")
      yield* one.revoke({ issuer: "https://issuer.test", session: "s1" })
      assert.strictEqual(yield* caller.outcome("carol"), "401 revoked")
    }))
}

describe("in memory", shared(Persistence.layerBackingMemory))
describe.skipIf(!runs("redis-server"))(
  "in Redis (skipped where redis-server is not installed)",
  shared(Persistence.layerBackingRedis.pipe(Layer.provide(RedisLive)))
)

describe("shared answers", () => {
  /** A store that ignores the lifetime of its entries. */
  const keeping = (): NonNullable<Introspection.SharedStore | undefined> => {
    const entries = new Map<string, object>()
    return {
      get: (key) => Effect.sync(() => entries.get(key)),
      set: (key, value) => Effect.sync(() => void entries.set(key, value))
    }
  }
  const memory = storeOf(Persistence.layerBackingMemory, "introspection")

  it.effect("end relative to the time of the introspection request", () =>
    Effect.gen(function*() {
      const it = yield* world
      const store = yield* memory
      const [one, other] = [yield* instance(it, store), yield* instance(it, store)]
      yield* one("a")
      yield* TestClock.adjust("40 seconds")
      assert.strictEqual(yield* other("a"), "admitted")
      it.endpoint.answer = () => Response.json({ active: false })
      yield* TestClock.adjust("19999 millis")
      assert.strictEqual(yield* other("a"), "admitted")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* other("a"), "401 inactive")
    }))

  it.effect("[T-AUD-08e] do not look younger when the wall clock steps back", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        for (const [back, wait] of [[-40_000, "50 seconds"], [steppingClock.hourBack, "1 hour"]] as const) {
          const it = yield* world
          const server = yield* instance(it, keeping())
          assert.strictEqual(yield* server("a"), "admitted")
          it.endpoint.answer = () => Response.json({ active: false })
          yield* TestClock.adjust("10 seconds")
          yield* step(back)
          yield* TestClock.adjust(wait)
          assert.strictEqual(yield* server("a"), "401 inactive")
          yield* step(-back)
        }
        // A shared entry that is read shortly before it expires does not get a new lifetime in the local cache of the instance.
        const it = yield* world
        const server = yield* instance(it, keeping(), { tokens: "opaque" })
        assert.strictEqual(yield* server("a"), "admitted")
        it.endpoint.answer = () => Response.json({ active: false })
        yield* TestClock.adjust("59 seconds")
        yield* step(-40_000)
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* server("a"), "401 inactive")
        yield* step(40_000)
      })
    ))

  it.effect("[T-AUD-08e] do not come back after an invalidation when the wall clock steps back", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const it = yield* world
        const introspection = Introspection.make({ ...secret, shared: keeping() })
        const caller = yield* it.gate({ server: { introspection } })
        assert.strictEqual(yield* caller.outcome("a"), "admitted")
        it.endpoint.answer = () => Response.json({ active: false })
        yield* TestClock.adjust("10 seconds")
        yield* step(-20_000)
        yield* caller.gate.invalidate({ subject: "alice" })
        yield* TestClock.adjust("15 seconds")
        assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
      })
    ))

  it.effect("[T-AUD-08e] do not live longer in the cache of one instance", () =>
    steppingClock.use((step) =>
      Effect.gen(function*() {
        const it = yield* world
        const caller = yield* it.gate()
        assert.strictEqual(yield* caller.outcome("a"), "admitted")
        it.endpoint.answer = () => Response.json({ active: false })
        yield* step(steppingClock.hourBack)
        yield* TestClock.adjust("59 seconds")
        assert.strictEqual(yield* caller.outcome("a"), "admitted")
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
      })
    ))

  it.effect("are not used after an invalidation", () =>
    Effect.gen(function*() {
      const it = yield* world
      const store = yield* memory
      const caller = yield* it.gate({ server: { introspection: Introspection.make({ ...secret, shared: store }) } })
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
      it.endpoint.answer = () => Response.json({ active: false })
      yield* caller.gate.invalidate({ subject: "alice" })
      assert.strictEqual(yield* caller.outcome("a"), "401 inactive")
    }))

  it.effect.each<readonly [string, Introspection.SharedStore | undefined]>([
    ["that fails", {
      get: () => Effect.fail(new Persistence.PersistenceError({ message: "down" })),
      set: () => Effect.fail(new Persistence.PersistenceError({ message: "down" }))
    }],
    ["that dies", { get: () => Effect.die("a defect"), set: () => Effect.die("a defect") }],
    ["that throws", {
      get: () => {
        throw new Error("not connected")
      },
      set: () => {
        throw new Error("not connected")
      }
    }],
    ["that contains an invalid entry", {
      get: () => Effect.succeed({ at: "now", claims: [] }),
      set: () => Effect.void
    }],
    ["that contains an expired entry", {
      get: () => Effect.succeed({ at: 0, claims: { active: true, sub: "mallory" } }),
      set: () => Effect.void
    }]
  ])("[T-AUD-10k] a store %s costs one request, and nothing else", ([, store]) =>
    Effect.gen(function*() {
      const it = yield* world
      const server = yield* instance(it, store)
      assert.strictEqual(yield* server("a"), "admitted")
      assert.strictEqual(it.endpoint.requests.length, 1)
    }))

  it.effect("[T-AUD-10l] a store that hangs delays one request by 250 milliseconds, and is left out while it fails", () =>
    Effect.gen(function*() {
      const it = yield* world
      let isDown = true
      const uses: Array<string> = []
      const server = yield* instance(it, {
        get: () => Effect.suspend(() => (uses.push("get"), isDown ? Effect.never : Effect.undefined)),
        set: () => Effect.suspend(() => (uses.push("set"), isDown ? Effect.never : Effect.void))
      })
      const lines: Array<string> = []
      const logs = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
      const first = yield* Effect.forkChild(Effect.provide(server("a"), logs), { startImmediately: true })
      yield* TestClock.adjust("250 millis")
      assert.strictEqual(yield* Fiber.join(first), "admitted")
      // The write of the first answer is the second failure.
      yield* TestClock.adjust("250 millis")
      assert.deepStrictEqual(uses, ["get", "set"])
      assert.lengthOf(lines, 1)
      assert.match(lines[0]!, /^The shared store of introspection answers for https:\/\/issuer\.test fails/)
      // These requests would hang if they waited for the store, because the clock stands still.
      for (let sent = 0; sent < 5; sent++) assert.strictEqual(yield* server(`b${sent}`), "admitted")
      assert.deepStrictEqual(uses, ["get", "set"])
      isDown = false
      yield* TestClock.adjust("6 seconds")
      assert.strictEqual(yield* server("c"), "admitted")
      assert.deepStrictEqual(uses, ["get", "set", "get", "set"])
    }))

  it.effect("[T-AUD-10l] a store that always answers after 0.9 seconds delays one request, and is then left out", () =>
    Effect.gen(function*() {
      const it = yield* world
      const uses: Array<string> = []
      const slow = (name: string) =>
        Effect.as(Effect.andThen(Effect.sync(() => void uses.push(name)), Effect.sleep("900 millis")), undefined)
      const server = yield* instance(it, { get: () => slow("get"), set: () => slow("set") })
      const first = yield* Effect.forkChild(server("a"), { startImmediately: true })
      yield* TestClock.adjust("250 millis")
      assert.strictEqual(yield* Fiber.join(first), "admitted")
      yield* TestClock.adjust("250 millis")
      // These requests would hang if they waited for the store, because the clock stands still.
      for (let sent = 0; sent < 5; sent++) assert.strictEqual(yield* server(`b${sent}`), "admitted")
      assert.deepStrictEqual(uses, ["get", "set"])
    }))

  it.effect("contain no token", () =>
    Effect.gen(function*() {
      const it = yield* world
      const seen: Array<unknown> = []
      const server = yield* instance(it, {
        get: (key) => Effect.sync(() => void seen.push(key)),
        set: (...written) => Effect.sync(() => void seen.push(written))
      })
      yield* server("marked-token")
      assert.strictEqual(seen.length, 2)
      assert.notInclude(JSON.stringify(seen), "marked-token")
    }))
})

describe("revocations", () => {
  const lookUp = (claims: Record<string, unknown>) => () =>
    Effect.succeed({ active: true, sub: "alice", aud: resource, exp: 1_900_000_000, ...claims })

  it.effect("revoking a subject does not revoke later tokens, and revokes those without iat", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const context = yield* Layer.build(Revocations.layerMemory)
      const list = Context.get(context, Revocations.Revocations)
      const outcomes = (iat: number | undefined) =>
        Effect.flatMap(
          gate({
            server: { introspection: Introspection.lookUp(lookUp(iat === undefined ? {} : { iat })) },
            revocation: Revocations.from(list)
          }),
          (caller) => caller.outcome("a")
        )
      yield* list.revoke({ issuer: "https://issuer.test", subject: "alice" })
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* outcomes(1_800_000_000), "401 revoked")
      assert.strictEqual(yield* outcomes(1_800_000_001), "admitted")
      assert.strictEqual(yield* outcomes(undefined), "401 revoked")
      yield* TestClock.adjust("30 days")
      assert.strictEqual(yield* outcomes(1_800_000_000), "admitted")
    }))

  it.effect("revoking a subject of another issuer does not revoke tokens of this issuer", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const context = yield* Layer.build(Revocations.layerMemory)
      const list = Context.get(context, Revocations.Revocations)
      yield* list.revoke({ issuer: "https://other.test", subject: "alice" })
      const caller = yield* gate({ revocation: Revocations.from(list) })
      assert.strictEqual(yield* caller.outcome("a"), "admitted")
    }))

  it.effect("a revocation store that fails admits no request", () =>
    Effect.gen(function*() {
      const { gate } = yield* world
      const down = Effect.fail(new Persistence.PersistenceError({ message: "down" }))
      const list = Revocations.make({ getMany: () => down, set: () => down })
      const caller = yield* gate({ revocation: Revocations.from(list) })
      assert.strictEqual(yield* caller.outcome("a"), "503 revocation-store-down")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(list.revoke({ token: Redacted.make("a") }))))
    }))
})
