/** An issuer in memory, whose introspection endpoint gives the answers that a test sets, and gates that use the endpoint. */
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import type { AuthError, AuthLayer, Principal } from "effect-mcp-auth"
import { Gate, type Rejection } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import { TestIssuer } from "effect-mcp-auth/testing"
import type { AuthorizationServer } from "effect-mcp-auth/verification"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { authenticate } from "../../authorization/steps.ts"
import { gateLayer } from "../../servers/gates.ts"

export const resource = "https://server.test/mcp"
export const start = 1_800_000_000
export const secret = { clientId: "todos", clientSecret: Redacted.make("hush") }

/** A request that the endpoint received. */
export interface EndpointRequest {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly form: URLSearchParams
}

type Reply = Response | "refuse" | "hang"

export interface Endpoint {
  readonly requests: Array<EndpointRequest>
  answer: (request: EndpointRequest) => Reply | Promise<Reply>
}

/** Returns the same active answer for every token, changed by `claims`. `undefined` removes a member. */
export const active = (claims: Readonly<Record<string, unknown>> = {}) => () =>
  Response.json({
    active: true,
    sub: "alice",
    aud: resource,
    scope: "todos:read",
    client_id: "client-1",
    exp: start + 300,
    ...claims
  })

export interface World {
  readonly issuer: TestIssuer.TestIssuer["Service"]
  readonly endpoint: Endpoint
  readonly client: HttpClient.HttpClient
  readonly gate: (
    options?: Partial<AuthLayer.Common<["todos:read"]>> & {
      readonly resource?: string
      readonly authorizationServers?: readonly [AuthorizationServer.Input, ...ReadonlyArray<AuthorizationServer.Input>]
      readonly server?: Partial<AuthorizationServer.Options> | undefined
    }
  ) => Effect.Effect<Caller, AuthError.AuthConfigError, Scope.Scope>
}

export interface Caller {
  readonly gate: Gate.Gate
  /** Sends a request with this token. Returns the principal or the rejection. */
  readonly present: (token: string) => Effect.Effect<Principal | Rejection.Rejection>
  /** Sends a request with this token. Returns `"admitted"`, or status and reason of the rejection. */
  readonly outcome: (token: string) => Effect.Effect<string>
}

export const world: Effect.Effect<World> = Effect.gen(function*() {
  yield* TestClock.setTime(start * 1000)
  const { client, issuer } = yield* TestIssuer.make()
  const endpoint: Endpoint = { requests: [], answer: active() }
  yield* issuer.respondWith("/introspect", async ({ body, ...request }) => {
    const received: EndpointRequest = { ...request, form: new URLSearchParams(body) }
    endpoint.requests.push(received)
    const reply = await endpoint.answer(received)
    if (reply === "hang") return new Promise(() => {})
    if (reply === "refuse") throw new Error("connection refused")
    return reply
  })

  const gate: World["gate"] = ({ server, ...options } = {}) =>
    Effect.map(
      Layer.build(
        gateLayer({
          resource,
          authorizationServers: [{ issuer: issuer.issuer, introspection: Introspection.make(secret), ...server }],
          scopes: ["todos:read"],
          ...options
        }).pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))
      ),
      (context): Caller => {
        const gate = Context.get(context, Gate.AuthLayer)
        const present: Caller["present"] = (token) =>
          authenticate(gate, { method: "POST", header: () => undefined, authorization: [`Bearer ${token}`] }).pipe(
            Effect.map((_) => _ as Principal),
            Effect.catch(Effect.succeed)
          )
        return {
          gate,
          present,
          outcome: (token) => Effect.map(present(token), (_) => "_tag" in _ ? `${_.status} ${_.reason}` : "admitted")
        }
      }
    )

  return { issuer, endpoint, client, gate }
})
