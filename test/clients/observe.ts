/** Takes one client through sign-in, a call, an expired token, step-up and lazy sign-in, and tells what it did. */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { vi } from "vitest"
import { scopes } from "../../examples/todo-manager/Scopes.ts"
import type { Behavior } from "./clients.ts"
import type { Connect, Session } from "./drivers/Session.ts"
import { type Options, serve } from "./server.ts"
import { record } from "./Wire.ts"

/** Starts the servers, connects, and records what the servers receive. */
const withSession = <A>(
  connect: Connect,
  { folder, ...options }: Options & { readonly folder: string },
  use: (session: Session, take: ReturnType<typeof record>["take"]) => Promise<A>
): Effect.Effect<A> =>
  Effect.gen(function*() {
    const url = yield* serve(options)
    return yield* Effect.promise(async () => {
      using wire = record()
      const session = await connect({ url, folder })
      try {
        return await use(session, wire.take)
      } finally {
        await session.close()
      }
    })
  }).pipe(Effect.scoped)

/** Calls a tool. If the client requests a sign-in instead, finishes it and calls again, as an application does. */
const call = async ({ callTool, finishSignIn }: Session, name: string, args: Readonly<Record<string, unknown>>) => {
  try {
    return await callTool(name, args)
  } catch (error) {
    if (finishSignIn === undefined || !await finishSignIn()) throw error
    return callTool(name, args)
  }
}

const createTodo = (session: Session) => call(session, "create_todo", { title: "milk" })

const deleteTodo = (session: Session) => call(session, "delete_todo", { id: 1 }).then(() => true, () => false)

const isAuthorization = ({ method, path }: { readonly method: string; readonly path: string }) =>
  method === "GET" && path === "/auth"

/** Returns the behavior of a client. Fails if it cannot sign in and call a tool. */
export const observe = (
  connect: Connect,
  target: { readonly folder: string; readonly origin: string }
): Effect.Effect<Behavior> =>
  Effect.gen(function*() {
    const { stepUpAfterRefresh, ...signIn } = yield* withSession(
      connect,
      { ...target, lazy: false, refreshTokens: "always" },
      async (session, take) => {
        const connection = take()
        assert(connection.some(({ path, status }) => path === "/reg" && status === 201), "the client registers itself")
        const authorization = connection.find(isAuthorization)
        assert(authorization !== undefined, "the client signs in when it connects")
        const requested = authorization.parameters.get("scope")?.split(" ") ?? []
        const signInScopes = requested.filter((scope) => scope !== "offline_access").sort()
        if (signInScopes.length > 0) assert.deepStrictEqual(signInScopes, [...scopes.baseline])
        assert.deepInclude(await createTodo(session), { id: 1, title: "milk" })

        // From here on, the clock of the servers is ten minutes ahead. The access token has expired, the refresh token has not.
        vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 600_000 })
        try {
          take()
          assert.deepNestedInclude(await call(session, "list_todos", {}), { "todos[0].title": "milk" })
          const afterExpiry = take()
          return {
            signInScopes: signInScopes.length > 0 ? "baseline" as const : "none" as const,
            offlineAccess: requested.includes("offline_access"),
            refresh: afterExpiry.some(({ path }) => path === "/token") && !afterExpiry.some(isAuthorization),
            stepUpAfterRefresh: await deleteTodo(session)
          }
        } finally {
          vi.useRealTimers()
        }
      }
    )
    const stepUp = yield* withSession(
      connect,
      { ...target, lazy: false, refreshTokens: "offline_access" },
      async (session) => {
        await createTodo(session)
        return deleteTodo(session)
      }
    )
    const lazySignIn = yield* withSession(
      connect,
      { ...target, lazy: true, refreshTokens: "offline_access" },
      async (session, take) => {
        assert.isFalse(take().some(isAuthorization), "the client connects without a sign-in")
        return createTodo(session).then(() => take().some(isAuthorization), () => false)
      }
    )
    return {
      ...signIn,
      stepUp: stepUpAfterRefresh ? "yes" : stepUp ? "without a refresh token" : "no",
      lazySignIn
    }
  })
