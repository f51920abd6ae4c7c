/** The API behind the MCP server. It is protected too, and takes tokens that were made for it and no others. */
import { Effect, Layer } from "effect"
import { AuthLayer, Principal } from "effect-mcp-auth"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Identity } from "./OrdersTool.ts"

const Recent = HttpRouter.add(
  "GET",
  "/orders",
  Effect.map(Principal, ({ claims, subject }) =>
    // The owner of the orders is `sub`, and the client that requests them is `act` (RFC 8693).
    HttpServerResponse.jsonUnsafe({ orders: [`a kettle for ${subject}`], actor: claims["act"] }))
)

export const layer = ({ authorizationServers, resource }: Identity) =>
  Recent.pipe(Layer.provide(AuthLayer.make({ resource, authorizationServers, scopes: ["orders:read"] })))
