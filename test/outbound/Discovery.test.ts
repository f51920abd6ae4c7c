import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import type { TestIssuer } from "effect-mcp-auth/testing"
import { Discovery, Fetcher } from "effect-mcp-auth/verification"
import { FetchHttpClient, HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import * as support from "../verification/support.ts"

const inserted = "/.well-known/oauth-authorization-server"
const openid = "/.well-known/openid-configuration"

const good = { issuer: "https://issuer.test", jwks_uri: "https://issuer.test/jwks" }
const body = (content: unknown): TestIssuer.Fault => ({
  _tag: "Body",
  body: typeof content === "string" || content instanceof Uint8Array ? content : JSON.stringify(content),
  contentType: "application/json"
})
const status = (status: number, headers: Readonly<Record<string, string>> = {}): TestIssuer.Fault => ({
  _tag: "Status",
  status,
  headers
})

const mebibyte = 1024 * 1024

/** Responses to a request for metadata that contain no metadata. For each response: how the error describes it. */
const unusable: ReadonlyArray<
  { readonly title: string; readonly fault: TestIssuer.Fault; readonly is: string; readonly detail?: string }
> = [
  { title: "404", fault: status(404), is: "status", detail: "answered 404" },
  { title: "401", fault: status(401), is: "status", detail: "answered 401" },
  {
    title: "200 with nothing in it",
    fault: status(200),
    is: "content-type",
    detail: "has the content type (none); expected application/json"
  },
  { title: "201", fault: status(201, { "content-type": "application/json" }), is: "status" },
  { title: "500", fault: status(500), is: "server-error" },
  { title: "503", fault: status(503), is: "server-error" },
  { title: "429", fault: status(429), is: "server-error" },
  { title: "no connection", fault: { _tag: "Reject" }, is: "network" },
  {
    title: "301",
    fault: status(301, { location: "https://elsewhere.test/metadata" }),
    is: "redirect",
    detail: "redirects to https://elsewhere.test/metadata"
  },
  {
    title: "302 to a URL with secrets",
    fault: status(302, { location: "https://user:secret@elsewhere.test/metadata?key=secret" }),
    is: "redirect",
    detail: "redirects to https://…@elsewhere.test/metadata?…. Redirects"
  },
  {
    title: "metadata that name a URL with a user",
    fault: body({ ...good, jwks_uri: "https://user:secret@issuer.test/jwks?key=secret" }),
    is: "insecure-url",
    detail: "names https://…@issuer.test/jwks?… as jwks_uri, which has a user name"
  },
  { title: "302", fault: status(302, { location: "/elsewhere" }), is: "redirect", detail: "redirects to /elsewhere" },
  { title: "307 to the same URL", fault: status(307, { location: openid }), is: "redirect" },
  { title: "308 without a target", fault: status(308), is: "redirect", detail: "set metadataUrl" },
  {
    title: "a web page",
    fault: { _tag: "Body", body: "<html>", contentType: "text/html" },
    is: "content-type",
    detail: "text/html"
  },
  {
    title: "metadata served as text",
    fault: { _tag: "Body", body: JSON.stringify(good), contentType: "text/plain" },
    is: "content-type"
  },
  { title: "DISC-06 metadata body empty: typed error", fault: body(""), is: "not-json" },
  { title: "DISC-06 metadata body not JSON: typed error", fault: body("{issuer:1}"), is: "not-json" },
  { title: "DISC-06 metadata body JSON null: typed error", fault: body(null), is: "not-metadata" },
  {
    title: "DISC-06 metadata body JSON without issuer: typed error",
    fault: body({ jwks_uri: good.jwks_uri }),
    is: "not-metadata"
  },
  { title: "metadata body a list", fault: body([good]), is: "not-metadata" },
  { title: "metadata body a string", fault: body(`"metadata"`), is: "not-metadata" },
  { title: "metadata body cut off", fault: body(JSON.stringify(good).slice(0, -1)), is: "not-json" },
  { title: "a byte order mark", fault: body(`\ufeff${JSON.stringify(good)}`), is: "not-json" },
  {
    title: "invalid UTF-8",
    fault: body(new Uint8Array([...new TextEncoder().encode(`{"issuer":"`), 0xff, 0x22, 0x7d])),
    is: "not-json"
  },
  { title: "issuer a number", fault: body({ ...good, issuer: 1 }), is: "not-metadata" },
  { title: "issuer a list", fault: body({ ...good, issuer: [good.issuer] }), is: "not-metadata" },
  { title: "issuer in __proto__ only", fault: body(`{"__proto__":${JSON.stringify(good)}}`), is: "not-metadata" },
  { title: "jwks_uri a number", fault: body({ ...good, jwks_uri: 1 }), is: "not-metadata" },
  {
    title: "DISC-07 metadata issuer differs from the configured issuer: rejected",
    fault: body({ ...good, issuer: "https://other.test" }),
    is: "wrong-issuer",
    detail: "names the issuer https://other.test"
  },
  {
    title: "DISC-07 metadata issuer differs by a final slash: rejected",
    fault: body({ ...good, issuer: "https://issuer.test/" }),
    is: "wrong-issuer",
    detail: "names the issuer https://issuer.test/. If this issuer is correct, set it as the issuer"
  },
  { title: "issuer in capitals", fault: body({ ...good, issuer: "https://ISSUER.test" }), is: "wrong-issuer" },
  { title: "no jwks_uri", fault: body({ issuer: good.issuer }), is: "missing-member", detail: "has no jwks_uri" },
  {
    title: "jwks_uri in __proto__ only",
    fault: body(`{"issuer":"${good.issuer}","__proto__":{"jwks_uri":"https://evil.test"}}`),
    is: "missing-member"
  },
  {
    title: "jwks_uri over http",
    fault: body({ ...good, jwks_uri: "http://issuer.test/jwks" }),
    is: "insecure-url",
    detail: "names http://issuer.test/jwks as jwks_uri, which is not https"
  },
  ...[
    "https://@issuer.test/jwks",
    "https://user@issuer.test/jwks",
    "https://issuer.test/jwks#",
    "https:/issuer.test/jwks"
  ]
    .map((uri) => ({
      title: `[T-AUD-31] jwks_uri ${uri}`,
      fault: body({ ...good, jwks_uri: uri }),
      is: "insecure-url"
    })),
  {
    title: "jwks_uri relative",
    fault: body({ ...good, jwks_uri: "/jwks" }),
    is: "insecure-url",
    detail: "not an absolute URL"
  },
  {
    title: "nested deeply",
    fault: body(`{"issuer":"${good.issuer}","x":${"[".repeat(9999)}${"]".repeat(9999)}}`),
    is: "too-large",
    detail: "nests deeper"
  },
  {
    title: "SSRF-06 too large, as announced by Content-Length: rejected before reading",
    fault: status(200, { "content-type": "application/json", "content-length": String(mebibyte + 1) }),
    is: "too-large",
    detail: String(mebibyte)
  },
  {
    title: "SSRF-07 too large, without Content-Length: stopped while streaming",
    fault: body(`"${"x".repeat(mebibyte - 1)}"`),
    is: "too-large"
  }
]

const unavailable = ["server-error", "network", "timeout"]

describe("one document that cannot be used", () => {
  it.effect.each(unusable)("$title: $is", ({ detail, fault, is }) =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.fail(fault)
      const error = yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
      assert.strictEqual(error.reason, is)
      assert.strictEqual(error.issuer, "https://issuer.test")
      if (error._tag === "InvalidMetadata") {
        assert.isFalse(unavailable.includes(is))
        assert.include(error.detail, `https://issuer.test${inserted}`)
        assert.include(error.detail, detail ?? "")
      } else {
        assert.isTrue(unavailable.includes(is))
        assert.isAtLeast(error.retryAfter, 1)
      }
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [inserted, openid])
    }))

  it.effect.each(unusable)("$title: the next URL is tried", ({ fault }) =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.fail(fault, inserted)
      assert.strictEqual((yield* discovery.metadata(server, "jwks_uri")).jwks_uri, good.jwks_uri)
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [inserted, openid])
    }))

  it.effect("a document of one mebibyte is read", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      const bare = JSON.stringify({ ...good, pad: "" }).length
      yield* issuer.fail(body({ ...good, pad: "x".repeat(mebibyte - bare) }))
      assert.strictEqual((yield* discovery.metadata(server, "jwks_uri")).issuer, good.issuer)
    }))

  it.effect.each([
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
    "application/jwk-set+json"
  ])(
    "%s is JSON",
    (contentType) =>
      Effect.gen(function*() {
        const { discovery, issuer, server } = yield* support.services()
        yield* issuer.fail({ _tag: "Body", body: JSON.stringify(good), contentType })
        assert.strictEqual((yield* discovery.metadata(server, "jwks_uri")).issuer, good.issuer)
      })
  )

  it.effect("errors about a configured URL omit its query, which can contain a secret", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services({})
      const configured = { ...server, metadataUrls: ["https://issuer.test/metadata?key=secret"] }
      for (const fault of [status(404), body({ ...good, issuer: "https://other.test" }), body("{")]) {
        yield* issuer.fail(fault, "issuer.test")
        const error = yield* Effect.flip(discovery.metadata({ ...configured }, "jwks_uri"))
        assert.include(error.message, "https://issuer.test/metadata?… ")
        assert.notInclude(error.message, "secret")
      }
    }))

  it.effect("does not follow a redirect, and the error names its target and the option", () =>
    Effect.gen(function*() {
      let elsewhere = 0
      const { discovery, issuer, server } = yield* support.services({
        elsewhere: () => {
          elsewhere++
          return Response.json(good)
        }
      })
      yield* issuer.fail(status(302, { location: "https://elsewhere.test/metadata" }), "issuer.test")
      const error = yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
      assert.strictEqual(error._tag, "InvalidMetadata")
      assert.include(error.message, "https://elsewhere.test/metadata")
      assert.include(error.message, "set metadataUrl")
      assert.strictEqual(elsewhere, 0)
    }))

  it.effect("a client that throws is an outage", () =>
    Effect.gen(function*() {
      const { client } = yield* support.services()
      const thrown = HttpClient.mapRequestEffect(client, () => Effect.die(new Error("a bug of the client")))
      const discovery = yield* Effect.provideService(Discovery.make, Fetcher.Fetcher, HttpClientFetcher.make(thrown))
      const error = yield* Effect.flip(discovery.metadata(support.serverOf(good.issuer), "jwks_uri"))
      assert.deepStrictEqual([error._tag, error.reason], ["AuthorizationServerUnavailable", "network"])
    }))

  it.effect("keeps other members unchanged", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.publishMetadata({ frontchannel_logout_supported: "perhaps", x: { y: [1] } })
      assert.deepInclude(yield* discovery.metadata(server, "jwks_uri"), {
        frontchannel_logout_supported: "perhaps",
        x: { y: [1] }
      })
    }))
})

describe("the order of the URLs", () => {
  it.effect("DISC-01 issuer without path: the well-known URLs at the origin, the second only if needed", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* discovery.metadata(server, "jwks_uri")
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [inserted])
    }))

  it.effect("DISC-03 issuer with a path: RFC 8414 insertion, then OpenID insertion, then OpenID appending", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services({ issuer: "https://issuer.test/tenant" })
      yield* issuer.fail(status(404), "/.well-known/o")
      yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [
        `${inserted}/tenant`,
        `${openid}/tenant`,
        `/tenant${openid}`
      ])
    }))

  it.effect.each(["https://issuer.test/tenant", "https://issuer.test/tenant/"])(
    "DISC-04 issuer %s: <path>/.well-known/openid-configuration, no doubled slash",
    (name) =>
      Effect.gen(function*() {
        const { discovery, issuer, server } = yield* support.services({ issuer: name })
        yield* issuer.fail(status(404), "issuer.test/.well-known")
        assert.strictEqual((yield* discovery.metadata(server, "jwks_uri")).issuer, name)
        assert.strictEqual((yield* support.requestedUrls(issuer)).at(-1), `/tenant${openid}`)
      })
  )

  it.effect("if one of them is down, the provider is unavailable rather than wrong", () =>
    Effect.gen(function*() {
      for (const where of [inserted, openid]) {
        const { discovery, issuer, server } = yield* support.services()
        yield* issuer.publishMetadata({ issuer: "https://other.test" })
        yield* issuer.fail(status(502), where)
        const error = yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
        assert.strictEqual(error._tag, "AuthorizationServerUnavailable")
        assert.strictEqual(error.reason, "server-error")
      }
    }))

  it.effect("the error names the complaint that is more specific than a 404", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.publishMetadata({ issuer: "https://other.test" })
      yield* issuer.fail(status(404), inserted)
      assert.strictEqual((yield* Effect.flip(discovery.metadata(server, "jwks_uri"))).reason, "wrong-issuer")
    }))

  it.effect("requests only metadataUrl if it is set", () =>
    Effect.gen(function*() {
      const metadataUrl = "https://elsewhere.test/metadata"
      const { discovery, issuer, server } = yield* support.services({
        server: { metadataUrl },
        elsewhere: (url) => url.href === metadataUrl ? Response.json(good) : undefined
      })
      assert.strictEqual((yield* discovery.metadata(server, "jwks_uri")).jwks_uri, good.jwks_uri)
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [metadataUrl])
    }))

  it.effect("sends no request if the metadata is configured", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services({ server: { metadata: good } })
      assert.strictEqual((yield* discovery.metadata(server, "jwks_uri")).jwks_uri, good.jwks_uri)
      const error = yield* Effect.flip(discovery.metadata(server, "introspection_endpoint"))
      assert.strictEqual(error.reason, "missing-member")
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))

  it.effect("the required members depend on the caller of the look-up", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.publishMetadata({ jwks_uri: undefined, introspection_endpoint: "https://issuer.test/introspect" })
      assert.strictEqual((yield* Effect.flip(discovery.metadata(server, "jwks_uri"))).reason, "missing-member")
      const metadata = yield* discovery.metadata(server, "introspection_endpoint")
      assert.strictEqual(metadata.introspection_endpoint, "https://issuer.test/introspect")
    }))
})

describe("the time limits", () => {
  it.effect("gives up one document after 5 seconds", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.fail({ _tag: "Hang" }, inserted)
      const fiber = yield* Effect.forkChild(discovery.metadata(server, "jwks_uri"))
      yield* TestClock.adjust("4999 millis")
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [inserted])
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* Fiber.join(fiber)).issuer, good.issuer)
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [inserted, openid])
    }))

  it.effect("ends the whole look-up within 8 seconds if all three URLs hang", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services({ issuer: "https://issuer.test/tenant" })
      yield* issuer.fail({ _tag: "Hang" })
      const fiber = yield* Effect.forkChild(Effect.flip(discovery.metadata(server, "jwks_uri")))
      yield* TestClock.adjust("7999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "AuthorizationServerUnavailable")
      assert.strictEqual(error.reason, "timeout")
    }))

  it.effect("ends the look-up even if a caller cannot be interrupted", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.fail({ _tag: "Hang" })
      const fiber = yield* discovery.metadata(server, "jwks_uri").pipe(
        Effect.flip,
        Effect.uninterruptible,
        Effect.forkChild
      )
      yield* TestClock.adjust("8 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).reason, "timeout")
    }))

  /**
   * Creates services whose metadata response has a stream as its body. `pull` produces the next chunk. Records how many chunks
   * were requested, and whether the body was cancelled.
   */
  const streaming = (pull: (controller: ReadableStreamDefaultController<Uint8Array>) => void | Promise<void>) => {
    const state = { cancelled: false, sent: 0 }
    const stream = () =>
      new ReadableStream<Uint8Array>({
        pull: (controller) => {
          state.sent++
          return pull(controller)
        },
        cancel: () => {
          state.cancelled = true
        }
      })
    const metadataUrl = "https://elsewhere.test/metadata"
    const services = support.services({
      server: { metadataUrl },
      elsewhere: () => new Response(stream(), { headers: { "content-type": "application/json" } })
    })
    return { state, services }
  }

  it.effect("cuts off an endless document after one mebibyte", () =>
    Effect.gen(function*() {
      const { services, state } = streaming((controller) => controller.enqueue(new Uint8Array(64 * 1024)))
      const { discovery, server } = yield* services
      const error = yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
      assert.strictEqual(error.reason, "too-large")
      assert.isAtMost(state.sent, 20)
      assert.isTrue(state.cancelled)
    }))

  it.effect("gives up a document that stalls after 5 seconds", () =>
    Effect.gen(function*() {
      const { services, state } = streaming((controller) => {
        if (state.sent === 1) return controller.enqueue(new Uint8Array(1))
        return new Promise(() => {})
      })
      const { discovery, server } = yield* services
      const fiber = yield* Effect.forkChild(Effect.flip(discovery.metadata(server, "jwks_uri")))
      yield* TestClock.adjust("5 seconds")
      const error = yield* Fiber.join(fiber)
      assert.strictEqual(error._tag, "AuthorizationServerUnavailable")
      assert.strictEqual(error.reason, "timeout")
      assert.isTrue(state.cancelled)
    }))

  it.effect("reports an outage if a document breaks off", () =>
    Effect.gen(function*() {
      const { services } = streaming((controller) => controller.error(new Error("reset by peer")))
      const { discovery, server } = yield* services
      const error = yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
      assert.strictEqual(error._tag, "AuthorizationServerUnavailable")
      assert.strictEqual(error.reason, "network")
    }))
})

describe("the cache of documents", () => {
  it.effect("DISC-09 many concurrent first requests: one request, and all share its result", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.fail({ _tag: "Slow", by: "2 seconds" })
      const fiber = yield* Effect.forkChild(Effect.all(
        Array.from({ length: 100 }, () => discovery.metadata(server, "jwks_uri")),
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust("2 seconds")
      const results = yield* Fiber.join(fiber)
      assert.lengthOf(new Set(results), 1)
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [inserted])
    }))

  it.effect("DISC-09 many concurrent first requests that fail: one look-up, and all share its failure", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.fail({ _tag: "Hang" })
      const fiber = yield* Effect.forkChild(Effect.all(
        Array.from({ length: 100 }, () => Effect.flip(discovery.metadata(server, "jwks_uri"))),
        { concurrency: "unbounded" }
      ))
      yield* TestClock.adjust("8 seconds")
      for (const error of yield* Fiber.join(fiber)) assert.strictEqual(error.reason, "timeout")
      assert.deepStrictEqual(yield* support.requestedUrls(issuer), [inserted, openid])
    }))

  it.effect("DISC-11 reuses the document until the maximum age, then fetches it again", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      for (let second = 0; second < 7.5 * 60; second++) {
        yield* discovery.metadata(server, "jwks_uri")
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(yield* support.takeRequestedUrls(issuer), [inserted])
      yield* issuer.publishMetadata({ jwks_uri: "https://issuer.test/other" })
      for (let second = 0; second < 60; second++) {
        yield* discovery.metadata(server, "jwks_uri")
        yield* settled
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(yield* support.takeRequestedUrls(issuer), [inserted])
      assert.strictEqual((yield* discovery.metadata(server, "jwks_uri")).jwks_uri, "https://issuer.test/other")
    }))

  it.effect("does not cache a failure: tries again after the backoff", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.fail(status(500))
      yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
      yield* issuer.recover
      const error = yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
      assert.strictEqual(error.reason, "server-error")
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* discovery.metadata(server, "jwks_uri")).issuer, good.issuer)
    }))

  it.effect("serves the stale document for 24 hours, then reports an outage", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      const first = yield* discovery.metadata(server, "jwks_uri")
      yield* issuer.fail(status(503))
      for (let minute = 0; minute < 24 * 60; minute += 30) {
        assert.strictEqual(yield* discovery.metadata(server, "jwks_uri"), first)
        yield* TestClock.adjust("30 minutes")
      }
      const error = yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
      assert.deepStrictEqual([error._tag, error.reason], ["AuthorizationServerUnavailable", "server-error"])
    }))

  it.effect.each([
    { title: "another issuer", members: { issuer: "https://other.test" } },
    { title: "no jwks_uri", members: { jwks_uri: undefined } },
    { title: "a jwks_uri without https", members: { jwks_uri: "http://issuer.test/jwks" } },
    { title: "a jwks_uri inside the network", members: { jwks_uri: "https://10.0.0.1/jwks" } },
    { title: "an issuer that is a number", members: { issuer: 1 } }
  ])("[T-AUD-15] metadata with $title does not replace good metadata", ({ members }) =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      const before = yield* discovery.metadata(server, "jwks_uri")
      yield* issuer.publishMetadata(members)
      for (let hour = 0; hour < 23; hour++) {
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual(yield* discovery.metadata(server, "jwks_uri"), before)
        assert.deepStrictEqual(yield* discovery.metadata(server, "jwks_uri"), before)
      }
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* Effect.flip(discovery.metadata(server, "jwks_uri")))._tag, "InvalidMetadata")
    }))

  it.effect("does not follow a later document of another issuer", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      const first = yield* discovery.metadata(server, "jwks_uri")
      yield* issuer.publishMetadata({ issuer: "https://other.test", jwks_uri: "https://other.test/jwks" })
      yield* TestClock.adjust("11 minutes")
      assert.strictEqual(yield* discovery.metadata(server, "jwks_uri"), first)
      assert.isAbove((yield* issuer.requests).length, 1)
    }))

  it.effect("lets the backoff between look-ups grow to a minute", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services({
        server: { metadataUrl: "https://issuer.test/.well-known/oauth-authorization-server" }
      })
      yield* issuer.fail(status(500))
      const began: Array<number> = []
      for (let second = 0; second < 200; second++) {
        yield* Effect.flip(discovery.metadata(server, "jwks_uri"))
        if ((yield* support.takeRequestedUrls(issuer)).length > 0) began.push(second)
        yield* TestClock.adjust("1 second")
      }
      assert.deepStrictEqual(began, [0, 1, 3, 7, 15, 31, 63, 123, 183])
    }))

  it.effect.each([
    { cacheControl: "max-age=1", seconds: 5 * 60 },
    { cacheControl: "no-store", seconds: 5 * 60 },
    { cacheControl: "max-age=1200", seconds: 20 * 60 },
    { cacheControl: "max-age=31536000", seconds: 60 * 60 }
  ])("Cache-Control: $cacheControl means $seconds seconds", ({ cacheControl, seconds }) =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services()
      yield* issuer.respondWith(
        inserted,
        () => Response.json(good, { headers: { "cache-control": cacheControl } })
      )
      yield* discovery.metadata(server, "jwks_uri")
      yield* TestClock.adjust(`${seconds * 0.75 - 1} seconds`)
      yield* discovery.metadata(server, "jwks_uri")
      yield* settled
      assert.lengthOf(yield* support.takeRequestedUrls(issuer), 1)
      yield* TestClock.adjust("1 second")
      yield* discovery.metadata(server, "jwks_uri")
      yield* settled
      assert.lengthOf(yield* support.takeRequestedUrls(issuer), 1)
    }))

  it.effect("does not share documents of two servers with the same issuer and different locations", () =>
    Effect.gen(function*() {
      const { discovery, issuer, server } = yield* support.services({
        elsewhere: () => Response.json({ ...good, jwks_uri: "https://elsewhere.test/jwks" })
      })
      const other = support.serverOf(issuer.issuer, { metadataUrl: "https://elsewhere.test/metadata" })
      assert.strictEqual((yield* discovery.metadata(server, "jwks_uri")).jwks_uri, good.jwks_uri)
      assert.strictEqual((yield* discovery.metadata(other, "jwks_uri")).jwks_uri, "https://elsewhere.test/jwks")
    }))
})

/** Lets pending promises settle. */
const settled = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe("the fetch client", () => {
  /** Creates an issuer to which the library sends requests with `fetch`. Records the options of each call of `fetch`. */
  const fetched = Effect.gen(function*() {
    const { issuer, server } = yield* support.services()
    const inits: Array<RequestInit | undefined> = []
    const reach = yield* issuer.fetch
    const fetch: typeof globalThis.fetch = (input, init) => {
      inits.push(init)
      return reach(input, init)
    }
    const client = FetchHttpClient.layer.pipe(
      // oxlint-disable-next-line no-restricted-properties -- this `fetch` requests only TestIssuer
      Layer.provideMerge(Layer.succeed(FetchHttpClient.Fetch, fetch))
    )
    const look = Effect.gen(function*() {
      return yield* (yield* Discovery.make).metadata(server, "jwks_uri")
    }).pipe(Effect.provide(HttpClientFetcher.layer), Effect.provide(client))
    return { inits, issuer, look }
  })

  it.effect("requests no redirects and no cookies, for every provided fetch", () =>
    Effect.gen(function*() {
      const { inits, look } = yield* fetched
      yield* look
      assert.lengthOf(inits, 1)
      assert.strictEqual(inits[0]!.redirect, "manual")
      assert.strictEqual(inits[0]!.credentials, "omit")
      assert.isFalse(new Headers(inits[0]!.headers).has("authorization"))
    }))

  it.effect("treats a redirect that fetch hides as a redirect", () =>
    Effect.gen(function*() {
      const { issuer, look } = yield* fetched
      yield* issuer.respondWith("", () => Object.defineProperty(new Response(""), "status", { value: 0 }))
      const error = yield* Effect.flip(look)
      assert.strictEqual(error.reason, "redirect")
    }))
})
