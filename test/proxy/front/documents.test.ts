import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import * as http from "node:http"
import * as https from "node:https"
import type { AddressInfo } from "node:net"
import * as AddressGuard from "../../../src/outbound/AddressGuard.ts"
import { FetchError, type Response } from "../../../src/outbound/Fetcher.ts"
import type * as nodeFetcher from "../../../src/outbound/NodeFetcher.ts"
import type { ClientDocumentError } from "../../../src/proxy/front/Client.ts"
import * as clientDocuments from "../../../src/proxy/front/ClientDocuments.ts"
import { isUrl } from "../../../src/proxy/front/ClientDocumentUrl.ts"
import * as documentFetcher from "../../../src/proxy/front/internal/documentFetcher.ts"
import { privateUseDefaults } from "../../../src/proxy/front/RedirectUri.ts"
import { documents } from "./clientTable.ts"
import { fieldsOf, makeBrowser, textOf, world } from "./world.ts"

const url = "https://app.example.com/client.json"
const document = { client_id: url, client_name: "App", redirect_uris: ["https://app.example.com/callback"] }

const respond = (body: unknown, status = 200, headers: Record<string, string> = {}): Response => ({
  status,
  headers: { "content-type": "application/json", ...headers },
  body: new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body))
})

/** A fetcher that answers with a function, and the cache in front of it. */
const cache = (answer: (url: string) => Effect.Effect<Response, FetchError>) =>
  Effect.gen(function*() {
    const state = { requests: 0, answer }
    const found = yield* clientDocuments.make({
      send: (sent) =>
        Effect.suspend(() => {
          state.requests++
          assert.strictEqual(sent.maximumBytes, 5 * 1024)
          return state.answer(sent.url)
        })
    }, privateUseDefaults)
    return { ...found, state }
  })

const reasonOf = (find: Effect.Effect<unknown, ClientDocumentError>) =>
  Effect.map(Effect.result(find), (result) => Result.isFailure(result) ? result.failure.reason : "found")

describe("client metadata documents", () => {
  it.effect.each(documents)(
    "attack 10: the document of $client is accepted, and a redirect to this device shows a warning",
    ({ document, url, uses }) =>
      Effect.gen(function*() {
        const found = yield* cache((requested) =>
          Effect.succeed(requested === url ? respond(document) : respond("", 404))
        )
        const proxy = yield* world({ documents: found })
        const page = yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id: url, redirect_uri: uses }))
        assert.strictEqual(page.status, 200, textOf(page))
        assert.property(fieldsOf(page), "transaction")
        assert.include(textOf(page), new URL(url).host)
        // Attack 10: every program on the device can claim to be the client.
        assert.strictEqual(
          textOf(page).includes(`Any application on this device can claim to be ${new URL(url).host}`),
          uses.startsWith("http:")
        )
      })
  )

  it.effect("attack 12: the logo and the links of a client are neither fetched nor shown", () =>
    Effect.gen(function*() {
      const links = {
        logo_uri: "https://tracker.example/logo.svg",
        client_uri: "https://tracker.example/",
        policy_uri: "https://tracker.example/policy",
        tos_uri: "https://tracker.example/terms"
      }
      const requested: Array<string> = []
      const found = yield* cache((sent) => {
        requested.push(sent)
        return Effect.succeed(respond({ ...document, ...links }))
      })
      const proxy = yield* world({ documents: found })
      const redirect_uri = document.redirect_uris[0]!
      const registered = yield* proxy.registerId([redirect_uri], links)
      for (const client_id of [url, registered]) {
        const page = yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id, redirect_uri }))
        assert.strictEqual(page.status, 200, textOf(page))
        assert.notInclude(page.body, "tracker.example")
        assert.notMatch(page.body, /<img|<link|url\(/)
        assert.match(
          page.headers["content-security-policy"]!,
          /^default-src 'none'; style-src 'sha256-[^;]+; form-action/
        )
      }
      assert.deepStrictEqual(requested, [url])
    }))

  it.effect.each(documents)(
    "attack 19, attack 76 and attack 77: tampered documents of $client are rejected",
    ({ document, url, uses }) =>
      Effect.gen(function*() {
        const tampered: ReadonlyArray<object> = [
          { ...document, client_id: `${url}x` },
          { ...document, client_id: url.replace("https:", "http:") },
          { ...document, client_id: undefined },
          { ...document, client_secret: "secret" },
          { ...document, client_secret_expires_at: 0 },
          { ...document, token_endpoint_auth_method: "client_secret_basic" },
          { ...document, token_endpoint_auth_method: ["none", "client_secret_jwt"] },
          { ...document, token_endpoint_auth_method: "private_key_jwt" },
          { ...document, jwks: { keys: [{ kty: "EC", d: "private" }] } },
          { ...document, redirect_uris: ["https://evil.example/callback"] },
          { ...document, redirect_uris: [`${uses}/more`] },
          { ...document, redirect_uris: uses },
          { ...document, redirect_uris: [] }
        ]
        for (const each of tampered) {
          const found = yield* cache(() => Effect.succeed(respond(each)))
          const proxy = yield* world({ documents: found })
          const page = yield* proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id: url, redirect_uri: uses }))
          assert.strictEqual(page.status, 400, JSON.stringify(each))
          assert.notProperty(page.headers, "location")
        }
      })
  )

  it.each([
    "http://app.example.com/client.json",
    "https://app.example.com",
    "https://app.example.com/",
    "https://user@app.example.com/client.json",
    "https://app.example.com/a/../client.json",
    "https://app.example.com/%2e%2e/client.json",
    "https://app.example.com/client.json#x",
    "https://app.example.com/client.json?x=1",
    "https://app.example.com:443/client.json",
    `https://app.example.com/${"a".repeat(600)}`
  ])("%s is not the id of a document", (id) => {
    assert.isFalse(isUrl(id))
  })

  it("attack 75: an id with an upper-case host or with letters of another script is not the id of a document", () => {
    assert.isTrue(isUrl(url))
    assert.isFalse(isUrl("https://APP.example.com/client.json"))
    assert.isFalse(isUrl("https://clаude.ai/client.json"))
    assert.isTrue(isUrl("https://xn--clude-2ve.ai/client.json"))
  })

  it.effect("metadata advertise documents only if they can be fetched", () =>
    Effect.gen(function*() {
      const without = yield* world()
      const metadata = yield* without.send(without.front.urls.metadata)
      assert.notProperty(JSON.parse(metadata.body), "client_id_metadata_document_supported")
      const page = yield* without.visit(
        makeBrowser(),
        without.authorizeUrl({ client_id: url, redirect_uri: "https://x/" })
      )
      assert.strictEqual(page.status, 400)
      const proxy = yield* world({ documents: yield* cache(() => Effect.succeed(respond(document))) })
      const advertised = JSON.parse((yield* proxy.send(proxy.front.urls.metadata)).body)
      assert.isTrue(advertised.client_id_metadata_document_supported)
      assert.include(advertised.token_endpoint_auth_methods_supported, "none")
    }))

  it.effect("caches a document for 5 minutes to 24 hours, and never an error", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_800_000_000_000)
      const times: ReadonlyArray<readonly [string | undefined, string, string]> = [
        ["no-store", "299 seconds", "2 seconds"],
        ["max-age=600", "599 seconds", "2 seconds"],
        ["max-age=999999999", "86399 seconds", "2 seconds"],
        [undefined, "3599 seconds", "2 seconds"]
      ]
      for (const [control, before, after] of times) {
        const { find, state } = yield* cache(() =>
          Effect.succeed(respond(document, 200, control === undefined ? {} : { "cache-control": control }))
        )
        yield* find(url)
        yield* TestClock.adjust(before as "1 second")
        yield* find(url)
        assert.strictEqual(state.requests, 1)
        yield* TestClock.adjust(after as "1 second")
        yield* find(url)
        assert.strictEqual(state.requests, 2)
      }
      const failing = yield* cache(() => Effect.succeed(respond("", 404)))
      yield* Effect.flip(failing.find(url))
      yield* Effect.flip(failing.find(url))
      assert.strictEqual(failing.state.requests, 2)
    }))

  const outages: ReadonlyArray<readonly [string, Effect.Effect<Response, FetchError>]> = [
    ["403", Effect.succeed(respond("", 403))],
    ["429", Effect.succeed(respond("", 429))],
    ["503", Effect.succeed(respond("", 503))],
    ["a failed connection", Effect.fail(new FetchError({ reason: "network" }))]
  ]
  it.effect.each(outages)(
    "attack 79: after %s, the cached document stays in use",
    ([, answer]) =>
      Effect.gen(function*() {
        const { find, state } = yield* cache(() => Effect.succeed(respond(document)))
        assert.strictEqual(yield* reasonOf((yield* cache(() => answer)).find(url)), "unavailable")
        yield* find(url)
        state.answer = () => answer
        yield* TestClock.adjust("2 hours")
        assert.strictEqual((yield* find(url)).id, url)
        assert.strictEqual(state.requests, 2)
        yield* TestClock.adjust("7 days")
        assert.strictEqual(yield* reasonOf(find(url)), "unavailable")
      })
  )

  const rejections: ReadonlyArray<readonly [string, Response]> = [
    ["404", respond("", 404)],
    ["410", respond("", 410)],
    ["attack 72: a redirect", respond(document, 302, { location: url })],
    ["another content type", respond(document, 200, { "content-type": "text/html" })],
    ["no JSON", respond("{")],
    ["another client id", respond({ ...document, client_id: "https://evil.example/x" })]
  ]
  it.effect.each(rejections)("after %s, the cached document is not used", ([, answer]) =>
    Effect.gen(function*() {
      const { find, state } = yield* cache(() => Effect.succeed(respond(document)))
      yield* find(url)
      state.answer = () => Effect.succeed(answer)
      yield* TestClock.adjust("2 hours")
      assert.strictEqual(yield* reasonOf(find(url)), "invalid")
      state.answer = () => Effect.succeed(respond("", 503))
      assert.strictEqual(yield* reasonOf(find(url)), "unavailable")
    }))

  it.effect("attack 73: a document that takes more than 5 seconds is unavailable", () =>
    Effect.gen(function*() {
      const { find } = yield* cache(() => Effect.never)
      const fiber = yield* Effect.forkChild(reasonOf(find(url)), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), "unavailable")
    }))

  it.effect("attack 74: ports of a host and subdomains of a site count together", () =>
    Effect.gen(function*() {
      const { find, state } = yield* cache(() => Effect.never)
      const start = (id: string) => Effect.forkChild(Effect.result(find(id)), { startImmediately: true })
      yield* Effect.forEach(Array.from({ length: 6 }), (_, index) => start(`https://a.example.com:${8_000 + index}/x`))
      assert.strictEqual(state.requests, 4)
      yield* Effect.forEach(Array.from({ length: 6 }), (_, index) => start(`https://b${index}.c.example.com/x`))
      assert.strictEqual(state.requests, 8)
      yield* Effect.forEach(Array.from({ length: 6 }), (_, index) => start(`https://example${index}.co.uk/x`))
      assert.strictEqual(state.requests, 12)
      yield* TestClock.adjust("5 seconds")
      state.answer = () => Effect.succeed(respond("", 404))
      for (let index = 0; index < 52; index++) yield* Effect.flip(find(`https://again${index}.example.com/x`))
      assert.strictEqual(yield* reasonOf(find("https://more.example.com/x")), "unavailable")
      assert.strictEqual(yield* reasonOf(find("https://more.example.org/x")), "invalid")
    }))

  it.effect("attack 74: slow unknown hosts do not block hosts that have served a document", () =>
    Effect.gen(function*() {
      const { find, state } = yield* cache((requested) =>
        requested === url ? Effect.succeed(respond(document)) : Effect.never
      )
      yield* find(url)
      yield* TestClock.adjust("2 hours")
      const start = (id: string) => Effect.forkChild(Effect.result(find(id)), { startImmediately: true })
      yield* Effect.forEach(Array.from({ length: 20 }), (_, index) => start(`https://slow${index}.test/client`))
      assert.strictEqual(state.requests, 13)
      assert.strictEqual(yield* reasonOf(find("https://new.test/client")), "unavailable")
      assert.strictEqual((yield* find(url)).id, url)
      assert.strictEqual(state.requests, 14)
      // A known host that becomes slow has no reserved requests any more.
      yield* TestClock.adjust("5 seconds")
      state.answer = () => Effect.never
      const late = yield* start(`${url}2`)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(late)
      yield* Effect.forEach(Array.from({ length: 12 }), (_, index) => start(`https://slow${index}.test/again`))
      assert.strictEqual(yield* reasonOf(find(`${url}3`)), "unavailable")
    }))

  it.effect("attack 74: requests to 3,000 invented hosts do not shut out the documents of other hosts", () =>
    Effect.gen(function*() {
      const { find } = yield* cache((requested) =>
        Effect.succeed(requested === url ? respond(document) : respond("", 404))
      )
      for (let index = 0; index < 3_000; index++) yield* Effect.flip(find(`https://app.invented${index}.test/client`))
      assert.strictEqual(yield* reasonOf(find(url)), "found")
    }))

  it.effect("attack 70: the page of a document that cannot be fetched does not say why", () =>
    Effect.gen(function*() {
      const pages = new Set<string>()
      const errors = [
        Effect.fail(new FetchError({ reason: "network", code: "ENOTFOUND" })),
        Effect.fail(new FetchError({ reason: "network", code: "ECONNREFUSED" })),
        Effect.fail(new FetchError({ reason: "network" })),
        Effect.die(new Error("ETIMEDOUT")),
        Effect.never
      ]
      for (const error of errors) {
        const proxy = yield* world({ documents: yield* cache(() => error) })
        const visit = proxy.visit(makeBrowser(), proxy.authorizeUrl({ client_id: url, redirect_uri: "https://x/" }))
        const fiber = yield* Effect.forkChild(visit, { startImmediately: true })
        yield* TestClock.adjust("5 seconds")
        const page = yield* Fiber.join(fiber)
        assert.strictEqual(page.status, 503)
        pages.add(textOf(page))
      }
      assert.strictEqual(pages.size, 1)
      assert.notMatch([...pages].join(), /E[A-Z]{5}|time/)
    }))

  it.effect("attack 74: coalesces requests for one URL, and limits them for each host and in total", () =>
    Effect.gen(function*() {
      const { find, state } = yield* cache(() => Effect.never)
      const start = (id: string) => Effect.forkChild(Effect.result(find(id)), { startImmediately: true })
      yield* Effect.forEach([1, 2, 3], () => start(url))
      assert.strictEqual(state.requests, 1)
      yield* Effect.forEach([1, 2, 3], (index) => start(`https://app.example.com/${index}`))
      assert.strictEqual(state.requests, 4)
      assert.strictEqual(yield* reasonOf(find("https://app.example.com/4")), "unavailable")
      yield* Effect.forEach(Array.from({ length: 9 }), (_, index) => start(`https://app.example${index}.com/client`))
      assert.strictEqual(state.requests, 12)
      assert.strictEqual(yield* reasonOf(find("https://another.test/client")), "unavailable")
      yield* TestClock.adjust("5 seconds")
      state.answer = () => Effect.succeed(respond("", 404))
      for (let index = 0; index < 26; index++) yield* Effect.flip(find(`https://app.example.com/again${index}`))
      assert.strictEqual(yield* reasonOf(find("https://app.example.com/more")), "unavailable")
      assert.strictEqual(yield* reasonOf(find("https://other.example.com/client")), "invalid")
      yield* TestClock.adjust("61 seconds")
      assert.strictEqual(yield* reasonOf(find("https://app.example.com/more")), "invalid")
    }))
})

describe("the fetcher of documents on Node", () => {
  const modules = { http, https } as unknown as nodeFetcher.Modules
  const send = (target: string, lookup: AddressGuard.Lookup) =>
    documentFetcher.make(modules, lookup).send({
      method: "GET",
      url: target,
      headers: {},
      maximumBytes: 100,
      readsBody: () => true
    })

  it.live("attack 70: opens no connection to private addresses, also if a name resolves to one", () =>
    Effect.gen(function*() {
      let connections = 0
      const server = http.createServer()
      server.on("connection", (socket) => {
        connections++
        socket.destroy()
      })
      yield* Effect.acquireRelease(
        Effect.promise(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))),
        () => Effect.promise(() => new Promise<void>((resolve) => server.close(() => resolve())))
      )
      const { port } = server.address() as AddressInfo
      let lookups = 0
      const toLoopback: AddressGuard.Lookup = (_, options, callback) => {
        lookups++
        return options.all === true
          ? callback(null, [{ address: "127.0.0.1", family: 4 }])
          : callback(null, "127.0.0.1", 4)
      }
      const guarded = AddressGuard.lookup(toLoopback)
      for (
        const host of [
          "127.0.0.1",
          "[::1]",
          "[::ffff:127.0.0.1]",
          "[64:ff9b::7f00:1]",
          "2130706433",
          "0x7f000001",
          "localhost",
          "x.local"
        ]
      ) {
        const error = yield* Effect.flip(send(`https://${host}:${port}/`, guarded))
        assert.strictEqual(error.reason, "not-allowed", host)
      }
      assert.strictEqual(lookups, 0)
      assert.strictEqual((yield* Effect.flip(send(`https://rebound.example.com:${port}/`, guarded))).code, "ENOTFOUND")
      assert.strictEqual(lookups, 1)
      assert.strictEqual(connections, 0)
      // Without the guard, the same request connects, so the test would notice a missing guard.
      yield* Effect.flip(send(`https://rebound.example.com:${port}/`, toLoopback))
      assert.strictEqual(connections, 1)
      assert.strictEqual((yield* Effect.flip(send(`http://app.example.com:${port}/`, guarded))).reason, "not-allowed")
    }))

  it("attack 74: names whose servers never answer occupy one look-up, and a bounded number of them wait", () => {
    const running: Array<() => void> = []
    const lookup = documentFetcher.oneAtATime((_, __, callback) =>
      running.push(() => callback(null, "93.184.216.34", 4))
    )
    const results: Array<string> = []
    const ask = (name: string) =>
      lookup(name, {}, (error) => results.push(`${name} ${(error as { code?: string } | null)?.code ?? "found"}`))
    for (let count = 0; count < 20; count++) ask(`n${count}`)
    assert.lengthOf(running, 1)
    assert.deepStrictEqual(results, ["n17 EAGAIN", "n18 EAGAIN", "n19 EAGAIN"])
    while (running.length > 0) running.shift()!()
    assert.lengthOf(results, 20)
    ask("later")
    assert.lengthOf(running, 1)
  })

  it.effect("exists on Node", () => Effect.map(documentFetcher.forPlatform, (fetcher) => assert.isDefined(fetcher)))
})
