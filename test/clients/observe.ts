/** Takes one client through sign-in, a call, an expired token, step-up and lazy sign-in, and tells what it did. */
import { assert } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { vi } from "vitest"
import { scopes } from "../../examples/todo-manager/Scopes.ts"
import type { UpstreamForm } from "../proxy/upstreams.ts"
import type { Behavior } from "./clients.ts"
import type { Connect, Session } from "./drivers/Session.ts"
import { serve, serveBehindProxy } from "./server.ts"
import { type Exchange, record } from "./Wire.ts"

/** A todo manager, which serves until the scope closes. The value is its URL. */
type Served = Effect.Effect<string, never, Scope.Scope>

/** The endpoints of the authorization server that the metadata of an MCP server names. */
interface Endpoints {
  readonly authorization: string
  readonly registration: string
  readonly token: string
}

const endpointsOf = async (resource: string): Promise<Endpoints> => {
  const { origin, pathname } = new URL(resource)
  const getJson = async (url: string): Promise<any> => (await fetch(url)).json()
  const { authorization_servers } = await getJson(`${origin}/.well-known/oauth-protected-resource${pathname}`)
  const metadata = await getJson(`${authorization_servers[0]}/.well-known/oauth-authorization-server`)
  return {
    authorization: metadata.authorization_endpoint,
    registration: metadata.registration_endpoint,
    token: metadata.token_endpoint
  }
}

/** A connected client, and what the servers receive from it. */
interface Observed {
  readonly session: Session
  readonly take: () => ReadonlyArray<Exchange>
  readonly endpoints: Endpoints
  /** Tells whether a request opens the page of the sign-in. */
  readonly isAuthorization: (exchange: Exchange) => boolean
}

/** Starts the servers, connects, and records what the servers receive. */
const withSession = <A>(
  connect: Connect,
  folder: string,
  served: Served,
  use: (observed: Observed) => Promise<A>
): Effect.Effect<A> =>
  Effect.gen(function*() {
    const url = yield* served
    return yield* Effect.promise(async () => {
      const endpoints = await endpointsOf(url)
      using wire = record()
      const session = await connect({ url, folder })
      try {
        return await use({
          session,
          take: wire.take,
          endpoints,
          isAuthorization: ({ method, url }) => method === "GET" && url === endpoints.authorization
        })
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

/** The behavior of a client at an authorization server that gives it a refresh token. */
export interface SignInBehavior extends Pick<Behavior, "signInScopes" | "offlineAccess" | "refresh"> {
  readonly stepUpAfterRefresh: boolean
}

/** Signs in, calls a tool, lets the access token expire, and steps up. Fails if the client cannot sign in and call a tool. */
const observeSignIn = (connect: Connect, folder: string, served: Served): Effect.Effect<SignInBehavior> =>
  withSession(connect, folder, served, async ({ endpoints, isAuthorization, session, take }) => {
    const connection = take()
    assert(
      connection.some(({ status, url }) => url === endpoints.registration && status === 201),
      "the client registers itself"
    )
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
        signInScopes: signInScopes.length > 0 ? "baseline" : "none",
        offlineAccess: requested.includes("offline_access"),
        refresh: afterExpiry.some(({ url }) => url === endpoints.token) && !afterExpiry.some(isAuthorization),
        stepUpAfterRefresh: await deleteTodo(session)
      }
    } finally {
      vi.useRealTimers()
    }
  })

/** Where the packages of the clients are, and the origin of the page. */
export interface Site {
  readonly folder: string
  readonly origin: string
}

/** Returns the behavior of a client at `oidc-provider`. Fails if it cannot sign in and call a tool. */
export const observe = (connect: Connect, { folder, origin }: Site): Effect.Effect<Behavior> =>
  Effect.gen(function*() {
    const { stepUpAfterRefresh, ...signIn } = yield* observeSignIn(
      connect,
      folder,
      serve({ origin, lazy: false, refreshTokens: "always" })
    )
    const stepUp = yield* withSession(
      connect,
      folder,
      serve({ origin, lazy: false, refreshTokens: "offline_access" }),
      async ({ session }) => {
        await createTodo(session)
        return deleteTodo(session)
      }
    )
    const lazySignIn = yield* withSession(
      connect,
      folder,
      serve({ origin, lazy: true, refreshTokens: "offline_access" }),
      async ({ isAuthorization, session, take }) => {
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

/** Returns the behavior of a client at the OAuth proxy in front of an upstream. Fails if it cannot sign in and call a tool. */
export const observeAtProxy = (
  connect: Connect,
  form: UpstreamForm,
  { folder, origin }: Site
): Effect.Effect<SignInBehavior> => observeSignIn(connect, folder, serveBehindProxy({ origin, form }))
