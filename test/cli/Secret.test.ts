import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted, Stdio, Stream } from "effect"
import * as Secret from "../../src/cli/Secret.ts"

const token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJodHRwczovL2EuYiJ9.c2lnbmF0dXJl"

const readBytes = (bytes: Uint8Array) =>
  Secret.read(Option.none()).pipe(
    Effect.map(Redacted.value),
    Effect.match({ onSuccess: (_) => _, onFailure: String }),
    Effect.provide(Stdio.layerTest({
      stdin: Stream.succeed(bytes),
      stdinIsTerminal: Effect.succeed(false)
    })),
    Effect.provide(NodeServices.layer)
  )

const utf8 = (text: string) => new TextEncoder().encode(text)

const utf16 = (text: string, isBigEndian: boolean) => {
  const bytes = new Uint8Array(Buffer.from(`\ufeff${text}`, "utf16le"))
  return isBigEndian ? new Uint8Array(Buffer.from(bytes).swap16()) : bytes
}

describe("a token from standard input", () => {
  it.effect.each([
    ["a line", utf8(`${token}\n`)],
    ["a line end of Windows", utf8(`${token}\r\n`)],
    ["empty lines and spaces", utf8(`\r\n  ${token}  \r\n\r\n`)],
    ["no line end", utf8(token)],
    ["a byte order mark", utf8(`\ufeff${token}\r\n`)],
    ["UTF-16, as PowerShell writes it", utf16(`${token}\r\n`, false)],
    ["UTF-16 in the other order", utf16(`${token}\r\n`, true)],
    ["quotation marks", utf8(`"${token}"\n`)],
    ["Bearer", utf8(`bearer ${token}\n`)],
    ["a header", utf8(`Authorization: Bearer ${token}\r\n`)]
  ])("is read from %s", ([, bytes]) =>
    Effect.gen(function*() {
      assert.strictEqual(yield* readBytes(bytes as Uint8Array), token)
    }))

  it.effect.each([
    ["nothing", "", "contains no token"],
    ["white space", " \r\n\t\r\n", "contains no token"],
    ["quotation marks around nothing", `""`, "contains no token"],
    ["two tokens", `${token}\r\n${token}\r\n`, "white space between other characters. Pass one token, on one line"],
    ["a token on several lines", `${token.slice(0, 20)}\n${token.slice(20)}`, "white space between"],
    ["a response of the token endpoint", JSON.stringify({ access_token: token }), "is JSON, not a token"],
    ["characters that no token contains", `${token}é`, "not ASCII"],
    ["a control character", `${token}\u0000`, "not ASCII"],
    ["65 KiB", "x".repeat(65 * 1024), "is larger than 64 KiB"]
  ])(
    "is not read from %s, and the error contains no part of it",
    ([, text, expected]) =>
      Effect.gen(function*() {
        const message = yield* readBytes(utf8(text!))
        assert.include(message, expected!)
        assert.notInclude(message, token.slice(0, 20))
      })
  )
})
