/** A gate with tenants. The issuers of the server and of its two tenants are in memory. */
import { Context, Effect, Layer, Result } from "effect"
import type { AuthLayer } from "effect-mcp-auth"
import { AddressGuard, Gate } from "effect-mcp-auth/host"
import { Tenants } from "effect-mcp-auth/tenants"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { AuthorizationServer } from "effect-mcp-auth/verification"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { authenticate } from "../../authorization/steps.ts"
import { gateLayer } from "../../servers/gates.ts"
import { resource, start } from "../introspection/answers.ts"

/** Provides a client in memory, and no resolver, since DNS does not contain the host names of the issuers. */
export const inMemory = (client: HttpClient.HttpClient) =>
  Layer.merge(Layer.succeed(HttpClient.HttpClient, client), Layer.succeed(AddressGuard.Resolver, undefined))

/** The properties of a request, except its token. */
export interface Sent {
  readonly headers?: Readonly<Record<string, string>>
  readonly path?: string
  /** The parameters that the router matched. */
  readonly params?: Readonly<Record<string, string>>
}

type Found = ReturnType<Tenants.Options["authorizationServers"]>

type TenantsWith = (options: Tenants.Options) => Tenants.Mechanism

/** Selects how requests name their tenant: the name of a function of `Tenants`, and its first argument. */
export const by =
  (name: "fromClaim" | "fromHeader" | "fromPath" | "fromRoute", value: string): TenantsWith => (options) =>
    Tenants[name](value, options)

/** Creates a gate with one issuer for the server, and one for each tenant. */
export const setup = (
  tenantsWith: TenantsWith,
  options: Partial<Tenants.Options> & {
    readonly change?: (tenant: string, found: Found) => Found
    readonly layer?:
      & Partial<Omit<AuthLayer.Common<readonly ["todos:read"]>, "scopes" | "tenants">>
      & { readonly resource?: string }
  } = {}
) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(start * 1000)
    const acme = yield* TestIssuer.make({ issuer: "https://acme.test", resource })
    const bolt = yield* TestIssuer.make({ issuer: "https://bolt.test", resource })
    const others = [acme.issuer, bolt.issuer]
    const own = yield* TestIssuer.make({ issuer: "https://own.test", resource, others })
    const issuers = { own, acme, bolt }
    const lookedUp: Array<string> = []
    const servers: Record<string, ReadonlyArray<AuthorizationServer.Input>> = {
      acme: ["https://acme.test"],
      bolt: [{ issuer: "https://bolt.test" }]
    }
    const { change, layer, ...rest } = options
    const context = yield* Layer.build(
      gateLayer({
        resource,
        authorizationServers: ["https://own.test"],
        scopes: ["todos:read"],
        ...layer,
        tenants: tenantsWith({
          authorizationServers: (tenant) => {
            lookedUp.push(tenant)
            const found: Found = Effect.sync(() => (servers[tenant] ?? []).map((_) => structuredCloneOf(_)))
            return change === undefined ? found : change(tenant, found)
          },
          ...rest
        })
      } as Gate.LayerOptions<readonly ["todos:read"]>).pipe(
        Layer.provide(inMemory(own.client))
      )
    )
    const gate = Context.get(context, Gate.AuthLayer)
    const ask = (token: string | undefined, { headers = {}, params = {}, path }: Sent = {}) =>
      authenticate(gate, {
        method: "POST",
        header: (name) => headers[name],
        authorization: token === undefined ? [] : [`Bearer ${token}`],
        path,
        routeParameter: (name) => Object.hasOwn(params, name) ? params[name] : undefined
      })
    /** Sends a request. Returns the principal or the rejection. */
    const result = (token: string | undefined, sent?: Sent) => Effect.map(Effect.result(ask(token, sent)), Result.merge)
    const outcome = (token: string | undefined, sent?: Sent) =>
      ask(token, sent).pipe(
        Effect.as("admitted"),
        Effect.catch(({ reason, status }) => Effect.succeed(`${status} ${reason}`))
      )
    const token = (name: keyof typeof issuers, claims: Record<string, unknown> = {}, audience?: string) =>
      issuers[name].issuer.mint({ claims, expiresIn: "1 hour", ...(audience === undefined ? {} : { audience }) })
    return { ask, gate, issuers, lookedUp, outcome, result, servers, token }
  })

// A database returns a new object for each query. The gate must compare such objects by their structure.
const structuredCloneOf = (input: AuthorizationServer.Input): AuthorizationServer.Input =>
  typeof input === "string" ? input : { ...input }

export const header = by("fromHeader", "X-Tenant")
export const of = (tenant: string) => ({ headers: { "x-tenant": tenant } })
