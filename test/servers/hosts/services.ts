import { Layer } from "effect"
import { Decision } from "effect-mcp-auth"
import { HttpClient } from "effect/http"
import { authLayer, withFetcher } from "../gates.ts"
import type * as Functions from "./functions.ts"
import type { Written } from "./Host.ts"

type Listening = Pick<Functions.Functions, "listener">

/** Provides the services of every server in this process: the client of the issuer, and the listener. */
const provided = (client: HttpClient.HttpClient, listener: Functions.Functions["listener"]) =>
  Layer.merge(
    Layer.succeed(HttpClient.HttpClient, client),
    listener === undefined ? Layer.empty : Layer.succeed(Decision.DecisionListener, listener)
  )

/** The options of hosts outside Effect. */
export const hostOptions = (options: Written, client: HttpClient.HttpClient, { listener }: Listening) => ({
  ...options,
  layer: withFetcher(provided(client, listener))
})

/** The gate for Effect's own server. */
export const layer = (options: Written, client: HttpClient.HttpClient, { listener }: Listening) =>
  authLayer(options).pipe(Layer.provide(provided(client, listener)))
