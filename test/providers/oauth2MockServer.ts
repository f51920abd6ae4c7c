/** Starts an oauth2-mock-server. It runs until the scope closes. */
import { Effect } from "effect"
import { OAuth2Server } from "oauth2-mock-server"

export const algorithms = ["RS256", "ES256", "PS256", "EdDSA"] as const

export const make = (algorithm: typeof algorithms[number]) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = new OAuth2Server()
      await server.issuer.keys.generate(algorithm)
      await server.start(0, "127.0.0.1")
      return server
    }),
    (server) => Effect.promise(() => server.stop())
  )
