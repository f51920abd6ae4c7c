/** Starts OpenAuth on a free port, with its storage in memory. */
import { createAdaptorServer } from "@hono/node-server"
import { issuer } from "@openauthjs/openauth"
import { MemoryStorage } from "@openauthjs/openauth/storage/memory"
import { createSubjects } from "@openauthjs/openauth/subject"
import { Effect, type Scope } from "effect"
import { Hono } from "hono"
import type { AddressInfo } from "node:net"
import { z } from "zod"

export interface OpenAuth {
  readonly issuer: string
  /** Requests a token with client credentials, for a client with this id. */
  readonly token: (clientId: string) => Effect.Effect<string>
}

export interface Options {
  /** The scopes that the program writes into `properties.scopes` of every token. */
  readonly scopes: ReadonlyArray<string>
  /** Whether the program adds the members that OpenAuth leaves out of its responses. Default: `false`. */
  readonly isCompleted?: boolean
  /** The lifetime of access tokens, in seconds. Default: 300. */
  readonly accessTokenLifetime?: number
}

const makeIssuer = (options: Options) =>
  issuer({
    storage: MemoryStorage(),
    subjects: createSubjects({ user: z.object({ id: z.string(), scopes: z.array(z.string()) }) }),
    ttl: { access: options.accessTokenLifetime ?? 300 },
    providers: {
      // Signs alice in without a page, and accepts every client with any secret.
      person: {
        type: "person",
        init: (routes, context) => {
          routes.get("/authorize", (request) => context.success(request, { id: "alice" }))
        },
        client: ({ clientID }) => Promise.resolve({ id: clientID })
      }
    },
    success: (response, { id }: { readonly id: string }) =>
      response.subject("user", { id, scopes: [...options.scopes] }, { subject: id })
  })

/** Adds the members that MCP clients need and OpenAuth leaves out, as the page of OpenAuth in examples/providers shows. */
const complete = (openauth: ReturnType<typeof makeIssuer>) => {
  const app = new Hono()
  const add = (path: string, members: object) =>
    app.use(path, async (context, next) => {
      await next()
      if (context.res.status === 200) {
        context.res = Response.json({ ...await context.res.json(), ...members })
      }
    })
  add("/token", { token_type: "Bearer" })
  add("/.well-known/oauth-authorization-server", {
    code_challenge_methods_supported: ["S256"],
    token_endpoint_auth_methods_supported: ["none"]
  })
  return app.route("/", openauth)
}

export const make = (options: Options): Effect.Effect<OpenAuth, never, Scope.Scope> =>
  Effect.gen(function*() {
    const openauth = makeIssuer(options)
    const app = options.isCompleted === true ? complete(openauth) : openauth
    const server = yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createAdaptorServer>>((resume) => {
        const server = createAdaptorServer({ fetch: app.fetch })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          if ("closeAllConnections" in server) server.closeAllConnections()
        })
    )
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      issuer: url,
      token: (clientId) =>
        Effect.promise(async () => {
          const response = await fetch(`${url}/token`, {
            method: "POST",
            body: new URLSearchParams({
              grant_type: "client_credentials",
              provider: "person",
              client_id: clientId,
              client_secret: "any secret"
            })
          })
          return ((await response.json()) as { readonly access_token: string }).access_token
        })
    }
  })
