/** Two instances of each server, which share their sessions in a real Redis. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Schedule, Scope } from "effect"
import { Revocations } from "effect-mcp-auth/revocation"
import { SessionStore } from "effect-mcp-auth/sessions"
import { runs } from "../../program.ts"
import * as redis from "../../redis.ts"
import { bearer, call, callOf, initialize, inSession, mint, noCredentials } from "./cases.ts"
import * as Functions from "./functions.ts"
import { type Adapter, type Answer, makeIssuer, optionsOf, type Served, type Settings, type Written } from "./Host.ts"
import { inProcess } from "./hosts.ts"

const unknown = { status: 404, body: "" }

const bodyAndStatus = ({ body, status }: Answer) => ({ status, body })

/**
 * Starts two instances of a server, each with a separate connection to Redis and a separate list of revocations, so that only the
 * sessions are shared.
 */
const start = Effect.fnUntraced(
  function*(adapter: Adapter, server: Effect.Success<typeof redis.server>, settings: Settings) {
    const { client, issuer } = yield* Effect.promise(() => makeIssuer())
    const instance = Effect.gen(function*() {
      const connection = yield* server.connection
      const revocations = new Map<string, object>()
      const list = Revocations.make({
        getMany: (keys) => Effect.sync(() => keys.map((key) => revocations.get(key)) as never),
        set: (key, value) => Effect.sync(() => void revocations.set(key, value))
      })
      const functions = Functions.make("a list of decisions")
      const options: Written & { readonly sessionStore: SessionStore.Mechanism } = {
        ...Functions.written(optionsOf(issuer.issuer, settings)),
        revocation: Revocations.from(list),
        sessionStore: SessionStore.make(SessionStore.redis(connection))
      } as never
      const served = yield* Effect.acquireRelease(
        Effect.promise(() => adapter.start(options, client, functions)),
        (served) => Effect.promise(() => served.stop())
      )
      return { ...served, list, reasons: () => functions.decisions().map(({ reason }) => reason ?? "admitted") }
    })
    const tokens = yield* Effect.promise(() => mint(issuer))
    return { a: yield* instance, b: yield* instance, tokens, issuer: issuer.issuer }
  }
)

const send = (served: Served, sent: Parameters<Served["send"]>[0]) => Effect.promise(() => served.send(sent))

const open = Effect.fnUntraced(function*(served: Served, token: string) {
  const opened = yield* send(served, initialize(bearer(token)))
  assert.strictEqual(opened.status, 200, opened.body)
  assert.isString(opened.headers["mcp-session-id"])
  return opened
})

const listTodos = (token: string, opened: Answer) => inSession(bearer(token), callOf("list_todos"))([opened])

const end = (token: string, opened: Answer) => {
  const { body: _, ...sent } = inSession(bearer(token), undefined)([opened])
  return { ...sent, method: "DELETE" }
}

/** The transport of Effect's server keeps its sessions in memory, and answers 404 for those of another instance. */
const sharesTransport = ({ name }: Adapter) => !name.startsWith("Effect")

const adapters = runs("redis-server") ? inProcess : []

const scope = Scope.makeUnsafe()
let shared: Effect.Success<typeof redis.server>
beforeAll(async () => {
  if (adapters.length > 0) shared = await Effect.runPromise(Scope.provide(redis.server, scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

describe.each(adapters)("two instances of $name that share their sessions", (adapter) => {
  const test = (
    title: string,
    settings: Settings,
    run: (world: Effect.Success<ReturnType<typeof start>>) => Effect.Effect<void>
  ) =>
    it.live(title, () =>
      Effect.scoped(Effect.gen(function*() {
        yield* run(yield* start(adapter, shared, settings))
      })))

  test(
    "[T-SESS-01] serve a session of the other instance to its owner, and to no other caller",
    {},
    ({ a, b, tokens }) =>
      Effect.gen(function*() {
        const opened = yield* open(a, tokens.reader)
        b.reasons()
        const own = yield* send(b, listTodos(tokens.reader, opened))
        assert.deepStrictEqual(b.reasons(), ["admitted"])
        assert.strictEqual(own.status, sharesTransport(adapter) ? 200 : 404, own.body)
        assert.deepStrictEqual(yield* Effect.promise(b.ran), sharesTransport(adapter) ? ["list_todos alice"] : [])

        const never = { ...opened, headers: { "mcp-session-id": "never-opened" } }
        const absent = yield* send(b, listTodos(tokens.bob, never))
        for (const token of [tokens.bob, tokens.otherClient]) {
          const { headers, ...foreign } = yield* send(b, listTodos(token, opened))
          assert.deepStrictEqual(foreign, { status: absent.status, body: absent.body })
          assert.sameMembers(Object.keys(headers), Object.keys(absent.headers))
          assert.deepStrictEqual(foreign, unknown)
        }
        assert.deepStrictEqual(b.reasons(), ["session", "session", "session"])
        const anonymous = yield* send(b, inSession([], callOf("list_todos"))([opened]))
        assert.deepStrictEqual(bodyAndStatus(anonymous), { status: noCredentials.status, body: noCredentials.body })
        const again = yield* send(a, listTodos(tokens.reader, opened))
        assert.strictEqual(again.status, 200, again.body)
      })
  )

  test(
    "[T-SESS-02] end a session everywhere when its owner deletes it",
    {},
    ({ a, b, tokens }) =>
      Effect.gen(function*() {
        const opened = yield* open(a, tokens.reader)
        assert.deepStrictEqual(bodyAndStatus(yield* send(b, end(tokens.bob, opened))), unknown)
        assert.strictEqual((yield* send(a, end(tokens.reader, opened))).status, adapter.endOfSession ?? 204)
        for (const served of [b, a]) {
          assert.deepStrictEqual(bodyAndStatus(yield* send(served, listTodos(tokens.reader, opened))), unknown)
        }
      })
  )

  test(
    "[T-SESS-02] end a session everywhere when its owner signs out",
    {},
    ({ a, b, issuer, tokens }) =>
      Effect.gen(function*() {
        const opened = yield* open(a, tokens.reader)
        const ofBob = yield* open(a, tokens.bob)
        yield* Effect.orDie(a.list.revoke({ issuer, subject: "alice" }))
        // Instance B has not heard of the revocation, so it accepts the token, but not the session.
        assert.deepStrictEqual(bodyAndStatus(yield* send(b, listTodos(tokens.reader, opened))), unknown)
        assert.strictEqual((yield* send(b, call(bearer(tokens.reader), "list_todos"))).status, 200)
        b.reasons()
        yield* send(b, listTodos(tokens.bob, ofBob))
        assert.deepStrictEqual(b.reasons(), ["admitted"])
      })
  )

  test("[T-SESS-03] end the oldest session of a caller that opens too many, and none of others", {
    sessionsPerCaller: 2
  }, ({ a, b, tokens }) =>
    Effect.gen(function*() {
      const ofBob = yield* open(a, tokens.bob)
      const first = yield* open(a, tokens.reader)
      const second = yield* open(b, tokens.reader)
      const third = yield* open(a, tokens.reader)
      b.reasons()
      for (const opened of [first, second, third, ofBob]) {
        yield* send(b, listTodos(opened === ofBob ? tokens.bob : tokens.reader, opened))
      }
      assert.deepStrictEqual(b.reasons(), ["session", "admitted", "admitted", "admitted"])
    }))
})

describe.skipIf(!runs("redis-server"))("an outage of the store of sessions", () => {
  it.live(
    "[T-SESS-04] is 503 for sessions only, on every host, and ends when the store answers again",
    () =>
      Effect.scoped(Effect.gen(function*() {
        const server = yield* redis.server
        const worlds = yield* Effect.forEach(adapters, (adapter) =>
          Effect.gen(function*() {
            const { a, tokens } = yield* start(adapter, server, {})
            return { a, tokens, opened: yield* open(a, tokens.reader), name: adapter.name }
          }))
        yield* server.stop
        yield* Effect.forEach(worlds, ({ a, name, opened, tokens }) =>
          Effect.gen(function*() {
            a.reasons()
            yield* Effect.promise(a.ran)
            for (const sent of [listTodos(tokens.reader, opened), initialize(bearer(tokens.reader))]) {
              const { body, headers, status } = yield* send(a, sent)
              assert.deepStrictEqual([status, headers["retry-after"]], [503, "1"], name)
              assert.isUndefined(headers["mcp-session-id"], name)
              assert.isUndefined(headers["www-authenticate"], name)
              assert.strictEqual(JSON.parse(body).error, "temporarily_unavailable", name)
            }
            assert.deepStrictEqual(yield* Effect.promise(a.ran), [], name)
            assert.deepStrictEqual(a.reasons().filter((_) => _ !== "admitted"), [
              "session-store-down",
              "session-store-down"
            ], name)
            assert.strictEqual((yield* send(a, call(bearer(tokens.reader), "list_todos"))).status, 200, name)
          }), { concurrency: "unbounded" })
        yield* server.startAgain
        yield* Effect.forEach(worlds, ({ a, name, opened, tokens }) =>
          Effect.gen(function*() {
            const isBack = Effect.filterOrFail(
              send(a, initialize(bearer(tokens.reader))),
              ({ status }) => status === 200
            )
            const again = yield* Effect.retry(isBack, { schedule: Schedule.spaced("100 millis"), times: 100 })
            a.reasons()
            yield* send(a, listTodos(tokens.reader, again))
            // Redis has lost its data, so the session does not exist any more.
            assert.deepStrictEqual(bodyAndStatus(yield* send(a, listTodos(tokens.reader, opened))), unknown, name)
            assert.deepStrictEqual(a.reasons(), ["admitted", "session"], name)
          }), { concurrency: "unbounded" })
      })),
    60_000
  )
})
