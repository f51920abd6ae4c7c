/** Starts workers-oauth-provider in workerd, the runtime of Cloudflare Workers, on a free port. */
import { Effect, Redacted, type Scope } from "effect"
import { AuthError } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import { fileURLToPath } from "node:url"
import { freePort } from "../program.ts"

/** The result of `validateToken` for a valid token. */
export interface ValidatedToken {
  readonly audience: string
  /** In seconds since 1970. */
  readonly expiresAt: number
  readonly scope: ReadonlyArray<string>
  readonly userId: string
  readonly clientId: string
}

export interface WorkersOAuthProvider {
  readonly issuer: string
  /** The function that the Worker offers to other Workers. Returns `null` if the token is not valid for the resource. */
  readonly validateToken: (resource: string, token: string) => Promise<ValidatedToken | null>
  /** Moves the clock of the Worker, in milliseconds. */
  readonly moveClock: (offset: number) => Effect.Effect<void>
}

export interface Options {
  readonly resources: ReadonlyArray<string>
  readonly scopes: ReadonlyArray<string>
}

export const make = (options: Options): Effect.Effect<WorkersOAuthProvider, never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort
    const issuer = `http://127.0.0.1:${port}`
    yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const { outputFiles } = await build({
          entryPoints: [fileURLToPath(new URL("workersOAuthProviderWorker.ts", import.meta.url))],
          bundle: true,
          write: false,
          format: "esm",
          platform: "neutral",
          mainFields: ["module", "main"],
          conditions: ["workerd", "import", "default"],
          external: ["cloudflare:workers"],
          define: { SETTINGS: JSON.stringify({ ...options, issuer }) }
        })
        const worker = new Miniflare({
          modules: true,
          script: outputFiles[0]!.text,
          compatibilityDate: "2026-07-01",
          kvNamespaces: ["OAUTH_KV"],
          host: "127.0.0.1",
          port
        })
        await worker.ready
        return worker
      }),
      (worker) => Effect.promise(() => worker.dispose())
    )
    return {
      issuer,
      validateToken: async (resource, token) => {
        const response = await fetch(`${issuer}/validate`, {
          method: "POST",
          body: JSON.stringify({ resource, token })
        })
        if (response.status !== 200) throw new Error(`status ${response.status}`)
        return await response.json() as ValidatedToken | null
      },
      moveClock: (offset) => Effect.promise(() => fetch(`${issuer}/clock`, { method: "POST", body: String(offset) }))
    }
  })

/** Looks a token up with `validateToken`, as the page of workers-oauth-provider in examples/providers shows. */
export const lookUp = ({ issuer, validateToken }: WorkersOAuthProvider, resource: string) =>
  Introspection.lookUp((token) =>
    Effect.map(
      Effect.tryPromise({
        try: () => validateToken(resource, Redacted.value(token)),
        catch: () => new AuthError.AuthorizationServerUnavailable({ reason: "server-error", issuer, retryAfter: 1 })
      }),
      (valid): Introspection.Answer =>
        valid === null
          ? { active: false }
          : {
            active: true,
            iss: issuer,
            aud: valid.audience,
            sub: valid.userId,
            client_id: valid.clientId,
            scope: valid.scope.join(" "),
            exp: valid.expiresAt
          }
    ), { cacheFor: 0, inactiveFor: 0 })
