/** A client proves its identity to the authorization server. Numbers in titles are those of the faults that clients had. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { type ClientError, Grant } from "effect-mcp-auth/client"
import { SigningKey } from "effect-mcp-auth/testing"
import { decodeJwt } from "jose"
import { clientOf, type Servers, servers, serversWith } from "./world.ts"

/** Requests a token, and returns the request. */
const tokenRequest = (world: Servers, grant: Grant.Grant) =>
  Effect.gen(function*() {
    yield* world.issuer.takeRequests
    const { send } = yield* clientOf({ ...world, grant })
    yield* send()
    return (yield* world.issuer.requests).find(({ url }) => url.endsWith("/token"))!
  })

const secretOf = ({ issuer }: Servers, more: object = {}) =>
  Grant.clientCredentials({
    issuer: issuer.issuer,
    clientId: issuer.client.clientId,
    clientSecret: Redacted.make(issuer.client.clientSecret),
    ...more
  })

describe("the secret of a client", () => {
  it.effect.each(
    [
      [undefined, "client_secret_basic"],
      [["client_secret_post", "client_secret_basic"], "client_secret_basic"],
      [["none", "client_secret_post"], "client_secret_post"]
    ] as const
  )(
    "31: with the supported methods %j, is sent with %s, and never in a URL",
    ([methods, expected]) =>
      Effect.gen(function*() {
        const world = yield* servers
        yield* world.issuer.publishMetadata({ token_endpoint_auth_methods_supported: methods })
        const { body, headers, url } = yield* tokenRequest(world, secretOf(world))
        const form = new URLSearchParams(body)
        assert.strictEqual(form.has("client_secret"), expected === "client_secret_post")
        assert.strictEqual(headers["authorization"] !== undefined, expected === "client_secret_basic")
        assert.strictEqual(url, world.issuer.tokenEndpoint)
      })
  )

  it.effect("31: is not sent to an authorization server that supports only other methods", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.publishMetadata({ token_endpoint_auth_methods_supported: ["private_key_jwt"] })
      const { send } = yield* clientOf({ ...world, grant: secretOf(world) })
      const failure = (yield* Effect.flip(send())) as ClientError.Mismatch
      assert.strictEqual(failure.what, "authentication-method")
      assert.include(failure.message, "private_key_jwt")
      assert.include(failure.message, "client_secret_basic")
      assert.deepStrictEqual(yield* world.tokenRequests, [])
    }))

  it.effect("31: is sent with the method of the options, whichever methods the metadata name", () =>
    Effect.gen(function*() {
      const world = yield* servers
      yield* world.issuer.publishMetadata({ token_endpoint_auth_methods_supported: ["private_key_jwt"] })
      const { body } = yield* tokenRequest(world, secretOf(world, { method: "client_secret_post" }))
      assert.strictEqual(new URLSearchParams(body).get("client_secret"), world.issuer.client.clientSecret)
    }))
})

describe("the assertion of a client", () => {
  const withKey = Effect.gen(function*() {
    const key = yield* SigningKey.make({ kid: "report" })
    const world = yield* serversWith({ clients: { report: { jwks: { keys: [key.publicJwk] } } } })
    const grant = Grant.clientCredentials({
      issuer: world.issuer.issuer,
      clientId: "report",
      privateKey: Redacted.make({ ...key.privateJwk })
    })
    return { grant, world }
  })

  it.effect("54: is for the issuer, lives for at most a minute, and differs in each request", () =>
    Effect.gen(function*() {
      const { grant, world } = yield* withKey
      const assertions = []
      for (let time = 0; time < 3; time++) {
        const { body } = yield* tokenRequest(world, grant)
        assertions.push(decodeJwt(new URLSearchParams(body).get("client_assertion")!))
      }
      for (const { aud, exp, iat, iss, sub } of assertions) {
        assert.deepStrictEqual([aud, iss, sub], [world.issuer.issuer, "report", "report"])
        assert.isAtMost(exp! - iat!, 60)
      }
      assert.strictEqual(new Set(assertions.map(({ jti }) => jti)).size, 3)
    }))

  it.effect("31: is not sent to an authorization server that supports only secrets", () =>
    Effect.gen(function*() {
      const { grant, world } = yield* withKey
      yield* world.issuer.publishMetadata({ token_endpoint_auth_methods_supported: ["client_secret_basic"] })
      const failure = (yield* Effect.flip((yield* clientOf({ ...world, grant })).send())) as ClientError.Mismatch
      assert.strictEqual(failure.what, "authentication-method")
      assert.deepStrictEqual(yield* world.tokenRequests, [])
    }))
})
