import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue } from "effect"
import { AddressGuard } from "effect-mcp-auth/host"
import { GuardedHttpClient } from "effect-mcp-auth/http-client"
import { TestIssuer } from "effect-mcp-auth/testing"
import { AuthorizationServer, type Discovery } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"
import * as support from "../verification/support.ts"

const needs = ["jwks_uri", "introspection_endpoint", "token_endpoint", "authorization_endpoint"] as const

/** Provides a resolver that resolves only these names. */
const resolving = (names: Readonly<Record<string, ReadonlyArray<string>>>) =>
  Effect.provideService(AddressGuard.Resolver, (hostname) => {
    const found = names[hostname]
    return found === undefined ? Effect.fail("not found") : Effect.succeed(found)
  })

/** A resolver that never returns a result. */
const slow: AddressGuard.Resolve = () => Effect.never

/** Looks up metadata that names this endpoint. Returns `"used"`, or the reason of the error. */
const lookUp = (
  issuer: string,
  endpoint: string,
  { names = {}, needed = "jwks_uri", resolver, server = {} }: {
    readonly needed?: Discovery.Needed
    readonly server?: Partial<AuthorizationServer.Options>
    readonly names?: Readonly<Record<string, ReadonlyArray<string>>>
    readonly resolver?: AddressGuard.Resolve
  } = {}
) =>
  Effect.gen(function*() {
    const set = yield* support.services({ issuer, server })
    yield* set.issuer.publishMetadata({ [needed]: endpoint })
    return yield* set.discovery.metadata(set.server, needed).pipe(
      Effect.as("used"),
      Effect.catch((error) => Effect.succeed(error.reason))
    )
  }).pipe(resolver === undefined ? resolving(names) : Effect.provideService(AddressGuard.Resolver, resolver))

describe("[T-AUD-30] an endpoint that the metadata of a public authorization server names", () => {
  it.effect.each([
    "https://127.0.0.1/x",
    "http://127.0.0.1:8080/x",
    "http://localhost:8080/x",
    "https://localhost/x",
    "https://localhost./x",
    "https://a.localhost/x",
    "https://[::1]/x",
    "https://[::]/x",
    "https://[::ffff:a00:1]/x",
    "https://[fd00::1]/x",
    "https://[fe80::1]/x",
    "https://0.0.0.0/x",
    "https://10.0.0.1/x",
    "https://172.16.0.1/x",
    "https://192.168.1.1/x",
    "https://100.64.0.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://metadata.google.internal/x",
    "https://printer/x",
    "https://vault.local/x"
  ])("[T-AUD-30] is rejected on %s, for every kind of endpoint", (endpoint) =>
    Effect.gen(function*() {
      for (const needed of needs) {
        assert.strictEqual(yield* lookUp("https://auth.example.com", endpoint, { needed }), "private-address")
      }
    }))

  it.effect.each([
    "https://127.1/x",
    "https://2130706433/x",
    "https://0x7f.0.0.1/x",
    "https://127.0.0.1./x",
    "https://[::ffff:10.0.0.1]/x"
  ])("[T-AUD-30] is rejected in a spelling that a URL parser would repair: %s", (endpoint) =>
    Effect.gen(function*() {
      for (const needed of needs) {
        assert.strictEqual(yield* lookUp("https://auth.example.com", endpoint, { needed }), "insecure-url")
      }
    }))

  it.effect("[T-AUD-30] is used on its own host and on other public hosts", () =>
    Effect.gen(function*() {
      for (const endpoint of ["https://auth.example.com:8443/x", "https://keys.example.net/x", "https://8.8.8.8/x"]) {
        assert.strictEqual(yield* lookUp("https://auth.example.com", endpoint), "used")
      }
    }))

  it.effect("[T-AUD-30] is rejected if one address of its name is private", () =>
    Effect.gen(function*() {
      const names = { "keys.example.net": ["93.184.216.34", "10.0.0.7"] }
      assert.strictEqual(
        yield* lookUp("https://auth.example.com", "https://keys.example.net/x", { names }),
        "private-address"
      )
    }))

  it.effect("[T-AUD-30] is used on a private address if the issuer's own name has a private address", () =>
    Effect.gen(function*() {
      const names = { "auth.example.com": ["10.0.0.6"] }
      assert.strictEqual(yield* lookUp("https://auth.example.com", "https://10.0.0.7/x", { names }), "used")
    }))

  it.effect("[T-AUD-30] is used on a private address if the option allows it", () =>
    Effect.gen(function*() {
      const server = { [AuthorizationServer.allowPrivateEndpoints]: true } as const
      assert.strictEqual(yield* lookUp("https://auth.example.com", "https://10.0.0.7/x", { server }), "used")
    }))

  it.effect("[T-AUD-30] is used on a private address if the configured metadataUrl is on one", () =>
    Effect.gen(function*() {
      const server = { metadataUrl: "https://keycloak.internal/.well-known/oauth-authorization-server" }
      assert.notStrictEqual(
        yield* lookUp("https://auth.example.com", "https://10.0.0.7/x", { server }),
        "private-address"
      )
    }))
})

describe("[T-AUD-30] an endpoint that the metadata of an authorization server in a private network names", () => {
  it.effect.each(["http://127.0.0.1:9000", "http://localhost:9000", "https://keycloak", "https://10.0.0.6"])(
    "[T-AUD-30] may be on a private address (issuer %s)",
    (issuer) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* lookUp(issuer, "https://10.0.0.7/x"), "used")
      })
  )
})

describe("[T-AUD-30b] an endpoint whose host is not resolved in time", () => {
  /**
   * Looks up metadata with a resolver that never resolves names outside `names`. Waits until each of the `slow` names is
   * requested, in order, and then moves the clock past the time limit of its resolution.
   */
  const found = (names: Readonly<Record<string, ReadonlyArray<string>>>, slow: ReadonlyArray<string>) =>
    Effect.gen(function*() {
      const requested = yield* Queue.unbounded<string>()
      const resolver: AddressGuard.Resolve = (name) =>
        names[name] === undefined
          ? Effect.andThen(Queue.offer(requested, name), Effect.never)
          : Effect.succeed(names[name])
      const looked = yield* Effect.forkChild(
        lookUp("https://auth.example.com", "https://slow.example.com/x", { resolver })
      )
      for (const name of slow) {
        // If the look-up ends early, its result is compared with the name, so that the test fails at once instead of waiting.
        assert.strictEqual(yield* Effect.raceFirst(Queue.take(requested), Fiber.join(looked)), name)
        yield* TestClock.adjust("2 seconds")
      }
      return yield* Fiber.join(looked)
    })

  it.effect("[T-AUD-30b] is not used", () =>
    Effect.gen(function*() {
      const names = { "auth.example.com": ["93.184.216.34"] }
      // The name is resolved once for each of the two metadata URLs.
      assert.strictEqual(yield* found(names, ["slow.example.com", "slow.example.com"]), "timeout")
    }))

  it.effect("[T-AUD-30b] is used if the public host of the metadata is not resolved either, since a proxy resolves both", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* found({}, ["slow.example.com", "auth.example.com"]), "used")
    }))

  it.effect("[T-AUD-30b] is not used on a private address, even if the host of the metadata is not resolved in time", () =>
    Effect.gen(function*() {
      const names = { "slow.example.com": ["10.0.0.7"] }
      assert.strictEqual(yield* found(names, ["auth.example.com", "auth.example.com"]), "private-address")
    }))
})

describe("resolvesPublicly", () => {
  it.effect("accepts a name that cannot be resolved, and checks every address of one that can", () =>
    Effect.gen(function*() {
      assert.isTrue(yield* AddressGuard.resolvesPublicly("unknown.example.com"))
      assert.isTrue(yield* AddressGuard.resolvesPublicly("public.example.com"))
      assert.isFalse(yield* AddressGuard.resolvesPublicly("mixed.example.com"))
      assert.isFalse(yield* AddressGuard.resolvesPublicly("localhost"))
      assert.isFalse(yield* AddressGuard.resolvesPublicly("localhost.."))
      assert.isFalse(yield* AddressGuard.resolvesPublicly("[::1]"))
    }).pipe(resolving({
      "public.example.com": ["93.184.216.34"],
      "mixed.example.com": ["93.184.216.34", "::1"]
    })))

  it.effect("[T-AUD-30b] rejects a name that is not resolved in time", () =>
    Effect.gen(function*() {
      const { requested, client } = yield* Effect.map(
        TestIssuer.make({ elsewhere: () => Response.json({}) }),
        ({ client, issuer }) => ({ requested: issuer.requests, client: GuardedHttpClient.make(client) })
      )
      const guarded = yield* Effect.forkChild(Effect.flip(client.get("https://slow.example.com/")))
      const isPublic = yield* Effect.forkChild(AddressGuard.resolvesPublicly("slow.example.com"))
      yield* TestClock.adjust("2 seconds")
      assert.isFalse(yield* Fiber.join(isPublic))
      assert.strictEqual((yield* Fiber.join(guarded)).reason._tag, "TransportError")
      assert.deepStrictEqual(yield* requested, [])
    }).pipe(Effect.provideService(AddressGuard.Resolver, slow)))

  it.effect("checks names by their text if there is no resolver", () =>
    Effect.gen(function*() {
      assert.isTrue(yield* AddressGuard.resolvesPublicly("mixed.example.com"))
      assert.isFalse(yield* AddressGuard.resolvesPublicly("printer"))
    }).pipe(Effect.provideService(AddressGuard.Resolver, undefined)))
})
