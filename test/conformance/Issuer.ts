/**
 * The `TestIssuer` that issues the tokens for the gated server, on a separate port.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { createServer } from "node:http"

/** Starts the issuer. It runs until the scope closes. */
export const start = Effect.gen(function*() {
  const services = yield* Layer.build(
    TestIssuer.serve().pipe(
      Layer.provide(
        NodeHttpServer.layer(createServer, { host: "localhost", port: 0, gracefulShutdownTimeout: "1 second" })
      )
    )
  )
  const { issuer: origin, mint: mintToken } = Context.get(services, TestIssuer.TestIssuer)

  /** Mints an access token (RFC 9068) that is valid for longer than the suite runs. */
  const mint = (options: { readonly audience: string; readonly scope: string }) =>
    mintToken({
      subject: "suite",
      clientId: "conformance",
      audience: options.audience,
      scopes: [options.scope],
      expiresIn: "1 hour"
    }).pipe(Effect.map((token) => Redacted.make(token)))

  return { origin, mint }
})
