/** The API behind the MCP server. It is protected too, and takes tokens that were made for it and no others. */
import { Effect, Layer } from "effect"
import { AuthLayer, Principal } from "effect-mcp-auth"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Identity } from "./OrdersTool.ts"

const Recent = HttpRouter.add(
  "GET",
  "/orders",
  Effect.map(Principal, ({ claims, subject }) =>
    // Whose orders these are, and who asks for them: RFC 8693 puts that into `act`.
    HttpServerResponse.jsonUnsafe({ orders: [`a kettle for ${subject}`], actor: claims["act"] }))
)

export const layer = ({ authorizationServers, resource }: Identity) =>
  Recent.pipe(Layer.provide(AuthLayer.make({ resource, authorizationServers, scopes: ["orders:read"] })))
