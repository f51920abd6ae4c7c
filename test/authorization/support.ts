/**
 * Shared by the tests of authorization: a gate around a `TestIssuer`, and requests to it.
 */
import { Context, Effect, Layer, Logger, Redacted, References, Result } from "effect"
import { AuthLayer, Decision, type Principal } from "effect-mcp-auth"
import { ProtectedResource, type Rejection } from "effect-mcp-auth/host"
import { Operation } from "effect-mcp-auth/protocol"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { make as makePrincipal } from "../../src/verification/Principal.ts"
import { gateLayer } from "../servers/gates.ts"
import type { Request } from "./steps.ts"

/** The resource that a `TestIssuer` issues tokens for. */
export const resource = "https://server.test/mcp"

export const metadataUrl = "https://server.test/.well-known/oauth-protected-resource/mcp"

export const scopes = { baseline: ["todos:read"], stepUp: ["todos:write", "todos:admin"] } as const

/** The resource that the gate of these tests protects. */
export const protectedResource = (
  options: Partial<ProtectedResource.Options> = {}
): ProtectedResource.ProtectedResource =>
  Result.getOrThrow(ProtectedResource.make({ resource, scopes, ...options }, ["https://issuer.test"]))

/** Creates a principal as verification returns it. */
export const principal = (
  fields: Partial<Omit<Principal, "scopes" | "granted" | "token">> & {
    readonly scopes?: ReadonlyArray<string>
  } = {}
): Principal => {
  const granted = new Set(fields.scopes ?? [])
  return makePrincipal({
    issuer: "https://issuer.test",
    subject: "alice",
    clientId: "client-1",
    audience: [resource],
    expiresAt: 1_800_000_000,
    claims: {},
    token: Redacted.make("token"),
    ...fields,
    scopes: granted,
    granted
  })
}

type GateOptions = Partial<AuthLayer.Common<typeof scopes>> & { readonly authorizationServers?: AuthLayer.Servers }

/** Creates a gate and the issuer that it trusts. They exist until the test ends. */
export const gate = Effect.fnUntraced(function*(options: GateOptions = {}) {
  const { client, issuer } = yield* TestIssuer.make({ resource })
  const layer = gateLayer({ resource, authorizationServers: [issuer.issuer], ...options, scopes }).pipe(
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
  )
  return { gate: Context.get(yield* Layer.build(layer), AuthLayer.AuthLayer), issuer }
})

/** Creates a request as a server adapter passes it to the gate. */
export const request = (
  headers: Readonly<Record<string, string>> = {},
  authorization: ReadonlyArray<string> = [],
  method = "POST"
): Request => ({ method, header: (name) => headers[name], authorization })

/** Creates a request with a Bearer token. */
export const bearer = (token: string, headers: Readonly<Record<string, string>> = {}): Request =>
  request(headers, [`Bearer ${token}`])

/** Creates the operations of a request with one tool call. */
export const toolCall = (name: string): ReadonlyArray<Operation.Operation> =>
  Result.getOrThrow(Operation.fromBody({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name } }))

/** Runs an effect that must fail with a rejection, and returns the rejection. */
export const rejected = <A, R>(
  effect: Effect.Effect<A, Rejection.Rejection, R>
): Effect.Effect<Rejection.Rejection, A, R> => Effect.flip(effect)

/** A log entry. */
export interface Line {
  readonly level: string
  readonly message: ReadonlyArray<unknown>
  readonly annotations: Readonly<Record<string, unknown>>
}

/** The names of the annotations that explain a rejection. */
const explaining = ["advice", "checked", "expected", "receivedUnverified"]

/**
 * Creates a layer that collects decisions and log entries. Provide it to the effects of a test. The collected decisions and
 * entries do not contain the durations of the requests. The explanations of the log entries are collected separately.
 */
export const listening = () => {
  const decisions: Array<Omit<Decision.Decision, "duration" | "explanation">> = []
  const lines: Array<Line> = []
  const explanations: Array<Readonly<Record<string, unknown>>> = []
  const explained: Array<Decision.Decision["explanation"]> = []
  const logger = Logger.make(({ fiber, logLevel, message }) => {
    const annotations = Object.entries(fiber.getRef(References.CurrentLogAnnotations))
    lines.push({
      level: logLevel,
      message: Array.isArray(message) ? message : [message],
      annotations: Object.fromEntries(
        annotations.filter(([name]) => name !== "duration" && !explaining.includes(name))
      )
    })
    explanations.push(Object.fromEntries(annotations.filter(([name]) => explaining.includes(name))))
  })
  const layer = Layer.mergeAll(
    Layer.succeed(
      Decision.DecisionListener,
      ({ duration: _, explanation, ...decision }) =>
        Effect.sync(() => {
          decisions.push(decision)
          explained.push(explanation)
        })
    ),
    Logger.layer([logger]),
    Layer.succeed(References.MinimumLogLevel, "All")
  )
  return { decisions, explained, explanations, lines, layer }
}
