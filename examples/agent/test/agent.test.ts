/** Two people use the agent in their browsers. Numbers in titles are those of the faults that clients of MCP servers had. */
import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Context, Effect, Exit, Layer, References, Scope } from "effect"
import { createServer } from "node:http"
import { freePort, runs } from "../../../test/program.ts"
import * as redis from "../../../test/redis.ts"
import * as AuthorizationServer from "../../authorization-server/AuthorizationServer.ts"
import { UserAgent } from "../../authorization-server/UserAgent.ts"
import * as Serving from "../../shared/Serving.ts"
import * as TodoManager from "../../todo-manager/TodoManager.ts"
import * as App from "../App.ts"
import * as Records from "../Records.ts"

const { scopes } = TodoManager

/** A person with a browser. */
interface Person {
  /** Signs in at the agent. */
  readonly signIn: Effect.Effect<void>
  /** Returns the titles of the todos on the page, and the links to the authorization server. */
  readonly look: Effect.Effect<{ readonly todos: ReadonlyArray<string>; readonly links: ReadonlyArray<string> }>
  /** Submits a form of the page. Returns the status, and the target of a redirect. */
  readonly submit: (
    path: string,
    fields: Readonly<Record<string, string>>
  ) => Effect.Effect<{ readonly status: number; readonly location: URL | undefined }>
  /** Signs in at the authorization server, and returns the callback. */
  readonly consent: (link: string) => Effect.Effect<URL>
  readonly open: (url: URL) => Effect.Effect<{ readonly status: number; readonly html: string }>
  /** Consents, and follows the redirect to the agent. */
  readonly connect: (link: string) => Effect.Effect<void>
}

const makePerson = (origin: string, name: string): Person => {
  const browser = new UserAgent({ username: name })
  const submit: Person["submit"] = (path, fields) => Effect.promise(() => browser.open(origin + path, fields))
  const consent: Person["consent"] = (link) => Effect.promise(() => browser.authorize(link))
  const open: Person["open"] = (url) => Effect.promise(() => browser.open(url))
  return {
    submit,
    consent,
    open,
    signIn: Effect.asVoid(submit("/sign-in", { name })),
    look: Effect.map(Effect.promise(() => browser.open(origin)), ({ html }) => ({
      todos: [...html.matchAll(/<li>(.*?) \(/g)].map(([, title]) => title!),
      links: [...html.matchAll(/<a href="([^"]+)"/g)].map(([, url]) => url!.replaceAll("&#38;", "&"))
    })),
    connect: (link) =>
      Effect.gen(function*() {
        assert.strictEqual((yield* open(yield* consent(link))).status, 303)
      })
  }
}

/** Starts an authorization server, two todo managers and the agent. */
const start = Effect.fnUntraced(function*(environment: Readonly<Record<string, string>>) {
  const { issuer } = yield* AuthorizationServer.make({ scopes })
  const serve = Effect.map(
    Layer.build(Serving.layer({ port: 0, authorizationServers: [issuer] }, { scopes, app: TodoManager.layer })),
    (context) => Context.get(context, Serving.Endpoint).url
  )
  const servers = [yield* serve, yield* serve] as const
  const port = yield* freePort
  const origin = `http://127.0.0.1:${port}`
  let process = yield* Scope.make()
  yield* Effect.addFinalizer(() => Effect.suspend(() => Scope.close(process, Exit.void)))
  const run = Effect.suspend(() =>
    Layer.buildWithScope(
      App.layer({ origin, issuer, servers }).pipe(
        Layer.provide(Records.layer),
        Layer.provide(NodeHttpServer.layer(createServer, {
          host: "127.0.0.1",
          port,
          gracefulShutdownTimeout: "1 second"
        })),
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(environment)))
      ),
      process
    )
  )
  yield* run
  return {
    origin,
    servers,
    person: (name: string) => makePerson(origin, name),
    restart: Effect.gen(function*() {
      yield* Scope.close(process, Exit.void)
      process = yield* Scope.make()
      yield* run
    })
  }
}, Effect.provideService(References.MinimumLogLevel, "Error"))

describe("the agent", () => {
  it.live("acts for two people on two servers, each with the permissions of that person", () =>
    Effect.gen(function*() {
      const { person, servers: [home, work] } = yield* start({})
      const [alice, bob] = [person("alice"), person("bob")]
      yield* alice.signIn
      const { links } = yield* alice.look
      assert.lengthOf(links, 2)
      yield* Effect.forEach(links, alice.connect)
      yield* bob.signIn
      yield* bob.connect((yield* bob.look).links[1]!)
      yield* alice.submit("/create", { server: home, title: "<b>milk</b>" })
      yield* alice.submit("/create", { server: work, title: "report" })
      yield* bob.submit("/create", { server: work, title: "room" })
      assert.deepStrictEqual(yield* alice.look, {
        todos: ["&#60;b&#62;milk&#60;/b&#62;", "report", "room"],
        links: []
      })
      const page = yield* bob.look
      assert.deepStrictEqual(page.todos, ["report", "room"])
      assert.lengthOf(page.links, 1)

      // The todo of alice is not one of bob, also with the scope to delete.
      const { location } = yield* bob.submit("/delete", { server: work, id: "1" })
      assert.include(location!.searchParams.get("scope"), "delete:todos")
      yield* bob.connect(location!.href)
      assert.strictEqual((yield* bob.submit("/delete", { server: work, id: "1" })).status, 422)
      assert.strictEqual((yield* bob.submit("/delete", { server: work, id: "2" })).status, 303)
      assert.deepStrictEqual((yield* bob.look).todos, ["report"])
    }))

  it.live("19: rejects the callback of alice in the browser of bob, and in one without a session", () =>
    Effect.gen(function*() {
      const { person } = yield* start({})
      const [alice, bob, carol] = [person("alice"), person("bob"), person("carol")]
      yield* alice.signIn
      yield* bob.signIn
      const callback = yield* alice.consent((yield* alice.look).links[0]!)
      assert.strictEqual((yield* carol.open(callback)).status, 303)
      const { html, status } = yield* bob.open(callback)
      assert.deepStrictEqual([status, html], [400, "Another account began the sign-in"])
      for (const each of [alice, bob]) assert.lengthOf((yield* each.look).links, 2)
      // The sign-in has ended, so that no other attempt with the same state succeeds.
      assert.strictEqual((yield* alice.open(callback)).status, 400)
      yield* alice.connect((yield* alice.look).links[0]!)
    }))

  it.live("revokes the tokens of one person at one server, and leaves the others", () =>
    Effect.gen(function*() {
      const { person, servers: [home] } = yield* start({})
      const [alice, bob] = [person("alice"), person("bob")]
      for (const each of [alice, bob]) {
        yield* each.signIn
        yield* Effect.forEach((yield* each.look).links, each.connect)
      }
      // The redirect means that the authorization server has confirmed the revocation.
      assert.strictEqual((yield* alice.submit("/disconnect", { server: home })).status, 303)
      assert.lengthOf((yield* alice.look).links, 1)
      assert.lengthOf((yield* bob.look).links, 0)
    }))

  it.live("26: sends pages and rejected callbacks that no cache stores, and no referrer from them", () =>
    Effect.gen(function*() {
      const { origin } = yield* start({})
      const signedIn = yield* Effect.promise(() =>
        fetch(`${origin}/sign-in`, { method: "POST", redirect: "manual", body: new URLSearchParams({ name: "alice" }) })
      )
      const [line = ""] = signedIn.headers.getSetCookie()
      assert.match(line, /; HttpOnly/)
      assert.match(line, /; SameSite=Lax/)
      for (const path of ["/", "/oauth/callback?code=a&state=b"]) {
        const response = yield* Effect.promise(() => fetch(origin + path, { headers: { cookie: line.split(";")[0]! } }))
        assert.strictEqual(response.headers.get("cache-control"), "no-store", path)
        assert.strictEqual(response.headers.get("referrer-policy"), "no-referrer", path)
      }
    }))

  it.live("accepts forms for the servers of its configuration only, and needs a session", () =>
    Effect.gen(function*() {
      const { person, servers: [home] } = yield* start({})
      const alice = person("alice")
      const { location } = yield* alice.submit("/create", { server: home, title: "milk" })
      assert.strictEqual(location?.pathname, "/")
      yield* alice.signIn
      const { status } = yield* alice.submit("/create", { server: "http://127.0.0.1:9/mcp", title: "milk" })
      assert.strictEqual(status, 400)
    }))

  it.live.skipIf(!runs("redis-server"))(
    runs("redis-server")
      ? "keeps sessions and tokens in Redis over a restart, and seals them"
      : "keeps sessions and tokens in Redis over a restart, and seals them: skipped, there is no redis-server",
    () =>
      Effect.gen(function*() {
        const server = yield* redis.server
        const { person, restart, servers: [home] } = yield* start({
          REDIS_URL: server.url,
          STORE_SECRET: "0123456789abcdef0123456789abcdef"
        })
        const alice = person("alice")
        yield* alice.signIn
        yield* Effect.forEach((yield* alice.look).links, alice.connect)
        yield* alice.submit("/create", { server: home, title: "milk" })
        yield* restart
        assert.deepStrictEqual(yield* alice.look, { todos: ["milk"], links: [] })

        const connection = yield* server.connection
        const keys = yield* connection.send<ReadonlyArray<string>>("KEYS", "*")
        assert.isAbove(keys.length, 4)
        for (const key of keys) {
          const value = yield* connection.send<string>("GET", key)
          // A record is JSON, and a sealed one is not.
          assert.notMatch(value, /["{:]/)
        }
      })
  )
})
