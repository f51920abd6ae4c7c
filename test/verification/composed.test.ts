/** Tests a verifier that a program composes of the verification services, without `AuthLayer`. */
import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TokenVerifier } from "effect-mcp-auth"
import { Credentials } from "effect-mcp-auth/protocol"
import { TestIssuer } from "effect-mcp-auth/testing"
import { AuthorizationServer, Discovery, Fetcher, JwkSet, JwtVerifier, Signature } from "effect-mcp-auth/verification"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const resource = "https://server.test/mcp"

/** A fetcher that fails every fetch. The verifier needs no fetch, since the keys come from a file. */
const Offline = Layer.succeed(Fetcher.Fetcher, {
  send: () => Effect.fail(new Fetcher.FetchError({ reason: "not-allowed" }))
})

const Keys = JwkSet.layer.pipe(Layer.provide(Discovery.layer), Layer.provide(Offline))

/** Verifies the JWTs of an issuer with the key set in a file. */
const verifierFrom = (issuer: string, path: string) =>
  Layer.effect(
    TokenVerifier.TokenVerifier,
    Effect.gen(function*() {
      const jwks = JSON.parse(yield* Effect.promise(() => readFile(path, "utf8")))
      const server = yield* Effect.fromResult(AuthorizationServer.make({ issuer, jwks }, "authorizationServer"))
      return yield* JwtVerifier.make({
        authorizationServers: [server],
        resource,
        clockTolerance: undefined,
        effectiveScopes: (granted) => granted
      })
    })
  )

const verify = (token: string) =>
  Effect.gen(function*() {
    const verifier = yield* TokenVerifier.TokenVerifier
    const credentials = yield* Effect.fromResult(Credentials.parse([`Bearer ${token}`]))
    return yield* Effect.map(verifier.verify(credentials), ({ principal }) => principal)
  })

const file = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "keys-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

layer(TestIssuer.layer({ resource }))("a verifier without AuthLayer", (it) => {
  const keysInFile = Effect.gen(function*() {
    const issuer = yield* TestIssuer.TestIssuer
    const fetch = yield* issuer.fetch
    const jwks = yield* Effect.promise(() => fetch(`${issuer.issuer}/jwks`).then((response) => response.text()))
    const path = join(yield* file, "jwks.json")
    yield* Effect.promise(() => writeFile(path, jwks))
    return { issuer, path }
  })

  it.effect("verifies a token with keys from a file, and sends no request", () =>
    Effect.gen(function*() {
      const { issuer, path } = yield* keysInFile
      yield* issuer.takeRequests
      const token = yield* issuer.mint({ subject: "alice" })
      const principal = yield* verify(token).pipe(
        Effect.provide(verifierFrom(issuer.issuer, path).pipe(Layer.provide(Keys)))
      )
      assert.strictEqual(principal.subject, "alice")
      assert.deepStrictEqual(yield* issuer.requests, [])
    }))

  it.effect("rejects the token if a layer replaces the check of signatures by one that fails", () =>
    Effect.gen(function*() {
      const { issuer, path } = yield* keysInFile
      const NoKey = Layer.succeed(Signature.Signature, () => Effect.undefined)
      const error = yield* verify(yield* issuer.mint()).pipe(
        Effect.provide(verifierFrom(issuer.issuer, path).pipe(Layer.provide(Keys), Layer.provide(NoKey))),
        Effect.flip
      )
      assert.deepInclude(error, { _tag: "InvalidToken", reason: "unknown-key" })
    }))
})
