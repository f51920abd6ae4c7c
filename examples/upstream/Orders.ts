/** The API that the MCP server calls. It is also protected, and accepts only tokens with its own URL as the audience. */
import { Effect, Layer } from "effect"
import { AuthLayer, Principal } from "effect-mcp-auth"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Identity } from "./OrdersTool.ts"

const Recent = HttpRouter.add(
  "GET",
  "/orders",
  Effect.map(Principal, ({ claims, subject }) =>
    // `sub` is the owner of the orders. `act` is the party that requests them on the owner's behalf (RFC 8693).
    HttpServerResponse.jsonUnsafe({ orders: [`a kettle for ${subject}`], actor: claims["act"] }))
)

export const layer = ({ authorizationServers, resource }: Identity) =>
  Recent.pipe(Layer.provide(AuthLayer.make({ resource, authorizationServers, scopes: ["orders:read"] })))
