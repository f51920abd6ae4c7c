import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { makeSecret } from "../../src/cli/ProxyCommand.ts"
import * as proxyKeys from "../../src/proxy/keys/ProxyKeys.ts"
import { run } from "./run.ts"

describe("proxy secret", () => {
  it.effect("prints 32 random bytes in base64 and nothing else, and the proxy accepts them", () =>
    Effect.gen(function*() {
      const first = yield* run(["proxy", "secret"])
      const second = yield* run(["proxy", "secret"])
      for (const { code, stderr, stdout } of [first, second]) {
        assert.strictEqual(code, 0)
        assert.strictEqual(stderr, "")
        assert.match(stdout, /^[A-Za-z0-9+/]{43}=$/)
        assert.strictEqual(Buffer.from(stdout, "base64").length, 32)
        const { publicKeys } = yield* proxyKeys.make(Redacted.make(stdout))
        assert.strictEqual(publicKeys.length, 1)
      }
      assert.notStrictEqual(first.stdout, second.stdout)
    }))

  it.effect("takes further bytes if the text contains a word that the proxy rejects", () =>
    Effect.gen(function*() {
      const texts = [
        "secretsW0oq5yE8tRk2uJx1mZp9vLhGcBfDnAiXgQ7Y=",
        "uF9WcLZl8bVtTq3mP0yKx7sJd2hGaRnE5oiC1vQkYwM="
      ] as const
      const rejected = yield* Effect.flip(proxyKeys.make(Redacted.make(texts[0])))
      assert.include(rejected.message, "it contains a word of an example")
      let next = 0
      assert.strictEqual(makeSecret(() => Buffer.from(texts[next++]!, "base64")), texts[1])
      assert.strictEqual(next, 2)
    }))

  it.effect.each(["bash", "zsh", "fish"])("is completed by %s", (shell) =>
    Effect.gen(function*() {
      const { code, stdout } = yield* run(["--completions", shell])
      assert.strictEqual(code, 0)
      assert.match(stdout, /\bproxy\b/)
      assert.match(stdout, /\bsecret\b/)
    }))

  it.effect("is the suggestion for a misspelled command", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* run(["proxi"])
      assert.strictEqual(code, 64)
      assert.match(stderr, /The closest command is proxy\./)
    }))
})

describe("proxy callback", () => {
  it.effect("prints the callback URL that the proxy uses, and nothing else", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* run(["proxy", "callback", "https://auth.example.com", "github"])
      assert.strictEqual(code, 0)
      assert.strictEqual(stdout, "https://auth.example.com/callback/github")
      const below = yield* run(["proxy", "callback", "https://example.com/auth/", "okta"])
      assert.strictEqual(below.stdout, "https://example.com/auth/callback/okta")
    }))

  it.effect.each(
    [
      ["todos", "github", /todos is not an issuer/],
      ["http://auth.example.com", "github", /is not an issuer/],
      ["https://auth.example.com", "Git Hub", /is not the name of an upstream/]
    ] as const
  )("rejects %s with %s", ([issuer, upstream, expected]) =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run(["proxy", "callback", issuer, upstream])
      assert.strictEqual(code, 64)
      assert.strictEqual(stdout, "")
      assert.match(stderr, expected)
    }))
})
