/** Starts the demo authorization server of the MCP SDK on a free port. It runs until the scope closes. */
import { Effect, Redacted, Schedule, type Scope } from "effect"
import { AuthError } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { Worker } from "node:worker_threads"
import { freePort } from "../program.ts"

export interface SdkDemo {
  /** The issuer, which ends with a slash. */
  readonly issuer: string
  /** Moves the clock of the server, in milliseconds. */
  readonly moveClock: (offset: number) => Effect.Effect<void>
}

export const make = (options: { readonly resource: string }): Effect.Effect<SdkDemo, never, Scope.Scope> =>
  Effect.gen(function*() {
    const issuer = `http://127.0.0.1:${yield* freePort}/`
    const worker = yield* Effect.acquireRelease(
      Effect.sync(() =>
        new Worker(new URL("sdkDemoWorker.ts", import.meta.url), { workerData: { ...options, issuer }, stdout: true })
      ),
      (worker) => Effect.promise(() => worker.terminate())
    )
    const failed = Effect.callback<never>((resume) => {
      worker.once("error", (error) => resume(Effect.die(error)))
    })
    const listens = Effect.tryPromise(() => fetch(`${issuer}.well-known/oauth-authorization-server`))
    yield* Effect.raceFirst(
      Effect.orDie(Effect.retry(listens, { schedule: Schedule.spaced("20 millis"), times: 2_000 })),
      failed
    )
    return {
      issuer,
      moveClock: (offset) =>
        Effect.callback<void>((resume) => {
          worker.once("message", () => resume(Effect.void))
          // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
          worker.postMessage(offset)
        })
    }
  })

/** Looks a token up at the demo server, as its page in examples/providers shows. */
export const lookUp = (issuer: string) =>
  Introspection.lookUp((token) =>
    Effect.tryPromise({
      try: async () => {
        const body = new URLSearchParams({ token: Redacted.value(token) })
        const response = await fetch(`${issuer}introspect`, { method: "POST", body })
        const answer = (await response.json()) as Introspection.Answer
        if (response.status === 401 && answer.active === false) return { active: false }
        if (response.status !== 200) throw new Error(`status ${response.status}`)
        return { ...answer, sub: "demo_user" }
      },
      catch: () => new AuthError.AuthorizationServerUnavailable({ reason: "server-error", issuer, retryAfter: 1 })
    }), { cacheFor: 0, inactiveFor: 0 })
