/**
 * The issuer of the gated server's tokens: that of the testing kit, on a separate port.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Layer, Redacted } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { createServer } from "node:http"

/** Starts the issuer, until the scope closes. */
export const start = Effect.gen(function*() {
  const services = yield* Layer.build(
    TestIssuer.serve().pipe(
      Layer.provide(
        NodeHttpServer.layer(createServer, { host: "localhost", port: 0, gracefulShutdownTimeout: "1 second" })
      )
    )
  )
  const { issuer: origin, mint: mintToken } = Context.get(services, TestIssuer.TestIssuer)

  /** An access token (RFC 9068) that outlives the suite. */
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
