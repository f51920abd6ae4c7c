import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TokenVerifier } from "effect-mcp-auth"
import { bearer, call, mint } from "./cases.ts"
import { makeIssuer, type Options, optionsOf } from "./Host.ts"
import { hosts } from "./hosts.ts"

const throws = () => {
  throw new Error("a secret of the author's function")
}

/** Functions of the user's that break, as a request meets them. */
const broken: ReadonlyArray<readonly [name: string, options: object]> = [
  ["a verifier that returns nothing", { verifier: () => TokenVerifier.make((() => undefined) as never) }],
  ["a verifier that succeeds with nothing", {
    verifier: () => TokenVerifier.make(() => Effect.succeed(undefined as never))
  }],
  ["a verifier that throws", { verifier: () => TokenVerifier.make(throws) }],
  ["a verifier that dies", { verifier: () => TokenVerifier.make(() => Effect.die("a secret")) }],
  ["a verifier that dies later", {
    verifier: () => TokenVerifier.make(() => Effect.andThen(Effect.yieldNow, Effect.die("a secret")))
  }],
  ["a verifier that fails with a value of its own", {
    verifier: () => TokenVerifier.make(() => Effect.fail("a secret") as never)
  }],
  ["a revocation that throws", { revocation: throws }],
  ["a revocation that dies", { revocation: () => Effect.die("a secret") }],
  ["a revocation that returns nothing", { revocation: () => undefined }]
]

describe.each(hosts.filter(({ name }) => name !== "workerd"))("$name", (host) => {
  it.each(broken)("[T-AUD-22a] %s is the same 500 as on every host, and nothing runs", async (_, options) => {
    const { client, issuer } = await makeIssuer()
    const running = await host.start({ ...optionsOf(issuer.issuer, {}), ...options } as Options, client)
    const { reader } = await mint(issuer)
    const { body, headers, status } = await running.send(call(bearer(reader), "list_todos"))
    assert.deepStrictEqual([status, await running.ran()], [500, []])
    assert.deepStrictEqual(JSON.parse(body), {
      error: "server_error",
      error_description: "The server cannot check access tokens"
    })
    assert.deepStrictEqual(
      [headers["content-type"], headers["cache-control"], headers["www-authenticate"]],
      ["application/json", "no-store", undefined]
    )
    await running.stop()
  })
})
