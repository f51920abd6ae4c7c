import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Schema } from "effect"
import { Policy } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpSchema, McpServer, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter } from "effect/http"
import * as Host from "../Host.ts"
import * as Mcp from "../Mcp.ts"
import * as TodoServer from "../TodoServer.ts"

/* Registrations with the functions of Effect's `McpServer`. Annotations of this library state the required scopes. */

const id = McpSchema.param("id", Schema.String)

const needs = (scope: string, unauthorized: "challenge" | "hide" = "challenge"): Context.Context<never> =>
  Context.make(Policy.RequiredScopes, [scope]).pipe(
    Context.add(Policy.Unauthorized, unauthorized)
  ) as Context.Context<never>

const only = (isEnabled: boolean, annotations: Context.Context<never> = Context.empty()): Context.Context<never> =>
  Context.add(annotations, McpSchema.EnabledWhen, () => isEnabled) as Context.Context<never>

const make = () => {
  const ran: Array<string> = []
  const run = (name: string) =>
    Effect.sync(() => {
      ran.push(name)
      return name
    })
  let server: McpServer.McpServer["Service"] | undefined
  const annotated = (tool: Tool.Any): any => tool
  const Tools = Toolkit.make(
    annotated(Tool.make("audit", { success: Schema.String }).annotate(Policy.RequiredScopes, ["todos:admin"])),
    annotated(
      Tool.make("ghost", { success: Schema.String })
        .annotate(Policy.RequiredScopes, ["todos:admin"])
        .annotate(Policy.Unauthorized, "hide")
    )
  )
  const template = (kind: string, annotations: Context.Context<never>) => ({
    name: kind,
    annotations,
    completion: { id: () => Effect.as(run(`complete ${kind}`), ["1"]) },
    content: (uri: string) => run(uri)
  })
  const registrations = Layer.mergeAll(
    McpServer.toolkit(Tools as any).pipe(
      Layer.provide((Tools as any).toLayer({ audit: () => run("audit"), ghost: () => run("ghost") }))
    ) as Layer.Layer<never, never, McpServer.McpServer>,
    McpServer.resource`stock://items/${id}`(template("items", needs("todos:write"))),
    McpServer.resource`stock://secret/${id}`(template("secret", needs("todos:admin", "hide"))),
    McpServer.resource`stock://open/${id}`(template("open", Context.empty())),
    // The next two templates match `stock://first/list`. The server uses the template that was registered first.
    McpServer.resource`stock://first/${id}`(template("first", needs("todos:admin"))),
    McpServer.resource`stock://${McpSchema.param("kind", Schema.String)}/list`(
      { ...template("list", Context.empty()), completion: {} }
    ),
    // The next two templates match `stock://era/1`. The server skips the first, since it is not enabled for this client.
    McpServer.resource`stock://era/${id}`(template("disabled", only(false))),
    McpServer.resource`stock://era/${McpSchema.param("other", Schema.String)}`(
      { ...template("era", only(true, needs("todos:admin"))), completion: {} }
    ),
    Layer.effectDiscard(McpServer.registerResource({
      uri: "stock://hidden",
      name: "hidden",
      annotations: needs("todos:admin", "hide"),
      content: run("stock://hidden")
    })),
    McpServer.resource({ uri: "stock://about", name: "about", content: run("stock://about") }),
    McpServer.prompt({
      name: "post_mortem",
      annotations: needs("todos:admin", "hide"),
      content: () => run("post_mortem")
    }),
    McpServer.prompt({ name: "plan", annotations: needs("todos:write"), content: () => run("plan") }),
    Layer.effectDiscard(Effect.map(McpServer.McpServer, (_) => void (server = _)))
  )
  return {
    ran,
    template,
    server: () => server!,
    layer: McpAuth.layerHttp({
      ...TodoServer.make().options,
      protocols: TodoServer.protocols,
      registrations: registrations as Layer.Layer<never, never, McpServer.McpServer>
    })
  }
}

const start = Effect.fnUntraced(
  function*(
    kind: keyof typeof Host.hosts,
    options: Parameters<typeof TodoServer.auth>[1] = {},
    around: (app: Layer.Layer<never, any, any>) => Layer.Layer<never, any, any> = (app) => app
  ) {
    const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
    const made = make()
    const app = around(
      made.layer.pipe(
        Layer.provide(TodoServer.auth(issuer.issuer, options)),
        Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
      ) as Layer.Layer<never, any, any>
    )
    const host = yield* Host.hosts[kind](app)
    return { ...made, app, host, issuer, ran: () => made.ran.splice(0) }
  },
  Effect.provide(Logger.layer([]))
)

const read = (uri: string, options: Mcp.Options) => Mcp.modern("resources/read", { uri }, options)
const complete = (uri: string, name: string, options: Mcp.Options) =>
  Mcp.modern("completion/complete", { ref: { type: "ref/resource", uri }, argument: { name, value: "" } }, options)

const namedScopes = ({ body, headers, status }: Host.Received): string | undefined => {
  assert.strictEqual(status, 403, body)
  return /^Bearer error="insufficient_scope", scope="([^"]*)"/.exec(headers["www-authenticate"] ?? "")?.[1]
}

describe.each(["web", "node"] as const)("Registrations of the stock functions, %s", (kind) => {
  it.live("[T-AUD-05a] a template of the stock function requires the scopes of its annotations, for every spelling of its URI", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start(kind)
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const spellings = [
        "stock://items/1",
        "stock://items/1/",
        "stock:////items//1",
        "stock://items/%31",
        "stock://%69tems/1",
        "%73tock://items/1",
        "stock://items/1?a=b",
        "stock://items/1;a",
        "stock://items/1#a",
        "stock://items/a%2Fb",
        "stock:/items/1",
        `stock://items/${"a".repeat(100)}`
      ]
      for (const uri of spellings) {
        assert.strictEqual(namedScopes(yield* host.send(read(uri, { token }))), "todos:write", uri)
      }
      assert.strictEqual(namedScopes(yield* host.send(complete("stock://items/{id}", "id", { token }))), "todos:write")
      // The server joins the URI and the argument name with a slash, so these requests also complete `stock://items/{id}`.
      assert.strictEqual(namedScopes(yield* host.send(complete("stock:", "/items/{id}/id", { token }))), "todos:write")
      assert.strictEqual(namedScopes(yield* host.send(complete("stock:/", "items/{id}/id", { token }))), "todos:write")
      assert.deepStrictEqual(ran(), [])
      const writer = yield* issuer.mint({ scopes: ["todos:write"] })
      for (const uri of spellings) {
        assert.isUndefined(Mcp.answer(yield* host.send(read(uri, { token: writer }))).error, uri)
      }
      assert.lengthOf(ran(), spellings.length)
    }))

  it.live("[T-AUD-05a] the template that was registered first decides, and one that is not enabled is skipped", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start(kind)
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      assert.strictEqual(namedScopes(yield* host.send(read("stock://first/list", { token }))), "todos:admin")
      assert.strictEqual(namedScopes(yield* host.send(read("stock://era/1", { token }))), "todos:admin")
      assert.deepStrictEqual(ran(), [])
    }))

  it.live("[T-AUD-05a] stock tools and prompts need the scopes of their annotations", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start(kind)
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      assert.strictEqual(namedScopes(yield* host.send(Mcp.call("audit", { token }))), "todos:admin")
      assert.strictEqual(
        namedScopes(yield* host.send(Mcp.modern("prompts/get", { name: "plan" }, { token }))),
        "todos:write"
      )
      assert.deepStrictEqual(ran(), [])
    }))

  it.live("[T-AUD-05a] a registration on the running server with a stock function is guarded as well", () =>
    Effect.gen(function*() {
      const { host, issuer, ran, server, template } = yield* start(kind)
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      const late = McpServer.registerResource`late://${id}`(template("late", needs("todos:write")))
      yield* Effect.provideService(late, McpServer.McpServer, server())
      assert.strictEqual(namedScopes(yield* host.send(read("late://1", { token }))), "todos:write")
      // A second registration of the same template requires another scope.
      const stricter = McpServer.registerResource`late://${id}`(template("late", needs("todos:admin")))
      yield* Effect.provideService(stricter, McpServer.McpServer, server())
      assert.strictEqual(namedScopes(yield* host.send(read("late://1", { token }))), "todos:admin")
      assert.deepStrictEqual(ran(), [])
    }))

  it.live("[T-AUD-05b] a hidden stock registration is in no list, and gets the response of one that does not exist", () =>
    Effect.gen(function*() {
      for (const unlisted of ["allow", "deny"] as const) {
        const { host, issuer, ran } = yield* start(kind, { unlisted })
        const token = yield* issuer.mint({ scopes: ["todos:read"] })
        const admin = yield* issuer.mint({ scopes: ["todos:admin"] })
        const pairs = [
          [(name: string) => Mcp.call(name, { token }), "ghost", "ghoul"],
          [(uri: string) => read(uri, { token }), "stock://hidden", "stock://hudden"],
          [(uri: string) => read(uri, { token }), "stock://secret/1", "stock://secrut/1"],
          [(uri: string) => complete(uri, "id", { token }), "stock://secret/{id}", "stock://secrut/{id}"],
          [(name: string) => Mcp.modern("prompts/get", { name }, { token }), "post_mortem", "post_martem"]
        ] as const
        for (const [send, hidden, unknown] of pairs) {
          const [first, second] = yield* Effect.forEach([hidden, unknown], (name) => host.send(send(name)))
          assert.strictEqual(first!.status, unlisted === "deny" ? 403 : first!.status)
          assert.deepStrictEqual(
            [first!.status, first!.headers["www-authenticate"], first!.body],
            [second!.status, second!.headers["www-authenticate"], second!.body.replaceAll(unknown, hidden)],
            hidden
          )
        }
        assert.deepStrictEqual(ran(), [])
        for (const method of ["tools/list", "resources/list", "resources/templates/list", "prompts/list"]) {
          const { body } = yield* host.send(Mcp.modern(method, {}, { token }))
          assert.notMatch(body, /ghost|hidden|secret|post_mortem/)
          assert.match(
            (yield* host.send(Mcp.modern(method, {}, { token: admin }))).body,
            /ghost|hidden|secret|post_mortem/
          )
        }
        assert.isUndefined(Mcp.answer(yield* host.send(read("stock://hidden", { token: admin }))).error)
        assert.isUndefined(Mcp.answer(yield* host.send(read("stock://secret/1", { token: admin }))).error)
        assert.deepStrictEqual(ran(), ["stock://hidden", "stock://secret/1"])
      }
    }))

  it.live("[T-AUD-05c] `unlisted: \"deny\"` rejects stock templates without scopes, and names that do not exist", () =>
    Effect.gen(function*() {
      const { host, issuer, ran } = yield* start(kind, { unlisted: "deny" })
      const token = yield* issuer.mint({ scopes: ["todos:read", "todos:write", "todos:admin"] })
      const sent = [
        read("stock://open/1", { token }),
        read("stock://about", { token }),
        read("stock://nothing", { token }),
        read("stock://nothing/1", { token }),
        complete("stock://open/{id}", "id", { token }),
        complete("stock:", "/open/{id}/id", { token }),
        complete("stock://nothing/{id}", "id", { token }),
        Mcp.call("nothing", { token }),
        Mcp.modern("prompts/get", { name: "nothing" }, { token }),
        Mcp.modern("subscriptions/listen", { notifications: { resourceSubscriptions: ["stock://nothing"] } }, { token })
      ]
      for (const request of sent) {
        const received = yield* host.send(request)
        assert.deepStrictEqual(
          [received.status, received.headers["www-authenticate"], JSON.parse(received.body).error],
          [403, undefined, "access_denied"],
          request.body
        )
      }
      assert.deepStrictEqual(ran(), [])
    }))

  it.live("[T-AUD-05c] with `unlisted: \"allow\"` a name that does not exist needs a caller", () =>
    Effect.gen(function*() {
      const { host, ran } = yield* start(kind, { anonymous: "allow-unscoped" })
      for (const request of [read("stock://nothing", {}), Mcp.call("nothing"), read("stock://hidden", {})]) {
        assert.strictEqual((yield* host.send(request)).status, 401, request.body)
      }
      assert.strictEqual((yield* host.send(read("stock://open/1", {}))).status, 200)
      assert.deepStrictEqual(ran(), ["stock://open/1"])
    }))

  it.live("[T-AUD-05a] a router with a prefix does not change the scopes", () =>
    Effect.gen(function*() {
      const prefixed = (app: Layer.Layer<never, any, any>): Layer.Layer<never, any, any> =>
        app.pipe(
          Layer.provide(
            Layer.effect(HttpRouter.HttpRouter, Effect.map(HttpRouter.HttpRouter, (_) => _.prefixed("/api")))
          )
        )
      const { host, issuer, ran } = yield* start(kind, {}, prefixed)
      const token = yield* issuer.mint({ scopes: ["todos:read"] })
      assert.strictEqual(
        namedScopes(yield* host.send(read("stock://items/1", { token, path: "/api/mcp" }))),
        "todos:write"
      )
      assert.deepStrictEqual(ran(), [])
    }))
})

/** Reads the event stream of a response. */
const readText = (response: Response) => {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  return {
    /** Reads the stream until the received text contains `awaited` or the stream ends. Returns the text. */
    until: (awaited: string) =>
      Effect.promise(async () => {
        while (!text.includes(awaited)) {
          const { done, value } = await reader.read()
          if (done) break
          text += value
        }
        return text
      }),
    close: Effect.promise(() => reader.cancel())
  }
}

describe("Subscriptions on Effect's server", () => {
  const open = Effect.fnUntraced(
    function*(uris: ReadonlyArray<string>, scopes: ReadonlyArray<string>) {
      const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
      const made = make()
      const handle = yield* Host.webHandler(
        made.layer.pipe(
          Layer.provide(TodoServer.auth(issuer.issuer)),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        ) as Layer.Layer<never, any, any>
      )
      const token = yield* issuer.mint({ scopes })
      const { body, headers } = Mcp.modern(
        "subscriptions/listen",
        { notifications: { resourceSubscriptions: uris } },
        { token }
      )
      const response = yield* handle(
        new Request(TodoServer.resource, { method: "POST", headers: headers as Array<[string, string]>, body: body! })
      )
      const { close, until } = readText(response)
      const update = (uri: string) => made.server().notifications["notifications/resources/updated"]({ uri })
      return { response, until, update, made, close }
    },
    Effect.provide(Logger.layer([]))
  )

  it.live("[T-AUD-13a] a subscription omits hidden and unknown resources, also once they are registered", () =>
    Effect.gen(function*() {
      const uris = ["stock://hidden", "stock://secret/1", "stock://late", "stock://about"]
      const { close, made, response, until, update } = yield* open(uris, ["todos:read"])
      assert.strictEqual(response.status, 200)
      const acknowledged = yield* until("\n\n")
      assert.include(acknowledged, "\"resourceSubscriptions\":[\"stock://about\"]")
      yield* Effect.provideService(
        McpServer.registerResource({
          uri: "stock://late",
          name: "late",
          annotations: needs("todos:admin", "hide"),
          content: Effect.succeed("late")
        }),
        McpServer.McpServer,
        made.server()
      )
      for (const uri of uris) yield* update(uri)
      const received = yield* until("stock://about\"}")
      assert.notMatch(received, /hidden|secret|late/)
      yield* close
    }))

  it.live("[T-AUD-13a] a caller with the scopes receives updates of resources that are hidden from others", () =>
    Effect.gen(function*() {
      const { close, until, update } = yield* open(["stock://hidden", "stock://secret/1"], ["todos:admin"])
      yield* until("\n\n")
      yield* update("stock://hidden")
      yield* update("stock://secret/1")
      assert.include(yield* until("stock://secret/1\"}"), "stock://hidden")
      yield* close
    }))

  /** Opens a subscription to two resources, of which one is hidden from callers without the role `admin`. */
  const openForRoles = Effect.fnUntraced(
    function*(callers: ReadonlyArray<ReadonlyArray<string>>) {
      const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
      let server: McpServer.McpServer["Service"] | undefined
      const content = Effect.succeed("text")
      const policy = Policy.role("admin")
      const handle = yield* Host.webHandler(
        McpAuth.layerHttp({
          ...TodoServer.make().options,
          protocols: TodoServer.protocols,
          registrations: Layer.mergeAll(
            McpAuth.resource({ uri: "role://hidden", name: "hidden", policy, unauthorized: "hide", content }),
            McpAuth.resource`role://${id}/hidden`({
              name: "hidden template",
              policy,
              unauthorized: "hide",
              content: () => content
            }),
            McpServer.resource({ uri: "role://open", name: "open", content }),
            Layer.effectDiscard(Effect.map(McpServer.McpServer, (_) => void (server = _)))
          )
        }).pipe(
          Layer.provide(TodoServer.auth(issuer.issuer, { roles: [["roles"]] })),
          Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
        ) as Layer.Layer<never, any, any>
      )
      const streams = yield* Effect.forEach(callers, (roles) =>
        Effect.gen(function*() {
          const token = yield* issuer.mint({ scopes: ["todos:read"], claims: { roles } })
          const { body, headers } = Mcp.modern(
            "subscriptions/listen",
            { notifications: { resourceSubscriptions: ["role://hidden", "role://1/hidden", "role://open"] } },
            { token }
          )
          const response = yield* handle(
            new Request(TodoServer.resource, {
              method: "POST",
              headers: headers as Array<[string, string]>,
              body: body!
            })
          )
          assert.strictEqual(response.status, 200)
          return readText(response)
        }))
      return { streams, update: (uri: string) => server!.notifications["notifications/resources/updated"]({ uri }) }
    },
    Effect.provide(Logger.layer([]))
  )

  it.live("[T-AUD-13a] a caller without the role receives no update of a resource that its policy hides, and a caller with the role does", () =>
    Effect.gen(function*() {
      const { streams, update } = yield* openForRoles([["admin"], []])
      const acknowledged = yield* Effect.forEach(streams, ({ until }) => until("\n\n"))
      assert.include(acknowledged[0], `"resourceSubscriptions":["role://hidden","role://1/hidden","role://open"]`)
      assert.include(acknowledged[1], `"resourceSubscriptions":["role://open"]`)
      for (const uri of ["role://hidden", "role://1/hidden", "role://open"]) yield* update(uri)
      const received = yield* Effect.forEach(streams, ({ until }) => until("role://open\"}"))
      const updates = received.map((text) =>
        [...text.matchAll(/resources\/updated[^\n]*"uri":"([^"]*)"/g)].map(([, uri]) => uri)
      )
      assert.deepStrictEqual(updates, [["role://hidden", "role://1/hidden", "role://open"], ["role://open"]])
      yield* Effect.forEach(streams, ({ close }) => close)
    }))
})
