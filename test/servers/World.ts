/**
 * A running protected server, and the issuer that it trusts.
 */
import { Context, Effect, Layer, Logger } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient } from "effect/http"
import { type Host, hosts } from "./Host.ts"
import * as TodoServer from "./TodoServer.ts"

export class World extends Context.Service<World, {
  readonly host: Host
  readonly issuer: TestIssuer.TestIssuer["Service"]
  /** The operations that the server executed since the last call. */
  readonly ran: () => ReadonlyArray<string>
}>()("test/servers/World") {}

/** Returns the server that a block of tests shares, and empties its list of executed operations. */
export const fresh: Effect.Effect<World["Service"], never, World> = Effect.map(World, (world) => {
  world.ran()
  return world
})

/** Starts a server that trusts an in-memory issuer. The server runs until the scope closes, and logs nothing. */
export const make = (kind: keyof typeof hosts, options: Parameters<typeof TodoServer.auth>[1] = {}) =>
  Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make({ resource: TodoServer.resource })
    const server = TodoServer.make()
    const host = yield* hosts[kind](
      server.layer.pipe(
        Layer.provide(TodoServer.auth(issuer.issuer, options)),
        Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
      )
    )
    return World.of({ host, issuer, ran: () => server.ran.splice(0) })
  }).pipe(Effect.provide(Logger.layer([])))

export const layer = (kind: keyof typeof hosts, options: Parameters<typeof TodoServer.auth>[1] = {}) =>
  Layer.effect(World, make(kind, options))
