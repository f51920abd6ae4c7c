/** The grants of a proxy with a store in memory, and a client that signs in and refreshes. */
import { Effect, Redacted } from "effect"
import { MemoryStore, type RecordStore } from "effect-mcp-auth/store"
import { createHash } from "node:crypto"
import type { GrantEvent } from "../../../src/proxy/grants/GrantEvent.ts"
import type { GrantOptions } from "../../../src/proxy/grants/GrantOptions.ts"
import type {
  Approved,
  Grants,
  Person,
  Redemption,
  Refresh,
  Release,
  UpstreamVerdict
} from "../../../src/proxy/grants/Grants.ts"
import * as GrantService from "../../../src/proxy/grants/GrantService.ts"
import * as ProxyKeys from "../../../src/proxy/keys/ProxyKeys.ts"

export const issuer = "https://todos.example.com"
export const resource = "https://todos.example.com/mcp"

/** The secrets of tests. They are random, because the proxy rejects others. */
export const secretA = Redacted.make("q1Xv8sZr3TnYw5uKc7hLm2pGd9fJb4eA0iOyRkVtWxE")
export const secretB = Redacted.make("Zt6kPw9nXc2vRb5mQs8dLf1gHj4yTe7uKo3iWa0xVzM")

export const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
export const challenge = createHash("sha256").update(verifier).digest("base64url")

export const alice: Person = { subject: "github|1", display: "Alice" }

export const approved: Approved = {
  clientId: "https://client.example.com/oauth.json",
  redirectUri: "http://localhost/callback",
  challenge,
  resource,
  scopes: ["todos:read", "todos:write"]
}

export interface World {
  readonly grants: Grants
  readonly store: RecordStore.Store
  readonly events: Array<GrantEvent>
  /** Issues a code and redeems it. */
  readonly signIn: (person?: Person, consent?: Approved) => Effect.Effect<Tokens, unknown>
  readonly redeem: (code: string, changes?: Partial<Redemption>) => ReturnType<Grants["redeem"]>
  readonly refresh: (
    refreshToken: string,
    changes?: Partial<Refresh>,
    verdict?: UpstreamVerdict
  ) => Effect.Effect<Tokens, Effect.Error<ReturnType<Grants["refresh"]>>>
}

export interface Tokens {
  readonly access: string
  readonly refresh: string
  readonly expiresIn: number
  readonly scopes: ReadonlyArray<string>
}

export const redemption = { clientId: approved.clientId, redirectUri: approved.redirectUri, verifier }

export const toTokens = (answer: Effect.Success<ReturnType<Grants["redeem"]>>): Tokens => ({
  access: Redacted.value(answer.accessToken),
  refresh: Redacted.value(answer.refreshToken),
  expiresIn: answer.expiresIn,
  scopes: answer.scopes
})

/** The content of a token, without verification. */
export const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString())

/** Creates a store in memory at whose operations other fibers run, as at those of a store in another process. */
export const makeInterleaved = Effect.map(MemoryStore.make(), (store): RecordStore.Store => ({
  get: (key) => Effect.andThen(Effect.yieldNow, store.get(key)),
  put: (key, value, options) => Effect.andThen(Effect.yieldNow, store.put(key, value, options)),
  remove: (key, expected) => Effect.andThen(Effect.yieldNow, store.remove(key, expected))
}))

export const makeWorld = (given: {
  readonly store?: RecordStore.Store
  readonly secret?: ProxyKeys.ProxySecrets
  readonly options?: GrantOptions
  readonly issuer?: string
  readonly release?: Release
} = {}): Effect.Effect<World, unknown> =>
  Effect.gen(function*() {
    const store = given.store ?? (yield* MemoryStore.make())
    const events: Array<GrantEvent> = []
    const grants = yield* GrantService.make({
      issuer: given.issuer ?? issuer,
      store,
      keys: yield* ProxyKeys.make(given.secret ?? secretA),
      offeredScopes: ["todos:read", "todos:write", "todos:admin"],
      options: given.options,
      onEvent: (event) => Effect.sync(() => void events.push(event)),
      release: given.release
    })
    const redeem: World["redeem"] = (code, changes) => grants.redeem({ code, ...redemption, ...changes })
    return {
      grants,
      store,
      events,
      redeem,
      signIn: (person = alice, consent = approved) =>
        Effect.gen(function*() {
          const code = yield* grants.issueCode(consent, person, "upstream-key")
          const { clientId, redirectUri } = consent
          return toTokens(yield* redeem(code, { clientId, redirectUri }))
        }),
      refresh: (refreshToken, changes, verdict = { outcome: "alive" }) =>
        Effect.map(
          grants.refresh({ refreshToken, clientId: approved.clientId, ...changes }, () => Effect.succeed(verdict)),
          toTokens
        )
    }
  })
