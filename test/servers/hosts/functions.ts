/**
 * Functions as authors of servers write them. A test selects them by name, since the options of a server are JSON. This file
 * uses no module of Node, because it also runs in workerd.
 */
import { Context, Effect, Redacted, Schema } from "effect"
import { AuthError, AuthLayer, type Decision, TokenVerifier } from "effect-mcp-auth"
import type { ApiKeys } from "effect-mcp-auth/api-keys"
import { Dpop } from "effect-mcp-auth/dpop"
import { Introspection } from "effect-mcp-auth/introspection"
import { PublicUrl } from "effect-mcp-auth/public-url"
import { Quotas } from "effect-mcp-auth/quotas"
import { Revocations } from "effect-mcp-auth/revocation"
import { Tenants } from "effect-mcp-auth/tenants"
import { TokenHeader } from "effect-mcp-auth/token-header"
import type { AuthorizationServer } from "effect-mcp-auth/verification"
import * as Keys from "./keys.ts"
import { policyOf } from "./policies.ts"
import type { requirementOf } from "./TodoServer.ts"

/** A message, in JSON, that changes what the functions of a running server do. */
export type Message =
  | { readonly revoke: JsonTarget }
  /** Evicts cached results and ends open streams, as `Gate.invalidate` does. */
  | { readonly invalidate: JsonTarget }
  /** Sets the result of `revocation` for all later requests. */
  | { readonly revocation: "valid" | "revoked" | "throws" }
  /** Sets how the verifier of `switched` changes the result of the configured verifier. */
  | { readonly verifier: "unchanged" | "rejected" | "without scopes" }
  /** Sets how far ahead the wall clock of a server in another process is, in milliseconds. */
  | { readonly clock: number }

type JsonTarget = { readonly token: string } | Exclude<Revocations.Target, { readonly token: unknown }>

const targetOf = (target: JsonTarget): Revocations.Target =>
  "token" in target ? { token: Redacted.make(target.token) } : target

/** The part of a decision that tests compare. */
export type Heard = Pick<Decision.Decision, "reason" | "status" | "subject">

/** The functions that the author of a server adds to the JSON options. */
export interface Functions {
  readonly name: Name
  readonly options: Partial<AuthLayer.Common<AuthLayer.Scopes, Own, unknown>> & {
    readonly authorizationServers?: readonly [AuthorizationServer.Input]
  }
  /** A `DecisionListener`; `undefined` if the server has none. */
  readonly listener: ((decision: Decision.Decision) => Effect.Effect<void>) | undefined
  /** The option `policy` of `protect`. Default: `requirementOf` of `TodoServer`. */
  readonly policy: Policy | undefined
  /** The option `tenant` of `protect`. */
  readonly tenant: (() => string) | undefined
  /** Changes what the functions do. */
  readonly tell: (message: Message) => Promise<void>
  /** The decisions since the last call of `decisions`. */
  readonly decisions: () => ReadonlyArray<Heard>
  /** How often `revocation` was called, which happens after the verification of a token. */
  readonly checks: () => number
}

type Policy = (
  operation: Parameters<typeof requirementOf>[0] & Parameters<typeof policyOf>[0]
) => ReturnType<typeof requirementOf> | ReturnType<typeof policyOf>

interface Made extends Partial<Pick<Functions, "options" | "policy" | "tenant" | "tell" | "checks">> {
  /** Default: a listener that records the decisions. `"none"`: no listener. */
  readonly listener?: Functions["listener"] | "none"
}

class Own extends Context.Service<Own, unknown>()("test/Own") {}

interface Replaced {
  readonly quotas?: QuotaSettings | undefined
  readonly dpop?: DpopSettings | undefined
  readonly apiKeys?: Keys.Settings | undefined
  readonly tokenHeader?: TokenHeader.Options | undefined
  readonly publicUrls?: readonly [PublicUrlSettings, ...ReadonlyArray<PublicUrlSettings>] | undefined
  readonly resource: string
}

/** Replaces the JSON of mechanisms with their values. */
export const written = <O extends Replaced>(
  { apiKeys, dpop, publicUrls, quotas, resource, tokenHeader, ...options }: O
): Omit<O, keyof Replaced> & {
  readonly dpop?: Dpop.Dpop
  readonly quotas?: Quotas.Mechanism
  readonly apiKeys?: ApiKeys.Mechanism
  readonly tokenHeader?: TokenHeader.Mechanism
  readonly resource: string | PublicUrl.PublicUrl
} => ({
  ...options,
  resource: publicUrls === undefined ? resource : resourceOf(publicUrls),
  ...(dpop === undefined ? undefined : { dpop: dpopOf(dpop) }),
  ...(quotas === undefined ? undefined : { quotas: Quotas.make(quotas) }),
  ...(tokenHeader === undefined ? undefined : { tokenHeader: TokenHeader.make(tokenHeader) }),
  ...(apiKeys === undefined ? undefined : { apiKeys: Keys.apiKeysOf(apiKeys) })
})

const dpopOf = ({ mode, ...options }: DpopSettings): Dpop.Dpop => Dpop[mode](options)

const resourceOf = ([first, ...others]: NonNullable<Replaced["publicUrls"]>): PublicUrl.PublicUrl =>
  others.length === 0 ? PublicUrl.make(urlOf(first)) : PublicUrl.byHost([urlOf(first), ...others.map(urlOf)])

const urlOf = ({ insecure, ...options }: PublicUrlSettings): PublicUrl.Options => ({
  ...options,
  ...(insecure === true ? { [PublicUrl.allowInsecureHttp]: true as const } : undefined)
})

/** The options of `PublicUrl.make`, in JSON. */
export interface PublicUrlSettings extends Omit<PublicUrl.Options, typeof PublicUrl.allowInsecureHttp> {
  readonly insecure?: boolean
}

/** The options of `Quotas`, in JSON. */
export type QuotaSettings = Pick<Quotas.Options, "requests" | "sessions" | "streams" | "proofs">

/** The options of `Dpop`, in JSON. */
export interface DpopSettings {
  readonly mode: "optional" | "required"
  readonly nonce?: "required"
}

/* Functions that work */

const inMemory = (): Made => {
  const entries = new Map<string, object>()
  const revocations = Revocations.make({
    getMany: (keys) => Effect.sync(() => keys.map((key) => entries.get(key)) as never),
    set: (key, value) => Effect.sync(() => void entries.set(key, value))
  })
  return {
    options: { revocation: Revocations.from(revocations) },
    listener: "none",
    tell: (message) =>
      "revoke" in message ? Effect.runPromise(revocations.revoke(targetOf(message.revoke))) : Promise.resolve()
  }
}

/** A check for revocation that counts its calls and reports each token as valid. */
const counted = (): Made => {
  let checks = 0
  const revocation = () =>
    Effect.sync(() => {
      checks++
      return false
    })
  return { options: { revocation: Revocations.check(revocation) }, listener: "none", checks: () => checks }
}

/** A verifier and a revocation service whose results a test sets with messages. */
const switched = (): Made => {
  let revocation: Extract<Message, { readonly revocation: unknown }>["revocation"] = "valid"
  let verifier: Extract<Message, { readonly verifier: unknown }>["verifier"] = "unchanged"
  let invalidate: Revocations.Listener = () => Effect.void
  return {
    listener: "none",
    options: {
      revocation: Revocations.from({
        isRevoked: () => revocation === "throws" ? throws() : Effect.succeed(revocation === "revoked"),
        revoke: () => Effect.void,
        subscribe: (listener) =>
          Effect.sync(() => {
            invalidate = listener
          })
      }),
      verifier: (configured) => ({
        verify: (credentials, request, present) =>
          verifier === "rejected"
            ? Effect.fail(new AuthError.InvalidToken({ reason: "inactive" }))
            : Effect.map(
              configured.verify(credentials, request, present),
              (verified) =>
                verifier === "unchanged"
                  ? verified
                  : { ...verified, principal: { ...verified.principal, scopes: new Set<string>() } }
            )
      })
    },
    tell: async (message) => {
      if ("invalidate" in message) await Effect.runPromise(invalidate(targetOf(message.invalidate)))
      if ("revocation" in message) revocation = message.revocation
      if ("verifier" in message) verifier = message.verifier
    }
  }
}

/** Introspection of opaque tokens, with the client secret that a `TestIssuer` expects. */
const introspects = (issuer: string): Made => ({
  options: {
    authorizationServers: [{
      issuer,
      introspection: Introspection.make({
        clientId: "resource-server",
        clientSecret: Redacted.make("resource-server-secret")
      })
    }]
  }
})

/** The authorization server has another name, and no TLS, inside the network. */
const splitNetwork = (): Made => ({
  options: {
    authorizationServers: [{
      issuer: "https://issuer.test",
      metadataUrl: "http://keycloak:8080/.well-known/oauth-authorization-server",
      jwksUri: "http://keycloak:8080/jwks",
      [AuthLayer.allowInsecureHttp]: true
    }]
  }
})

/** Policies of tools that combine. The roles of a caller are in the claim `roles`. */
const combined = (): Made => ({ policy: policyOf, options: { roles: [["roles"]] } })

/** The same policies, with sources of roles that break before they have returned the role `admin`, or return another value. */
const withBrokenRoles = (): Made => ({
  policy: policyOf,
  options: {
    roles: [
      throws,
      function*() {
        yield "admin"
        throws()
      },
      rejects as never,
      async function() {
        return ["admin"]
      } as never,
      returnsNothing,
      () => ({ admin: true }) as never,
      () => [["admin"]] as never,
      ["roles", "length"]
    ]
  }
})

/* Functions that decide about origins */

const origins = (isAllowed: (origin: string) => unknown): Made => ({
  listener: "none",
  options: { allowedOrigins: isAllowed as (origin: string) => boolean }
})

const isPartner = (origin: string) => /\.partner\.test(?::\d+)?$/.test(origin)

const forOrigins = {
  "a function for origins": () => origins(isPartner),
  "a function for origins that throws": () => origins(throws),
  "a function for origins that returns a promise": () => origins(async () => true),
  "a function for origins that returns a promise that fails": () => origins(rejects),
  "a function for origins that returns nothing": () => origins(() => undefined),
  "a function for origins that returns a text": () => origins(() => "true")
} satisfies Record<string, () => Made>

/* Functions that choose the form of a challenge */

const form = (choose: (request: { readonly header: (name: string) => string | undefined }) => unknown): Made => ({
  options: { authChallenge: choose as () => "http" }
})

const forChallenges = {
  "a function for challenges": () => form(({ header }) => header("x-form") ?? "http"),
  "a function for challenges that throws": () => form(throws),
  "a function for challenges that returns nothing": () => form(() => undefined)
} satisfies Record<string, () => Made>

/* Functions that break */

const secret = "a secret of the author's function"

const throws = (): never => {
  throw new Error(secret)
}
// Vitest fails, and Node ends a process, if no code handles the failure of this promise.
const rejects = async (): Promise<never> => throws()
const dies = () => Effect.die(secret)
const diesLater = () => Effect.andThen(Effect.yieldNow, Effect.die(secret))
const returnsNothing = () => undefined as never
const succeedsWithNothing = () => Effect.succeed(undefined as never)

const verifier = (verify: () => Effect.Effect<never>): Made => ({
  options: { verifier: () => TokenVerifier.make(verify) }
})
const revocation = (revocation: () => Effect.Effect<never>): Made => ({
  options: { revocation: Revocations.check(revocation) }
})
const claims = (check: () => boolean): Made => ({
  options: {
    claims: {
      service: Own,
      decode: Schema.decodeUnknownResult(Schema.Struct({ iss: Schema.String.check(Schema.makeFilter(check)) }))
    }
  }
})
const tenants = (authorizationServers: () => Effect.Effect<never>): Made => ({
  options: { tenants: Tenants.fromHeader("x-tenant", { authorizationServers }) }
})
const lookUp = (lookUp: () => Effect.Effect<never>): Made => ({
  options: {
    authorizationServers: [{
      issuer: "https://issuer.test",
      introspection: Introspection.lookUp(lookUp, { tokens: "all" })
    }]
  }
})
const policy = (policy: () => unknown): Made => ({ policy: policy as Policy })

/** Broken functions: for each function that a request calls, each way in which it can break. */
const broken = {
  "a verifier that returns nothing": () => verifier(returnsNothing),
  "a verifier that succeeds with nothing": () => verifier(succeedsWithNothing),
  "a verifier that succeeds with half a principal": () =>
    verifier(() => Effect.succeed({ issuer: "https://issuer.test", subject: "alice", scopes: new Set() } as never)),
  "a verifier that succeeds with a result whose scopes it changed beside the principal": () => ({
    options: {
      verifier: (configured) => ({
        verify: (credentials, request, present) =>
          Effect.map(
            configured.verify(credentials, request, present),
            (verified) => ({ ...verified, scopes: new Set() })
          )
      })
    }
  }),
  "a verifier that returns a promise that fails": () => verifier(rejects as never),
  "a verifier that throws": () => verifier(throws),
  "a verifier that dies": () => verifier(dies),
  "a verifier that dies later": () => verifier(diesLater),
  "a verifier that fails with an unknown value": () => verifier(() => Effect.fail(secret) as never),
  "a revocation that returns a promise that fails": () => revocation(rejects as never),
  "a revocation that throws": () => revocation(throws),
  "a revocation that dies": () => revocation(dies),
  "a revocation that dies later": () => revocation(diesLater),
  "a revocation that returns nothing": () => revocation(returnsNothing),
  "a schema of claims that throws": () => claims(throws),
  "a function for tenants that returns a promise that fails": () => tenants(rejects as never),
  "a function for tenants that throws": () => tenants(throws),
  "a function for tenants that dies": () => tenants(dies),
  "a function for tenants that returns nothing": () => tenants(returnsNothing),
  "a function for tenants that finds no list": () => tenants(succeedsWithNothing),
  "a look-up that returns a promise that fails": () => lookUp(rejects as never),
  "a look-up that throws": () => lookUp(throws),
  "a look-up that dies": () => lookUp(dies),
  "a look-up that returns nothing": () => lookUp(returnsNothing),
  "a decision listener that throws": (): Made => ({ listener: throws }),
  "a decision listener that dies": (): Made => ({ listener: dies }),
  "a decision listener that returns nothing": (): Made => ({ listener: returnsNothing })
} satisfies Record<string, () => Made>

/** Checks for revocation that return an invalid value. Only `false` admits a token, so the gate rejects the token with 401. */
const rejecting = {
  "a revocation that succeeds with nothing": () => revocation(succeedsWithNothing),
  "a revocation that succeeds with a text": () => revocation(() => Effect.succeed("false" as never))
} satisfies Record<string, () => Made>

/** Broken functions that are options of `protect`. Only hosts with `hasPolicy` have these options. */
const brokenOptions = {
  "a policy that throws": () => policy(throws),
  "a policy that returns a promise": () => policy(async () => ({ scopes: [] })),
  "a policy that returns a promise that fails": () => policy(rejects),
  "a policy that returns a misspelled member": () => policy(() => ({ scope: ["todos:write"] })),
  "a policy that returns a scope that is not offered": () => policy(() => ({ scopes: ["todos:wirte"] })),
  "a policy that returns a list": () => policy(() => ["todos:write"]),
  "a policy that returns null": () => policy(() => null),
  "a tenant option that throws": (): Made => ({
    options: { tenants: Tenants.fromRoute("/t/:tenant/mcp", { authorizationServers: () => Effect.succeed([]) }) },
    tenant: throws
  })
} satisfies Record<string, () => Made>

const working = {
  none: (): Made => ({ listener: "none" }),
  "a list of decisions": (): Made => ({}),
  "a list of revocations": inMemory,
  "a revocation that is counted": counted,
  "a verifier and a revocation that the test switches": switched,
  "an authorization server with another name inside the network": splitNetwork,
  "policies that combine": combined,
  "policies with broken roles": withBrokenRoles,
  "introspection at rejecting.test": () => introspects("https://rejecting.test"),
  "introspection at busy.test": () => introspects("https://busy.test")
} satisfies Record<string, () => Made>

export const brokenNames = Object.keys(broken) as ReadonlyArray<keyof typeof broken>
export const rejectingNames = Object.keys(rejecting) as ReadonlyArray<keyof typeof rejecting>
export const brokenOptionNames = Object.keys(brokenOptions) as ReadonlyArray<keyof typeof brokenOptions>

const all = { ...working, ...forOrigins, ...forChallenges, ...broken, ...rejecting, ...brokenOptions }

export type Name = keyof typeof all

export const make = (name: Name): Functions => {
  const { checks = () => 0, listener, options = {}, policy, tell = () => Promise.resolve(), tenant }: Made = all[name]()
  let heard: Array<Heard> = []
  const hear = ({ reason, status, subject }: Decision.Decision) =>
    Effect.sync(() => void heard.push({ reason, status, subject }))
  return {
    name,
    options,
    listener: listener === "none" ? undefined : listener ?? hear,
    policy,
    tenant,
    tell,
    decisions: () => {
      const since = heard
      heard = []
      return since
    },
    checks
  }
}

/* Tenants */

/** Returns the authorization servers of a tenant. Names of tenants are not case-sensitive, as in many databases. */
export const directory = (tenant: string): ReadonlyArray<AuthorizationServer.Input> =>
  ({ acme: ["https://acme.test"], bolt: ["https://bolt.test"] })[tenant.toLowerCase()] ?? []

/** A router that the author of a server could write. Accepts other spellings of `/t/:tenant/mcp`, and returns the tenant. */
export const lenientRoute = (url: string): string | undefined =>
  /^\/+t\/+([^/]+)\/+mcp\/*$/i.exec(url.replace(/^https?:\/\/[^/]*/, "").split("?")[0]!)?.[1]

/** The options of `Tenants` in JSON, so without the function `authorizationServers`. */
export type TenantOptions = Omit<Tenants.Options, "authorizationServers"> & {
  /** How a request names its tenant: the name of a function of `Tenants`, and its first argument. */
  readonly by: readonly [name: "fromClaim" | "fromHeader" | "fromPath" | "fromRoute", value: string]
}

/** Returns the option `tenants` of a server that finds the authorization servers in `directory`. */
export const tenantsOf = ({ by: [name, value], ...options }: TenantOptions): Tenants.Mechanism =>
  Tenants[name](value, { ...options, authorizationServers: (tenant) => Effect.succeed(directory(tenant)) })
