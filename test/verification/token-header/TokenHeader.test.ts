import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import type { AuthError } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { TokenHeader } from "effect-mcp-auth/token-header"
import { authenticate } from "../../authorization/steps.ts"
import { gate as gateWith, listening, rejected, request } from "../../authorization/support.ts"

describe("a token in another header", () => {
  it.effect("[T-APIKEY-09] is explained in the log like one in Authorization, and its absence with the party that sets it", () =>
    Effect.gen(function*() {
      const { explanations, layer, lines } = listening()
      yield* Effect.gen(function*() {
        const { gate, issuer } = yield* gateWith({
          tokenHeader: TokenHeader.make({ name: "X-Token", setBy: "the proxy" })
        })
        const send = (headers: Readonly<Record<string, string>>, authorization: ReadonlyArray<string> = []) =>
          rejected(authenticate(gate, request(headers, authorization)))
        const foreign = yield* issuer.mint({ audience: "https://other.test/mcp" })
        assert.strictEqual((yield* send({ "x-token": foreign }, ["Bearer garbage"])).reason, "audience")
        assert.strictEqual((yield* send({}, ["Bearer garbage"])).reason, "no-token-header")
      }).pipe(Effect.provide(layer))
      const shown = explanations.filter((_) => "advice" in _)
      assert.strictEqual(shown[0]?.["receivedUnverified"], "aud \"https://other.test/mcp\"")
      assert.deepStrictEqual([shown[1]?.["checked"], shown[1]?.["expected"]], ["x-token", "set by the proxy"])
      assert.isNotEmpty(lines)
    }))

  it.effect("[T-APIKEY-09] is rejected if it is bound to a key of a client, because the proxy does not have this key", () =>
    Effect.gen(function*() {
      const { gate, issuer } = yield* gateWith({ tokenHeader: TokenHeader.oauth2Proxy })
      const token = yield* issuer.mint({ claims: { cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } } })
      const rejection = yield* rejected(authenticate(gate, request({ "x-forwarded-access-token": token })))
      assert.deepStrictEqual([rejection.status, rejection.reason], [401, "bound-to-key"])
    }))

  it.effect.each([
    ["no name", { setBy: "proxy" }, "tokenHeader.name"],
    ["no party", { name: "x-token" }, "tokenHeader.setBy"],
    ["an empty party", { name: "x-token", setBy: " " }, "tokenHeader.setBy"],
    ["Authorization", { name: "Authorization", setBy: "proxy" }, "tokenHeader.name"],
    ["a cookie", { name: "cookie", setBy: "proxy" }, "tokenHeader.name"],
    ["an unknown option", { name: "x-token", setBy: "proxy", trust: true }, "tokenHeader.trust"]
  ])("rejects the options with %s", ([, options, option]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(gateWith({ tokenHeader: TokenHeader.make(options as never) }))
      assert.strictEqual((error as AuthError.AuthConfigError).option, option)
    }))

  it.effect("cannot be combined with dpop, and must be a value of TokenHeader", () =>
    Effect.gen(function*() {
      for (
        const options of [
          { tokenHeader: TokenHeader.oauth2Proxy, dpop: Dpop.optional() },
          { tokenHeader: { name: "x-token", setBy: "proxy" } as never }
        ]
      ) {
        const error = yield* Effect.flip(gateWith(options))
        assert.strictEqual((error as AuthError.AuthConfigError).option, "tokenHeader")
      }
    }).pipe(Effect.provide(Logger.layer([]))))
})
