import { NodeHttpServer } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import * as Http from "node:http"
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import * as AuthorizationServer from "../../authorization-server/AuthorizationServer.ts"
import { signIn } from "../../authorization-server/test/signIn.ts"
import { callTool } from "../../shared/test/callTool.ts"
import { start } from "../../shared/test/Program.ts"

const freePort = Effect.callback<number>((resume) => {
  const server = createServer()
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

it.live("the notes server signs people in, and steps up to write", () =>
  Effect.gen(function*() {
    const { issuer } = yield* AuthorizationServer.make({ scopes: ["read:notes", "write:notes"] })
    const port = yield* freePort
    const program = start("migrate-from-mcp-auth/after.ts", { PORT: String(port), ISSUER: issuer })
    yield* Effect.addFinalizer(() => Effect.sync(program.interrupt))
    const resource = `http://127.0.0.1:${port}/mcp`
    assert.strictEqual(yield* Effect.promise(() => program.firstLine), `listening on ${resource}`)

    const none = yield* Effect.promise(() => fetch(resource, { method: "POST" }))
    assert.strictEqual(none.status, 401)
    assert.include(none.headers.get("www-authenticate"), `scope="read:notes"`)

    const as = (scope: string) => Effect.promise(() => signIn({ issuer, resource, scope }))
    const call = (token: string, name: string, args?: object) =>
      Effect.promise(() => callTool(resource, token, name, args, "2025-11-25"))
    const reader = (yield* as("read:notes")).access_token
    assert.strictEqual((yield* call(reader, "add_note", { text: "milk" })).status, 403)
    const writer = (yield* as("read:notes write:notes")).access_token
    const { result } = yield* call(writer, "add_note", { text: "milk" })
    assert.deepStrictEqual(result?.content, [{ type: "text", text: "alice has 1 notes" }])
    const listed = yield* call(reader, "list_notes")
    assert.deepStrictEqual(listed.result?.content, [{ type: "text", text: "milk" }])

    program.interrupt()
    const { code, stderr } = yield* Effect.promise(() => program.ended)
    assert.deepStrictEqual([code, stderr], [0, ""])
  }))

it.live("a forged token is rejected, and an outage does not require a new sign-in", () =>
  Effect.gen(function*() {
    const port = yield* freePort
    const resource = `http://127.0.0.1:${port}/mcp`
    const services = yield* Layer.build(
      TestIssuer.serve({ resource }).pipe(
        Layer.provide(NodeHttpServer.layer(Http.createServer, { host: "127.0.0.1", port: 0 }))
      )
    )
    const issuer = Context.get(services, TestIssuer.TestIssuer)
    const program = start("migrate-from-mcp-auth/after.ts", { PORT: String(port), ISSUER: issuer.issuer })
    yield* Effect.addFinalizer(() => Effect.sync(program.interrupt))
    yield* Effect.promise(() => program.firstLine)
    const reader = { scopes: ["read:notes"] }
    const list = (token: string) => Effect.promise(() => callTool(resource, token, "list_notes", {}, "2025-11-25"))

    assert.strictEqual((yield* list(yield* issuer.mint(reader))).status, 200)
    assert.strictEqual((yield* list(yield* issuer.mintBroken("attacker-same-kid", reader))).status, 401)
    yield* issuer.rotateKeys
    yield* issuer.goDown()
    assert.strictEqual((yield* list(yield* issuer.mint(reader))).status, 503)
  }))
