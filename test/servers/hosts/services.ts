import { Layer } from "effect"
import { Decision } from "effect-mcp-auth"
import { HttpClient } from "effect/http"
import { authLayer, gateLayer } from "../gates.ts"
import type * as Functions from "./functions.ts"
import type { Written } from "./Host.ts"

type Listening = Pick<Functions.Functions, "listener">

/** Provides what every server in this process has beside its options: the client of the issuer, and the listener. */
const provided = (client: HttpClient.HttpClient, listener: Functions.Functions["listener"]) =>
  Layer.merge(
    Layer.succeed(HttpClient.HttpClient, client),
    listener === undefined ? Layer.empty : Layer.succeed(Decision.DecisionListener, listener)
  )

/** The gate for hosts outside of Effect. */
export const layerServices = (options: Written, client: HttpClient.HttpClient, { listener }: Listening) =>
  gateLayer(options).pipe(Layer.provide(provided(client, listener)))

/** The gate for Effect's own server. */
export const layer = (options: Written, client: HttpClient.HttpClient, { listener }: Listening) =>
  authLayer(options).pipe(Layer.provide(provided(client, listener)))
