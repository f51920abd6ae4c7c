/**
 * The endpoints of a proxy in memory, with the test clock. Keys, seals, pages and the store are real. The upstream leg is a double
 * that identifies one person, because these tests are about the browser and the clients of the proxy.
 */
import { Effect, Redacted } from "effect"
import { MemoryStore } from "effect-mcp-auth/store"
import { TestClock } from "effect/testing"
import { createHash, randomBytes } from "node:crypto"
import type { ClientDocuments } from "../../../src/proxy/front/ClientDocuments.ts"
import * as clients from "../../../src/proxy/front/Clients.ts"
import * as dynamicClient from "../../../src/proxy/front/DynamicClient.ts"
import { type Parts, type Resource, urlsOf } from "../../../src/proxy/front/Front.ts"
import * as limits from "../../../src/proxy/front/Limits.ts"
import type { ProxyRequest, ProxyResponse } from "../../../src/proxy/front/ProxyRequest.ts"
import { privateUseDefaults } from "../../../src/proxy/front/RedirectUri.ts"
import * as registeredClients from "../../../src/proxy/front/RegisteredClients.ts"
import * as routes from "../../../src/proxy/front/Routes.ts"
import type { Approved, Grants, GrantView, Person } from "../../../src/proxy/grants/Grants.ts"
import { GrantRejected } from "../../../src/proxy/grants/Grants.ts"
import * as proxyKeys from "../../../src/proxy/keys/ProxyKeys.ts"
import * as recordKeys from "../../../src/proxy/keys/RecordKeys.ts"
import { type AdmissionRejected, UpstreamFailure } from "../../../src/proxy/upstream/UpstreamFailure.ts"
import type { UpstreamLeg } from "../../../src/proxy/upstream/UpstreamLeg.ts"

export const issuer = "https://todos.test"
export const resource = "https://todos.test/mcp"
export const upstreamUrl = "https://upstream.test/authorize"

export const secret = Redacted.make("uF9WcLZl8bVtTq3mP0yKx7sJd2hGaRnE5oiC1vQkYwM=")
export const otherSecret = Redacted.make("Xe4NzQ7rLb0vTj9fWk2yHs6pMd8cGuA1iRo3KlZxVtE=")

export const challengeOf = (verifier: string) => createHash("sha256").update(verifier).digest("base64url")
export const verifier = "v".repeat(43)

export interface WorldOptions {
  readonly issuer?: string
  readonly resources?: readonly [Resource, ...ReadonlyArray<Resource>]
  readonly secret?: proxyKeys.ProxySecrets
  readonly clients?: ReadonlyArray<registeredClients.RegisteredClient>
  readonly privateUse?: ReadonlyArray<string>
  readonly documents?: ClientDocuments | undefined
  readonly scopeDescriptions?: Readonly<Record<string, string>>
  readonly name?: string
}

/** Counts the writes of a store. */
const counting = Effect.map(MemoryStore.make(), (store) => {
  const count = { writes: 0 }
  return {
    count,
    store: {
      ...store,
      put: ((...args) => Effect.suspend(() => (count.writes++, store.put(...args)))) as typeof store.put
    }
  }
})

/** A double of the upstream leg: every code signs the same person in. */
const upstreamLeg = () => {
  const state = {
    person: { subject: "github|1", display: "ada" } as Person,
    /** The MCP scopes that the upstream grants. */
    granted: undefined as ReadonlyArray<string> | undefined,
    failure: undefined as UpstreamFailure | AdmissionRejected | undefined,
    completions: 0,
    checks: 0
  }
  const leg: UpstreamLeg = {
    name: "github",
    apiUrl: "https://upstream.test",
    subjectOf: (id) => `github|AAAAAAAA|${id}`,
    release: () => Effect.void,
    upstreamScopes: (scopes) => scopes.includes("todos:write") ? ["repo"] : [],
    begin: ({ redirectUri, scopes }) =>
      Effect.sync(() => {
        const state = randomBytes(32).toString("base64url")
        const url = `${upstreamUrl}?${new URLSearchParams({ state, redirect_uri: redirectUri })}`
        return { url, state, flow: { state, verifier: randomBytes(32).toString("base64url"), scopes } }
      }),
    complete: ({ flow, spend }) =>
      Effect.gen(function*() {
        state.completions++
        if (state.failure !== undefined) return yield* state.failure
        // Other callbacks arrive while the upstream answers.
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        yield* spend
        return { person: state.person, scopes: state.granted ?? flow.scopes, upstreamKey: "upstream-key" }
      }),
    check: () => Effect.sync(() => (state.checks++, { outcome: "alive" })),
    token: () => Effect.fail(new UpstreamFailure({ reason: "ended" }))
  }
  return { leg, state }
}

/** A double of the grants, which shows what the endpoints request. */
const grantsDouble = () => {
  const state = {
    codes: new Map<string, Approved & { readonly person: Person }>(),
    redemptions: [] as Array<unknown>,
    refreshes: [] as Array<unknown>,
    revocations: [] as Array<readonly [string, string]>,
    failure: undefined as Effect.Effect<never, any> | undefined
  }
  const answer = (scopes: ReadonlyArray<string>) => ({
    accessToken: Redacted.make("access-token"),
    refreshToken: Redacted.make("refresh-token"),
    expiresIn: 3600,
    scopes
  })
  const grants: Grants = {
    issueCode: (approved, person) =>
      Effect.sync(() => {
        const code = randomBytes(32).toString("base64url")
        state.codes.set(code, { ...approved, person })
        return code
      }),
    redeem: (request) =>
      Effect.suspend(() => {
        state.redemptions.push(request)
        if (state.failure !== undefined) return state.failure
        const found = state.codes.get(request.code)
        return found === undefined || found.clientId !== request.clientId
          ? Effect.fail(new GrantRejected({ reason: "unknown" }))
          : Effect.succeed(answer(found.scopes))
      }),
    refresh: (request, check) =>
      Effect.suspend(() => {
        state.refreshes.push(request)
        if (state.failure !== undefined) return state.failure
        // A grant for each token, whose check runs as at a rotation.
        const grant: GrantView = {
          id: request.refreshToken,
          clientId: request.clientId,
          person: { subject: "github|1", display: "ada" },
          resource,
          scopes: ["todos:read"],
          upstreamKey: "upstream-key",
          createdAt: 0,
          usedAt: 0,
          checkedAt: 0,
          expiresAt: 0
        }
        return Effect.as(check(grant), answer(["todos:read"]))
      }),
    revoke: (token, clientId) => Effect.sync(() => void state.revocations.push([token, clientId])),
    isAlive: () => Effect.succeed(true),
    covers: () => Effect.succeed(true),
    get: () => Effect.undefined,
    list: () => Effect.succeed([]),
    revokeGrant: () => Effect.succeed(false),
    revokeAll: () => Effect.succeed(0)
  }
  return { grants, state }
}

export interface Sent {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>>
  readonly body?: string
  /** Reads the body in place of `body`. */
  readonly read?: (signal: AbortSignal) => Promise<string | undefined>
}

const toRequest = (url: string, { body = "", headers = {}, method = "GET", read }: Sent): ProxyRequest => {
  const { pathname, search } = new URL(url)
  return {
    method,
    path: pathname,
    query: search.slice(1),
    header: (name) => {
      const value = headers[name]
      return value === undefined ? [] : typeof value === "string" ? [value] : value
    },
    body: (maximumBytes, signal) =>
      read?.(signal) ?? Promise.resolve(Buffer.byteLength(body) > maximumBytes ? undefined : body)
  }
}

export const formHeaders = { "content-type": "application/x-www-form-urlencoded" }

/** Decodes the character references that the pages write. */
export const decode = (text: string): string =>
  text.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))

/** Returns the hidden fields of the form of a page. */
export const fieldsOf = (page: ProxyResponse): Record<string, string> =>
  Object.fromEntries(
    [...page.body.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)].map(([, name, value]) => [
      decode(name!),
      decode(value!)
    ])
  )

/** Returns the URL to which a page moves on by itself. */
export const refreshOf = (page: ProxyResponse): string | undefined => {
  const found = /<meta http-equiv="refresh" content="\d+;url=([^"]*)">/.exec(page.body)
  return found === null ? undefined : decode(found[1]!)
}

export const textOf = (page: ProxyResponse): string =>
  decode(page.body.replace(/<style>.*<\/style>/s, "").replace(/<[^>]*>/g, " ")).replace(/\s+/g, " ")

/** Keeps cookies as a browser does. */
export const makeBrowser = () => {
  const jar = new Map<string, string>()
  return {
    jar,
    receive: (response: ProxyResponse): ProxyResponse => {
      for (const line of response.cookies) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!
        if (/Max-Age=0/.test(line)) jar.delete(name!)
        else jar.set(name!, value!)
      }
      return response
    },
    get cookie(): string {
      return [...jar].map(([name, value]) => `${name}=${value}`).join("; ")
    }
  }
}

export type Browser = ReturnType<typeof makeBrowser>

export const world = (options: WorldOptions = {}) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(1_800_000_000_000)
    const { count, store } = yield* counting
    const own = options.issuer ?? issuer
    const keys = yield* proxyKeys.make(options.secret ?? secret)
    const privateUse = options.privateUse ?? privateUseDefaults
    const registered = registeredClients.read(options.clients ?? [], "clients")
    const registrations = dynamicClient.make(keys.mac("registration", "client"), privateUse)
    const upstream = upstreamLeg()
    const grants = grantsDouble()
    const front: Parts = {
      issuer: own,
      urls: urlsOf(own, upstream.leg.name),
      resources: options.resources ?? [{ resource, baseline: ["todos:read"], offered: ["todos:read", "todos:write"] }],
      clients: clients.make(
        registered,
        registrations,
        options.documents,
        options.clients?.some(({ clientSecret }) => clientSecret !== undefined) ?? false
      ),
      hasDocuments: options.documents !== undefined,
      registrations,
      appearance: {
        name: options.name ?? "Todos",
        color: "#1d4ed8",
        messages: {},
        scopes: options.scopeDescriptions ?? {}
      },
      limits: limits.make(),
      upstream: { title: "GitHub", leg: upstream.leg },
      grants: grants.grants,
      store,
      recordKey: yield* recordKeys.make(own),
      keys
    }
    const allRoutes = routes.routesOf(front)
    const { answer } = allRoutes
    const send = (url: string, sent: Sent = {}): Effect.Effect<ProxyResponse> =>
      answer(toRequest(url, sent)) ?? Effect.die(new Error(`no route for ${url}`))
    const post = (url: string, form: Record<string, string>, headers: Sent["headers"] = {}) =>
      send(url, { method: "POST", headers: { ...formHeaders, ...headers }, body: String(new URLSearchParams(form)) })
    // The first request of a browser loads the pages, before a test moves the clock.
    yield* post(front.urls.consent, {})
    const register = (metadata: unknown) =>
      send(front.urls.register, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof metadata === "string" ? metadata : JSON.stringify(metadata)
      })
    const registerId = (redirectUris: ReadonlyArray<string>, more: object = {}) =>
      Effect.map(register({ redirect_uris: redirectUris, ...more }), ({ body }) => JSON.parse(body).client_id as string)
    const authorizeUrl = (parameters: Record<string, string>) =>
      `${front.urls.authorize}?${new URLSearchParams({
        response_type: "code",
        code_challenge: challengeOf(verifier),
        code_challenge_method: "S256",
        resource,
        state: "client-state",
        ...parameters
      })}`
    const visit = (browser: Browser, url: string) =>
      Effect.map(send(url, { headers: { cookie: browser.cookie } }), browser.receive)
    const decide = (
      browser: Browser,
      page: ProxyResponse,
      decision: string,
      headers: Sent["headers"] = { "sec-fetch-site": "same-origin" }
    ) =>
      Effect.map(
        post(front.urls.consent, { ...fieldsOf(page), decision }, { cookie: browser.cookie, ...headers }),
        browser.receive
      )
    const callbackUrl = (moved: ProxyResponse, code = "upstream-code") => {
      const state = new URL(refreshOf(moved)!).searchParams.get("state")!
      return `${front.urls.callback}?${new URLSearchParams({ code, state })}`
    }
    /** Signs in with a browser, and returns the response of the callback. */
    const signIn = (browser: Browser, parameters: Record<string, string>) =>
      Effect.gen(function*() {
        const page = yield* visit(browser, authorizeUrl(parameters))
        const moved = yield* decide(browser, page, "approve")
        return yield* visit(browser, callbackUrl(moved))
      })
    return {
      front,
      routes: allRoutes,
      count,
      upstream: upstream.state,
      grants: grants.state,
      send,
      post,
      register,
      registerId,
      authorizeUrl,
      visit,
      decide,
      callbackUrl,
      signIn
    }
  })
