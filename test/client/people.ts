/** An authorization server that signs people in, an MCP server, and connections, in memory and with the test clock. */
import { Effect } from "effect"
import { Connections } from "effect-mcp-auth/sign-in"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { TestClock } from "effect/testing"
import { createHash, randomUUID } from "node:crypto"
import { resource, type Servers, servers } from "./world.ts"

export const redirectUri = "https://app.test/callback"

interface Grant {
  readonly challenge: string
  readonly scope: string
  readonly clientId: string
  readonly redirectUri: string
  readonly resource: string | null
}

/** Adds sign-in to the authorization server: PKCE, registration, rotating refresh tokens and revocation. */
export const people = Effect.gen(function*() {
  const world: Servers = yield* servers
  const { issuer } = world
  const codes = new Map<string, Grant>()
  const refreshTokens = new Map<string, Grant>()
  const state = {
    /** Replaces the response to a token request. */
    token: ((_form: URLSearchParams) => undefined) as (form: URLSearchParams) => Response | undefined,
    /** Members that replace those of a token response. */
    members: {} as Record<string, unknown>,
    /** Replaces the response to a registration. */
    registration: ((metadata: Record<string, unknown>) =>
      Response.json({ ...metadata, client_id: `client-${++state.registrations}` }, { status: 201 })) as (
        metadata: Record<string, unknown>
      ) => Response,
    registrations: 0,
    revoked: [] as Array<string>
  }
  yield* issuer.publishMetadata({
    authorization_endpoint: `${issuer.issuer}/authorize`,
    registration_endpoint: `${issuer.issuer}/register`,
    code_challenge_methods_supported: ["S256"],
    token_endpoint_auth_methods_supported: ["none", "client_secret_basic"],
    authorization_response_iss_parameter_supported: true
  })
  const issue = (grant: Grant) => {
    const refreshToken = randomUUID()
    refreshTokens.set(refreshToken, grant)
    return Response.json({
      access_token: `access-${randomUUID()}`,
      token_type: "Bearer",
      expires_in: 3600,
      refresh_token: refreshToken,
      scope: grant.scope,
      ...state.members
    })
  }
  const invalid = (error: string, status = 400) =>
    Response.json({ error }, { status })
  yield* issuer.respondWith("/register", ({ body }) => state.registration(JSON.parse(body)))
  yield* issuer.respondWith("/revoke", ({ body }) => {
    state.revoked.push(new URLSearchParams(body).get("token")!)
    return new Response(null, { status: 200 })
  })
  yield* issuer.respondWith("/token", ({ body }) => {
    const form = new URLSearchParams(body)
    const scripted = state.token(form)
    if (scripted !== undefined) return scripted
    if (form.get("grant_type") === "refresh_token") {
      const grant = refreshTokens.get(form.get("refresh_token")!)
      // A rotated token can be used once.
      return grant !== undefined && refreshTokens.delete(form.get("refresh_token")!)
        ? issue(grant)
        : invalid("invalid_grant")
    }
    const grant = codes.get(form.get("code")!)
    codes.delete(form.get("code")!)
    const verified = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url")
    return grant === undefined || verified !== grant.challenge || form.get("redirect_uri") !== grant.redirectUri ||
        form.get("client_id") !== grant.clientId
      ? invalid("invalid_grant")
      : issue(grant)
  })
  /** Signs in as a person with a browser, and returns the URL of the callback. */
  const approve = (url: string, members: Record<string, string> = {}): { readonly url: string } => {
    const request = new URL(url).searchParams
    const code = randomUUID()
    codes.set(code, {
      challenge: request.get("code_challenge")!,
      scope: request.get("scope") ?? "",
      clientId: request.get("client_id")!,
      redirectUri: request.get("redirect_uri")!,
      resource: request.get("resource")
    })
    const callback = new URL(request.get("redirect_uri")!)
    for (
      const [name, value] of Object.entries({ code, state: request.get("state")!, iss: issuer.issuer, ...members })
    ) {
      if (value !== "") callback.searchParams.set(name, value)
    }
    return { url: callback.href }
  }
  /** The forms of token requests of one grant. */
  const forms = (type: string) =>
    Effect.map(world.tokenRequests, (all) => all.filter((form) => form.get("grant_type") === type))
  const store = yield* MemoryStore.make()
  return { ...world, approve, forms, people: state, store }
})

export type People = Effect.Success<typeof people>

export const options = ({ fetch, issuer }: Pick<People, "fetch" | "issuer">): Connections.Options => ({
  client: { name: "Test" },
  redirectUri,
  allowIssuers: [issuer.issuer],
  fetch
})

/** Creates the connections of one process. */
export const connect = (world: People, more: Partial<Connections.Options> = {}) =>
  Effect.provideService(
    Connections.make({ ...options(world), ...more }),
    RecordStore.RecordStore,
    world.store
  )

/** An error of a request. */
interface Failure extends Error {
  readonly _tag: string
  readonly url: string
  readonly reason: string
  readonly code: string
  readonly what: string
}

/** The connections of one process, and shorter functions for tests. */
export const application = (world: People, more: Partial<Connections.Options> = {}) =>
  Effect.gen(function*() {
    const connections = yield* connect(world, more)
    const call = (account = "alice", to = resource) =>
      Effect.tryPromise({
        try: () => connections.fetch({ account, resource: to })(to, { method: "POST", body: "{}" }),
        catch: (error) => error as Failure
      })
    /** Returns the URL at which an account must sign in. */
    const signInUrl = (account = "alice") => Effect.map(Effect.flip(call(account)), ({ url }) => url)
    const signIn = (account = "alice") =>
      Effect.flatMap(signInUrl(account), (url) => connections.complete(world.approve(url), { account }))
    return { ...connections, call, signIn, signInUrl }
  })

/** Runs an effect while the test clock moves, for effects that wait for a lease. */
export const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.raceFirst(
    effect,
    Effect.forever(
      Effect.andThen(
        Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
        TestClock.adjust("20 millis")
      )
    )
  )
