import { afterEach, assert, beforeEach, describe, it, onTestFinished, vi } from "@effect/vitest"
import { Context, Effect, Layer, Redacted, Schema } from "effect"
import type { AuthLayer } from "effect-mcp-auth"
import { AuthError, Decision } from "effect-mcp-auth"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { TestIssuer } from "effect-mcp-auth/testing"
import { inspect } from "node:util"
import { fetcherWith } from "../gates.ts"

const resource = "https://server.test/mcp"
const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource }))
const fetcher = fetcherWith(client)
const mint = (options: TestIssuer.TokenOptions = {}) => Effect.runPromise(issuer.mint(options))

const options = {
  resource,
  authorizationServers: [issuer.issuer],
  scopes: { baseline: ["todos:read"], stepUp: ["todos:write"] }
} as const

const make = (more: Omit<AuthLayer.Common<AuthLayer.Scopes>, "scopes" | "claims"> = {}) =>
  McpAuthFetch.make({ ...options, ...more, layer: fetcher })

const post = (token: string | undefined, body: BodyInit | undefined, more: RequestInit = {}) =>
  new Request(resource, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
    },
    ...(body === undefined ? {} : { body }),
    ...more
  })

const call = (name: string) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } })

/** The reasons of promise rejections that nothing has handled since the test began. */
let unhandled: Array<unknown> = []
const note = (reason: unknown) => {
  unhandled.push(reason)
}
beforeEach(() => {
  unhandled = []
  process.on("unhandledRejection", note)
})
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve))
  process.off("unhandledRejection", note)
  assert.deepStrictEqual(unhandled, [])
  await Effect.runPromise(issuer.recover)
})

describe("protect", () => {
  it("passes on a request with an unread body, with the other arguments of the host", async () => {
    await using auth = await make()
    const request = Object.assign(post(await mint(), call("list_todos")), { cf: { colo: "LIS" } })
    const handler = auth.protect(async (given, { body, operations }, env: { readonly KV: string }) => {
      assert.isFalse(given.bodyUsed)
      assert.deepStrictEqual(
        [given.url, given.method, [...given.headers], (given as typeof request).cf],
        [request.url, request.method, [...request.headers], request.cf]
      )
      assert.deepStrictEqual(await new Request(given, { headers: { "x-forwarded": "1" } }).clone().json(), body)
      assert.deepStrictEqual(operations.map(({ kind, target }) => [kind, target]), [["tool", "list_todos"]])
      return new Response(env.KV)
    })
    assert.strictEqual(await (await handler(request, { KV: "kv" })).text(), "kv")
  })

  it("passes on the original request if no body was read", async () => {
    await using auth = await make()
    const request = new Request(resource, { headers: { authorization: `Bearer ${await mint()}` } })
    const handler = auth.protect((given) => {
      assert.strictEqual(given, request)
      return new Response("ran")
    })
    assert.strictEqual(await (await handler(request)).text(), "ran")
  })

  it("passes on a request of the framework's class, which is aborted with the original", async () => {
    class OwnRequest extends Request {
      readonly path = new URL(this.url).pathname
    }
    await using auth = await make()
    const aborting = new AbortController()
    const request = new OwnRequest(post(await mint(), call("list_todos")), { signal: aborting.signal })
    const handler = auth.protect(async (given, { body }) => {
      assert.instanceOf(given, OwnRequest)
      assert.strictEqual((given as OwnRequest).path, "/mcp")
      assert.deepStrictEqual(await given.clone().json(), body)
      assert.isFalse(given.signal.aborted)
      aborting.abort()
      assert.isTrue(given.signal.aborted)
      return new Response("ran")
    })
    assert.strictEqual(await (await handler(request)).text(), "ran")
  })

  it("passes on a plain request if the framework's class cannot be constructed", async () => {
    class OddRequest extends Request {
      constructor(url: unknown, init?: RequestInit) {
        if (typeof url !== "string") throw new TypeError("give a URL")
        super(url, init)
      }
    }
    await using auth = await make()
    const { body, headers, method, url } = post(await mint(), call("list_todos"))
    const request = new OddRequest(url, { body, headers, method, duplex: "half" } as RequestInit)
    const handler = auth.protect(async (given, { body }) => {
      assert.deepStrictEqual([given.url, given.method, [...given.headers]], [url, method, [...headers]])
      assert.deepStrictEqual(await given.json(), body)
      return new Response("ran")
    })
    assert.strictEqual(await (await handler(request)).text(), "ran")
  })

  it("JWT-01 MCP-01 fills the AuthInfo of the SDKs, without showing the token", async () => {
    await using auth = await make({ scopeHierarchy: { "todos:write": ["todos:read"] } })
    const token = await mint({ scopes: ["todos:write"], claims: { tenant: "t1" } })
    const handler = auth.protect((_, { authInfo, principal }) => {
      assert(authInfo !== undefined)
      assert.strictEqual(authInfo.token, token)
      assert.strictEqual<unknown>(Redacted.value(principal!.token), token)
      assert.sameMembers(authInfo.scopes, ["todos:read", "todos:write"])
      const { claims, ...extra } = authInfo.extra as { readonly claims: Record<string, unknown> }
      assert.deepStrictEqual(extra, { subject: "alice", issuer: issuer.issuer, audience: [resource] } as never)
      assert.strictEqual(claims["tenant"], "t1")
      assert.deepStrictEqual(
        [authInfo.clientId, authInfo.expiresAt, authInfo.resource?.href],
        ["client-1", claims["exp"] as number, resource]
      )
      for (const shown of [JSON.stringify(authInfo), inspect(authInfo), JSON.stringify({ ...authInfo })]) {
        assert.notInclude(shown, token)
      }
      return new Response("ok")
    })
    assert.strictEqual(await (await handler(post(token, call("list_todos")))).text(), "ok")
  })

  it("provides the decoded claims of the author's schema", async () => {
    class Tenant extends Context.Service<Tenant, { readonly tenant: string }>()("test/Tenant") {}
    const claims = { service: Tenant, decode: Schema.decodeUnknownResult(Schema.Struct({ tenant: Schema.String })) }
    await using auth = await McpAuthFetch.make({ ...options, claims, layer: fetcher })
    const handler = auth.protect((_, { claims }) => new Response(claims?.tenant))
    const answer = await handler(post(await mint({ claims: { tenant: "t1" } }), call("list_todos")))
    assert.strictEqual(await answer.text(), "t1")
    assert.strictEqual((await handler(post(await mint(), call("list_todos")))).status, 401)
  })

  it("uses the parsed body of a framework that has read it, and rejects a request with an unknown reader", async () => {
    await using auth = await make()
    const policy = () => ({ scopes: ["todos:write"] }) as const
    const token = await mint({ scopes: ["todos:read"] })
    const consumed = async (body: string) => {
      const request = post(token, body)
      return { request, parsed: await request.json() as unknown }
    }
    const withParsedBody = auth.protect((_, { body }, _parsed: unknown) => Response.json(body), {
      policy: ({ target }) => target === "add_todo" ? policy() : undefined,
      parsedBody: (_, parsed) => parsed
    })
    const add = await consumed(call("add_todo"))
    assert.strictEqual((await withParsedBody(add.request, add.parsed)).status, 403)
    const list = await consumed(call("list_todos"))
    assert.deepStrictEqual(await (await withParsedBody(list.request, list.parsed)).json(), list.parsed as never)

    const withoutParsedBody = auth.protect(() => new Response("ran"))
    const rejected = await withoutParsedBody((await consumed(call("add_todo"))).request)
    assert.deepStrictEqual([rejected.status, (await rejected.json() as { error: string }).error], [500, "server_error"])

    const failing = auth.protect(() => new Response("ran"), { parsedBody: () => Promise.reject(new Error("secret")) })
    const broken = await failing(post(token, call("add_todo")))
    assert.strictEqual(broken.status, 500)
    assert.notInclude(await broken.text(), "secret")

    const parsing = auth.protect(() => new Response("ran"), { parsedBody: (request) => request.json() })
    const malformed = await parsing(post(token, "{"))
    assert.deepStrictEqual([malformed.status, (await malformed.json() as { error: string }).error], [
      400,
      "invalid_request"
    ])
  })

  it("requires a caller for undeclared operations, even if anonymous callers are allowed", async () => {
    await using auth = await make({ anonymous: "allow-unscoped" })
    const handler = auth.protect((_, { principal }) => new Response(principal?.subject ?? "nobody"), {
      policy: ({ target }) => target === "open" ? {} : target === "members" ? { authenticated: true } : undefined
    })
    const answer = async (name: string, token?: string) => {
      const response = await handler(post(token, call(name)))
      return response.status === 200 ? await response.text() : response.status
    }
    assert.strictEqual(await answer("open"), "nobody")
    assert.strictEqual(await answer("members"), 401)
    assert.strictEqual(await answer("undeclared"), 401)
    assert.strictEqual(await answer("undeclared", await mint()), "alice")
    const list = await handler(post(undefined, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" })))
    assert.strictEqual(await list.text(), "nobody")
  })

  it("SCOPE-12 rejects the request if the policy throws, and does not reveal the error", async () => {
    await using auth = await make()
    const handler = auth.protect(() => new Response("ran"), {
      policy: () => {
        throw new Error("secret")
      }
    })
    const answer = await handler(post(await mint(), call("list_todos")))
    assert.strictEqual(answer.status, 500)
    assert.notInclude(await answer.text(), "secret")
  })

  it("checks the body of every method that can have one", async () => {
    await using auth = await make()
    const handler = auth.protect(() => new Response("ran"), { policy: () => ({ scopes: ["todos:write"] }) })
    const token = await mint({ scopes: ["todos:read"] })
    for (const method of ["POST", "PUT", "PATCH"]) {
      assert.strictEqual((await handler(post(token, call("add_todo"), { method }))).status, 403, method)
    }
  })

  it("serves the metadata only if the option is set", async () => {
    await using auth = await make()
    const wellKnown = new Request("https://server.test/.well-known/oauth-protected-resource/mcp")
    const handler = () => new Response("ran")
    assert.strictEqual((await auth.protect(handler)(wellKnown)).status, 401)
    assert.strictEqual((await auth.protect(handler, { metadata: true })(wellKnown)).status, 200)
    assert.strictEqual((await auth.metadata(wellKnown))?.status, 200)
    assert.isUndefined(auth.metadata(new Request("https://server.test/.well-known/oauth-protected-resource/other")))
  })

  it("PRM-09 publishes the configured metadata, and nothing else", async () => {
    const wellKnown = new Request("https://server.test/.well-known/oauth-protected-resource/mcp")
    const describe = async (auth: Awaited<ReturnType<typeof make>>) => await (await auth.metadata(wellKnown))!.json()
    const usual = {
      resource,
      authorization_servers: [issuer.issuer],
      scopes_supported: ["todos:read"],
      bearer_methods_supported: ["header"]
    }
    await using plain = await make()
    assert.deepStrictEqual(await describe(plain), usual as never)
    await using named = await make({ resourceName: "Todos", resourceDocumentation: "https://server.test/docs" })
    assert.deepStrictEqual(
      await describe(named),
      { ...usual, resource_name: "Todos", resource_documentation: "https://server.test/docs" } as never
    )
  })

  it("[T-AUD-02a] a preflight reaches only the preflight option, and only from an allowed origin", async () => {
    await using auth = await make({ allowedOrigins: ["https://app.test"] })
    const preflight = (origin: string) =>
      new Request(resource, { method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } })
    const handler = auth.protect((_request, _admission, _env: string) => new Response("ran"), {
      preflight: (request, env) =>
        new Response(null, { status: 204, headers: { "x-seen": `${request.method} ${env}` } })
    })
    const answer = await handler(preflight("https://app.test"), "env")
    assert.strictEqual(answer.headers.get("x-seen"), "OPTIONS env")
    assert.strictEqual((await handler(preflight("https://evil.test"), "env")).status, 403)
  })

  it("counts the bytes that arrive, for any announced length", async () => {
    await using auth = await make()
    const handler = auth.protect(() => new Response("ran"), { maximumBody: 100 })
    const token = await mint()
    let cancelled = false
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode(" ".repeat(64))),
      cancel: () => {
        cancelled = true
      }
    })
    const answer = await handler(post(token, endless, { duplex: "half" } as RequestInit))
    assert.strictEqual(answer.status, 413)
    await new Promise((resolve) => setImmediate(resolve))
    assert.isTrue(cancelled)
    assert.strictEqual((await handler(post(token, call("list_todos")))).status, 200)
  })

  it("passes failures of the handler to its host", async () => {
    await using auth = await make()
    const handler = auth.protect(() => Promise.reject(new Error("mine")))
    const failed = await handler(post(await mint(), call("list_todos"))).catch((error: unknown) => error)
    assert.strictEqual((failed as Error).message, "mine")
  })
})

describe("streams", () => {
  const eventStream = (start: (controller: ReadableStreamDefaultController<Uint8Array>) => void, cancel = () => {}) =>
    new Response(new ReadableStream({ start, cancel }), { headers: { "content-type": "text/event-stream" } })
  const bytes = new TextEncoder().encode(": event\n\n")
  const get = (token: string) => new Request(resource, { headers: { authorization: `Bearer ${token}` } })

  it("are cancelled at their source when the client leaves", async () => {
    await using auth = await make()
    let left = false
    const handler = auth.protect(() => eventStream((_) => _.enqueue(bytes), () => void (left = true)))
    const { body } = await handler(get(await mint()))
    await body!.cancel()
    assert.isTrue(left)
  })

  it("end with their source, and fail with it", async () => {
    await using auth = await make()
    const ending = auth.protect(() =>
      eventStream((controller) => {
        controller.enqueue(bytes)
        controller.close()
      })
    )
    assert.strictEqual(await (await ending(get(await mint()))).text(), ": event\n\n")
    const failing = auth.protect(() => eventStream((_) => _.error(new Error("mine"))))
    const failed = await (await failing(get(await mint()))).text().catch((error: unknown) => error)
    assert.strictEqual((failed as Error).message, "mine")
  })

  it("[T-STREAM-02] count until they end, fail or are cancelled, and never if the platform drops the response", async () => {
    await using auth = await make({ streamsPerCaller: 1 })
    const token = await mint()
    const request = () =>
      new Request(resource, { headers: { authorization: `Bearer ${token}`, accept: "text/event-stream" } })
    const open = (start: (controller: ReadableStreamDefaultController<Uint8Array>) => void) =>
      auth.protect(() => eventStream(start))(request())
    const statusOf = async () => (await auth.protect(() => new Response("ran"))(request())).status

    await open((_) => _.enqueue(bytes))
    assert.strictEqual(await statusOf(), 200)

    const cancelled = (await open((_) => _.enqueue(bytes))).body!.getReader()
    await cancelled.read()
    assert.strictEqual(await statusOf(), 429)
    await cancelled.cancel()
    assert.strictEqual(await statusOf(), 200)

    let source: ReadableStreamDefaultController<Uint8Array>
    for (const end of [() => source.close(), () => source.error(new Error("mine"))]) {
      const reader = (await open((controller) => {
        source = controller
        controller.enqueue(bytes)
      })).body!.getReader()
      await reader.read()
      assert.strictEqual(await statusOf(), 429)
      end()
      await reader.read().catch(() => {})
      assert.strictEqual(await statusOf(), 200)
    }
  })

  it("end when the gate is disposed, because their tokens are not checked any more", async () => {
    const auth = await make()
    let left = false
    const handler = auth.protect(() => eventStream((_) => _.enqueue(bytes), () => void (left = true)))
    const { body } = await handler(get(await mint()))
    const reader = body!.getReader()
    assert.isFalse((await reader.read()).done)
    await auth.dispose()
    assert.isTrue((await reader.read()).done)
    assert.isTrue(left)
  })

  it("end later than the token if they answer a POST", async () => {
    // An open stream also checks the wall clock at the revocation interval.
    await using auth = await make({ revocationInterval: "1 second" })
    let finish = () => {}
    const handler = auth.protect(() =>
      eventStream((controller) => {
        finish = () => {
          controller.enqueue(bytes)
          controller.close()
        }
      })
    )
    const start = Date.now()
    vi.useFakeTimers({ toFake: ["Date"], now: start })
    onTestFinished(() => void vi.useRealTimers())
    const token = await mint({ expiresIn: "1 minute" })
    const { body } = await handler(post(token, call("list_todos")))
    // The stream of a GET with the same token ends when the token expires, so the end of that stream shows that the token of
    // the POST has expired.
    const kept = auth.protect(() => eventStream((_) => _.enqueue(bytes)))
    const stream = await kept(get(token))
    vi.setSystemTime(start + 60_000)
    await stream.text()
    assert.strictEqual((await handler(get(token))).status, 401)
    finish()
    assert.strictEqual(await new Response(body).text(), ": event\n\n")
  })

  it("are not changed if they have another type", async () => {
    await using auth = await make()
    const plain = new Response(new ReadableStream())
    assert.strictEqual(await auth.protect(() => plain)(get(await mint())), plain)
  })
})

describe("protectRoute", () => {
  it("requires a caller with the scopes, and reads no body", async () => {
    await using auth = await make()
    const handler = auth.protectRoute(
      async (request, { principal }) => new Response(`${principal.subject} ${await request.text()}`),
      { scopes: ["todos:read", "todos:write"] }
    )
    const ask = async (headers: Record<string, string>) =>
      handler(new Request("https://server.test/export", { method: "POST", body: "a=b", headers }))
    const anonymous = await ask({})
    assert.strictEqual(anonymous.status, 401)
    const lacking = await ask({ authorization: `Bearer ${await mint({ scopes: ["todos:read"] })}` })
    assert.strictEqual(lacking.status, 403)
    assert.include(lacking.headers.get("www-authenticate"), `scope="todos:read todos:write"`)
    const admitted = await ask({ authorization: `Bearer ${await mint({ scopes: ["todos:read", "todos:write"] })}` })
    assert.strictEqual(await admitted.text(), "alice a=b")
  })

  it("requires a caller if anonymous callers are allowed elsewhere", async () => {
    await using auth = await make({ anonymous: "allow-unscoped" })
    const handler = auth.protectRoute(() => new Response("ran"))
    assert.strictEqual((await handler(new Request(resource))).status, 401)
    const answer = await handler(new Request(resource, { headers: { authorization: `Bearer ${await mint()}` } }))
    assert.strictEqual(await answer.text(), "ran")
  })

  it("[T-AUD-02a] a preflight reaches no handler: the gate answers it, or the preflight option does", async () => {
    await using auth = await make({ allowedOrigins: ["https://app.test"] })
    const preflight = () =>
      new Request(resource, {
        method: "OPTIONS",
        headers: { origin: "https://app.test", "access-control-request-method": "POST" }
      })
    const answer = await auth.protectRoute(() => new Response("ran"))(preflight())
    assert.deepStrictEqual([answer.status, await answer.text()], [204, ""])
    assert.strictEqual(answer.headers.get("access-control-allow-origin"), "https://app.test")
    const provided = auth.protectRoute(() => new Response("ran"), { preflight: () => new Response("own") })
    assert.strictEqual(await (await provided(preflight())).text(), "own")
  })
})

describe("options", () => {
  it("reject wrong values with the name of the option", async () => {
    const error = await McpAuthFetch.make({ ...options, resource: "http://server.test/mcp" }).catch((_: unknown) => _)
    assert.instanceOf(error, AuthError.AuthConfigError)
    assert.strictEqual((error as AuthError.AuthConfigError).option, "resource")
  })

  it.each([
    { anonymous: "allow" },
    { unlisted: "refuse" },
    { challengeScopes: "all" },
    { mirrorMetadata: "no" }
  ])("reject %j, as JavaScript can pass it", async (wrong) => {
    const error = await McpAuthFetch.make({ ...options, ...wrong as {} }).catch((_: unknown) => _)
    assert.instanceOf(error, AuthError.AuthConfigError)
    assert.strictEqual((error as AuthError.AuthConfigError).option, Object.keys(wrong)[0])
  })

  it.each<readonly [unknown, string]>([
    [{ polcy: () => undefined }, "protect.polcy"],
    [{ scopes: ["todos:write"] }, "protect.scopes"],
    [{ policy: { scopes: ["todos:write"] } }, "protect.policy"],
    [["todos:write"], "protect"],
    [null, "protect"]
  ])("[T-AUD-42] reject %j of protect, as JavaScript can pass it", async (wrong, option) => {
    await using auth = await make()
    assert.throws(() => auth.protect(() => new Response(), wrong as {}), new RegExp(`at ${option}: .+`))
  })

  it.each<readonly [unknown, string]>([
    [{ scope: ["todos:write"] }, "protectRoute.scope"],
    [{ scopes: "todos:write" }, "protectRoute.scopes"],
    [{ scopes: () => ["todos:write"] }, "protectRoute.scopes"],
    [["todos:write"], "protectRoute"]
  ])("[T-AUD-42] reject %j of protectRoute, as JavaScript can pass it", async (wrong, option) => {
    await using auth = await make()
    assert.throws(() => auth.protectRoute(() => new Response(), wrong as {}), new RegExp(`at ${option}: .+`))
  })

  it("are named if they are missing", async () => {
    await using auth = await make()
    assert.throws(
      () => auth.protect({ policy: () => undefined } as never),
      /at protect: the first argument: an object is not a function\. Give the handler first/
    )
    assert.throws(
      () => auth.protectRoute({} as never),
      /at protectRoute: the first argument: an object is not a function\. Give the handler first/
    )
    const error = await McpAuthFetch.make(undefined as never).catch((_: unknown) => _)
    assert.match(
      String(error),
      /at options: the value is missing; expected an object\. Give one with resource, authorizationServers and scopes/
    )
  })

  it.each<readonly [string, unknown]>([
    ["a misspelled member", { scope: ["todos:write"] }],
    ["a promise", Promise.resolve({ scopes: ["todos:write"] })],
    ["a function", () => ({ scopes: ["todos:write"] })],
    ["a verdict", false],
    ["a list", ["todos:write"]],
    ["a map", new Map([["scopes", ["todos:write"]]])],
    ["null", null],
    ["null as scopes", { scopes: null }],
    ["a string as scopes", { scopes: "todos:write" }],
    ["a scope that the server does not offer", { scopes: ["todos:wirte"] }]
  ])("[T-AUD-42] a policy that returns %s admits no call", async (_, requirement) => {
    await using auth = await make()
    const handler = auth.protect(() => new Response("ran"), { policy: () => requirement as {} })
    const answer = await handler(post(await mint(), call("add_todo")))
    assert.strictEqual(answer.status, 500)
  })

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("maximumBody %d is rejected", async (maximumBody) => {
    await using auth = await make()
    try {
      auth.protect(() => new Response(), { maximumBody })
      assert.fail("accepted")
    } catch (error) {
      assert.strictEqual((error as AuthError.AuthConfigError).option, "maximumBody")
    }
  })

  it("SCOPE-18 an empty list of scopes is rejected", async () => {
    await using auth = await make()
    assert.throws(() => auth.protectRoute(() => new Response(), { scopes: [] }), /protectRoute.scopes/)
  })

  it("references of the option layer are in force, such as a listener of decisions", async () => {
    const heard: Array<string> = []
    const listener = Layer.succeed(
      Decision.DecisionListener,
      ({ outcome, status }) => Effect.sync(() => void heard.push(`${outcome} ${status}`))
    )
    await using auth = await McpAuthFetch.make({ ...options, layer: Layer.merge(fetcher, listener) })
    const handler = auth.protect(() => new Response("ran"))
    await handler(post(undefined, call("list_todos")))
    await handler(post(await mint(), call("list_todos")))
    assert.deepStrictEqual(heard, ["rejected 401", "admitted 200"])
  })

  it("mock admits its caller without a token", async () => {
    await using auth = await McpAuthFetch.mock({ resource, scopes: ["todos:read"] })
    const handler = auth.protect((_, { principal }) => new Response(principal?.subject))
    assert.strictEqual(await (await handler(post(undefined, call("list_todos")))).text(), "alice")
  })

  it("a scope that is not offered does not compile", async () => {
    await using auth = await make()
    // @ts-expect-error "todos:admin"
    auth.protect(() => new Response(), { policy: () => ({ scopes: ["todos:admin"] }) })
    // @ts-expect-error "todos:admin"
    const route = () => auth.protectRoute(() => new Response(), { scopes: ["todos:admin"] })
    assert.throws(route, /at scopes: protectRoute requires todos:admin, which the server does not offer/)
  })

  it("rejects a preflight or a parsed body that is not a function", async () => {
    await using auth = await make()
    for (const option of ["preflight", "parsedBody"]) {
      const protect = () => auth.protect(() => new Response(), { [option]: {} } as never)
      assert.throws(protect, new RegExp(`at protect.${option}: an object is not a function`))
    }
  })
})

describe("the end", () => {
  it("two calls of make create independent gates", async () => {
    const [one, other] = [await make(), await make()]
    assert.notStrictEqual(one.gate, other.gate)
    const open = (auth: typeof one) => auth.protect(() => new Response("ran", { headers: { "mcp-session-id": "s1" } }))
    const token = await mint()
    assert.strictEqual((await open(one)(post(token, call("a")))).status, 200)
    const inSession = () => {
      const request = post(token, call("a"))
      request.headers.set("mcp-session-id", "s1")
      return request
    }
    assert.strictEqual((await open(other)(inSession())).status, 404)
    await other.dispose()
    assert.strictEqual((await open(other)(post(token, call("a")))).status, 503)
    assert.strictEqual((await open(one)(inSession())).status, 200)
    await one.dispose()
  })

  it("dispose during a request answers it with 503, as every later one", async () => {
    const auth = await make()
    let ran = false
    const handler = auth.protect(() => {
      ran = true
      return new Response("ran")
    })
    await Effect.runPromise(issuer.fail({ _tag: "Hang" }))
    const waiting = handler(post(await mint(), call("a")))
    await new Promise((resolve) => setImmediate(resolve))
    await auth.dispose()
    const answers = [await waiting, await handler(post(await mint(), call("a")))]
    for (const answer of answers) {
      assert.deepStrictEqual([answer.status, answer.headers.get("retry-after")], [503, "1"])
      assert.isNull(answer.headers.get("www-authenticate"))
    }
    assert.isFalse(ran)
    await auth.dispose()
  })

  it("a request that is aborted while the gate waits runs nothing", async () => {
    await using auth = await make()
    let ran = false
    const handler = auth.protect(() => {
      ran = true
      return new Response("ran")
    })
    await Effect.runPromise(issuer.fail({ _tag: "Hang" }))
    const aborting = new AbortController()
    const waiting = handler(post(await mint(), call("a"), { signal: aborting.signal }))
    await new Promise((resolve) => setImmediate(resolve))
    aborting.abort()
    assert.strictEqual((await waiting).status, 503)
    assert.isFalse(ran)
  })

  it("a body that breaks off runs nothing, and its source is cancelled", async () => {
    await using auth = await make()
    let ran = false
    const handler = auth.protect(() => {
      ran = true
      return new Response("ran")
    })
    const token = await mint()
    const broken = new ReadableStream({
      pull: (controller) => controller.error(new Error("connection reset"))
    })
    assert.strictEqual((await handler(post(token, broken, { duplex: "half" } as RequestInit))).status, 400)

    let left = false
    let started = () => {}
    const reading = new Promise<void>((resolve) => (started = resolve))
    const hanging = new ReadableStream({
      pull: () => {
        started()
        return new Promise(() => {})
      },
      cancel: () => {
        left = true
      }
    }, { highWaterMark: 0 })
    const aborting = new AbortController()
    const waiting = handler(post(token, hanging, { duplex: "half", signal: aborting.signal } as RequestInit))
    await reading
    aborting.abort()
    assert.include([400, 503], (await waiting).status)
    await new Promise((resolve) => setImmediate(resolve))
    assert.isTrue(left)
    assert.isFalse(ran)
  })
})

describe("a route with a cached token", () => {
  const heard: Array<Omit<Decision.Decision, "duration">> = []
  const waits = Layer.succeed(
    Decision.DecisionListener,
    ({ duration: _, ...decision }) => Effect.delay(Effect.sync(() => void heard.push(decision)), "1 millis")
  )

  it("is reported as with a new token, and waits for the listener", async () => {
    heard.length = 0
    await using auth = await McpAuthFetch.make({ ...options, layer: Layer.merge(fetcher, waits) })
    const handler = auth.protectRoute(() => new Response("ran"), { scopes: ["todos:read"] })
    const ask = async (headers: Record<string, string>) => (await handler(new Request(resource, { headers }))).status
    const token = await mint({ scopes: ["todos:read"] })
    for (let turn = 1; turn <= 3; turn++) {
      assert.strictEqual(await ask({ authorization: `Bearer ${token}` }), 200)
      assert.lengthOf(heard, turn)
    }
    assert.deepStrictEqual(heard[0]!.operations, ["GET"])
    assert.deepStrictEqual(heard[0]!.required, ["todos:read"])
    assert.deepStrictEqual(heard[1], heard[0])
    assert.deepStrictEqual(heard[2], heard[0])
  })

  it("is rejected for its Origin and for a scope, as with a new token", async () => {
    await using auth = await make()
    const handler = auth.protectRoute(() => new Response("ran"), { scopes: ["todos:read"] })
    const ask = async (headers: Record<string, string>) => (await handler(new Request(resource, { headers }))).status
    const [reads, writes] = [await mint({ scopes: ["todos:read"] }), await mint({ scopes: ["todos:write"] })]
    for (let turn = 0; turn < 2; turn++) {
      assert.strictEqual(await ask({ authorization: `Bearer ${reads}` }), 200)
      assert.strictEqual(await ask({ authorization: `Bearer ${writes}` }), 403)
      assert.strictEqual(await ask({ authorization: `Bearer ${reads}`, origin: "https://evil.test" }), 403)
      assert.strictEqual(await ask({ authorization: `Bearer ${reads}`, origin: "https://server.test" }), 200)
    }
  })
})
