import { Layer } from "effect"
import { Decision } from "effect-mcp-auth"
import { HttpClient } from "effect/http"
import { authLayer, withFetcher } from "../gates.ts"
import type * as Functions from "./functions.ts"
import type { Written } from "./Host.ts"
import * as policies from "./policies.ts"

type Listening = Pick<Functions.Functions, "listener">

/**
 * Provides the services that each server in this process needs: the HTTP client that reaches the issuer, the
 * service that checks of policies use, and the decision listener if there is one.
 */
const provided = (client: HttpClient.HttpClient, listener: Functions.Functions["listener"]) =>
  Layer.mergeAll(
    Layer.succeed(HttpClient.HttpClient, client),
    policies.layer,
    listener === undefined ? Layer.empty : Layer.succeed(Decision.DecisionListener, listener)
  )

/** The options of a server adapter outside Effect, with the services in the option `layer`. */
export const hostOptions = (options: Written, client: HttpClient.HttpClient, { listener }: Listening) => ({
  ...options,
  layer: withFetcher(provided(client, listener))
})

/** The authentication layer for Effect's own server. */
export const layer = (options: Written, client: HttpClient.HttpClient, { listener }: Listening) =>
  authLayer(options).pipe(Layer.provide(provided(client, listener)))
