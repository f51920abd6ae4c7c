import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { registrations } from "./clientTable.ts"
import { fieldsOf, makeBrowser, otherSecret, secret, textOf, world } from "./world.ts"

describe("registration", () => {
  it.effect.each(registrations)(
    "accepts the body of $client, and its redirect URI",
    ({ body, uses }) =>
      Effect.gen(function*() {
        const proxy = yield* world()
        const response = yield* proxy.register(body)
        assert.strictEqual(response.status, 201, response.body)
        const answer = JSON.parse(response.body)
        assert.isAtMost(answer.client_id.length, 1_000)
        assert.match(answer.client_id, /^c1\.[A-Za-z0-9._-]+$/)
        assert.strictEqual(answer.token_endpoint_auth_method, "none")
        const page = yield* proxy.visit(
          makeBrowser(),
          proxy.authorizeUrl({ client_id: answer.client_id, redirect_uri: uses })
        )
        assert.strictEqual(page.status, 200, textOf(page))
        assert.property(fieldsOf(page), "transaction")
      })
  )

  it.effect.each(registrations)(
    "attack 19: rejects other redirect URIs of $client on a page",
    ({ body, uses }) =>
      Effect.gen(function*() {
        const proxy = yield* world()
        const { client_id } = JSON.parse((yield* proxy.register(body)).body)
        const url = new URL(uses)
        for (
          const redirect_uri of [
            `${uses}x`,
            `${uses}${url.search === "" ? "?" : "&"}x=1`,
            uses.replace("://", "://evil."),
            "https://evil.example/callback",
            "http://localhost:6274/evil",
            "javascript:alert(1)"
          ]
        ) {
          const page = yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id, redirect_uri }))
          assert.strictEqual(page.status, 400, redirect_uri)
          assert.notProperty(page.headers, "location")
          assert.notInclude(page.body, "<a ")
          assert.notInclude(page.body, "http-equiv")
        }
      })
  )

  it.effect("gives the same id for the same content, also if the client registers again", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const uris = ["http://localhost:6274/oauth/callback"]
      const first = yield* proxy.registerId(uris, { client_name: "MCP Inspector" })
      assert.strictEqual(yield* proxy.registerId(uris, { client_name: "MCP Inspector", extra: 1 }), first)
      assert.notStrictEqual(yield* proxy.registerId(uris, { client_name: "Other" }), first)
    }))

  it.effect("attack 19: rejects an id with changed content, with a changed tag, and of another proxy", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const id = yield* proxy.registerId(["https://app.example.com/callback"])
      const [prefix, kid, content, tag] = id.split(".") as [string, string, string, string]
      const evil = Buffer.from(JSON.stringify(["", 0, "https://evil.example/callback"])).toString("base64url")
      const foreign = yield* Effect.flatMap(
        world({ secret: otherSecret }),
        (other) => other.registerId(["https://app.example.com/callback"])
      )
      const ids = [
        [prefix, kid, evil, tag].join("."),
        [prefix, kid, content, tag.replace(/^./, (first) => first === "A" ? "B" : "A")].join("."),
        [prefix, kid, content].join("."),
        [prefix, "", content, tag].join("."),
        `${id}.x`,
        `${id}=`,
        foreign,
        "c1.",
        "c2.x.y.z",
        "unknown",
        "https://todos.test/client"
      ]
      for (const client_id of ids) {
        const page = yield* proxy.visit(
          makeBrowser(),
          proxy.authorizeUrl({ client_id, redirect_uri: "https://app.example.com/callback" })
        )
        assert.strictEqual(page.status, 400, client_id)
        assert.notProperty(page.headers, "location")
      }
    }))

  it.effect("attack 63: ids of every listed secret are accepted, and ids of a removed secret are rejected", () =>
    Effect.gen(function*() {
      const uri = "https://app.example.com/callback"
      const id = yield* Effect.flatMap(world(), (proxy) => proxy.registerId([uri]))
      const statusWith = (secrets: Parameters<typeof world>[0]) =>
        Effect.flatMap(world(secrets), (proxy) =>
          Effect.map(
            proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id: id, redirect_uri: uri })),
            ({ status }) => status
          ))
      assert.strictEqual(yield* statusWith({ secret: [otherSecret, secret] }), 200)
      assert.strictEqual(yield* statusWith({ secret: otherSecret }), 400)
    }))

  it.effect("applies the rules again at each use of an id", () =>
    Effect.gen(function*() {
      const uri = "cursor://anysphere.cursor-mcp/oauth/callback"
      const id = yield* Effect.flatMap(world(), (proxy) => proxy.registerId([uri]))
      const proxy = yield* world({ privateUse: [] })
      const page = yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id: id, redirect_uri: uri }))
      assert.strictEqual(page.status, 400)
    }))

  it.effect("attack 68: states the values in force instead of a secret, a statement or keys", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const answer = JSON.parse(
        (yield* proxy.register({
          redirect_uris: ["https://app.example.com/callback"],
          token_endpoint_auth_method: "client_secret_basic",
          client_secret: "chosen",
          software_statement: "a.b.c",
          jwks: { keys: [] },
          logo_uri: "https://evil.example/logo.png",
          scope: "admin"
        })).body
      )
      assert.deepStrictEqual(Object.keys(answer).sort(), [
        "application_type",
        "client_id",
        "grant_types",
        "redirect_uris",
        "response_types",
        "token_endpoint_auth_method"
      ])
      assert.strictEqual(answer.token_endpoint_auth_method, "none")
    }))

  it.effect("rejects bodies that are no registration, that are too long, and that have no usable redirect URI", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const uri = "https://app.example.com/callback"
      const cases: ReadonlyArray<readonly [unknown, number, string]> = [
        ["not json", 400, "invalid_client_metadata"],
        ["[]", 400, "invalid_client_metadata"],
        [{}, 400, "invalid_client_metadata"],
        [{ redirect_uris: [] }, 400, "invalid_client_metadata"],
        [{ redirect_uris: uri }, 400, "invalid_client_metadata"],
        [
          { redirect_uris: Array.from({ length: 11 }, (_, index) => `${uri}/${index}`) },
          400,
          "invalid_client_metadata"
        ],
        [{ redirect_uris: ["http://evil.example/"] }, 400, "invalid_redirect_uri"],
        [{ redirect_uris: [1, null, {}] }, 400, "invalid_redirect_uri"],
        [
          { redirect_uris: Array.from({ length: 4 }, (_, i) => `${uri}/${i}${"a".repeat(300)}`) },
          400,
          "invalid_client_metadata"
        ],
        [{ redirect_uris: [uri], client_name: "x".repeat(16 * 1024) }, 413, "invalid_client_metadata"]
      ]
      for (const [body, status, error] of cases) {
        const response = yield* proxy.register(body)
        assert.strictEqual(response.status, status, JSON.stringify(body).slice(0, 100))
        assert.strictEqual(JSON.parse(response.body).error, error)
      }
    }))

  it.effect("attack 86: 500 clients behind one address all register and see the consent page", () =>
    Effect.gen(function*() {
      const proxy = yield* world()
      const headers = { "x-forwarded-for": "192.0.2.1", forwarded: "for=192.0.2.1", "x-real-ip": "192.0.2.1" }
      for (let index = 0; index < 500; index++) {
        const uri = `https://app${index}.example.com/callback`
        const registered = yield* proxy.send(proxy.front.urls.register, {
          method: "POST",
          headers: { ...headers, "content-type": "application/json" },
          body: JSON.stringify({ redirect_uris: [uri] })
        })
        assert.strictEqual(registered.status, 201)
        const { client_id } = JSON.parse(registered.body)
        const page = yield* proxy.send(proxy.authorizeUrl({ client_id, redirect_uri: uri }), { headers })
        assert.strictEqual(page.status, 200)
      }
    }))

  it.effect(
    "attack 66 and attack 67: ten thousand requests without a sign-in write nothing",
    () =>
      Effect.gen(function*() {
        const proxy = yield* world()
        for (let index = 0; index < 5_000; index++) {
          const uri = `https://app${index}.example.com/callback`
          const id = yield* proxy.registerId([uri])
          yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id: id, redirect_uri: uri }))
        }
        assert.strictEqual(proxy.count.writes, 0)
      }),
    120_000
  )
})
