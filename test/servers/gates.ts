/** Gates that send their requests with the `HttpClient` of a test, such as the client of a `TestIssuer`. */
import { Layer } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { Gate } from "effect-mcp-auth/host"
import { HttpClientFetcher } from "effect-mcp-auth/http-client"
import { HttpClient } from "effect/http"

/** Provides a `Fetcher` that sends with this client, for the option `layer` of server adapters outside Effect. */
export const fetcherWith = (client: HttpClient.HttpClient) =>
  HttpClientFetcher.layer.pipe(Layer.provide(Layer.succeed(HttpClient.HttpClient, client)))

/** Adds a `Fetcher` to a layer that provides a client. The `Fetcher` sends with that client. */
export const withFetcher = <A, E>(layer: Layer.Layer<A | HttpClient.HttpClient, E>) =>
  HttpClientFetcher.layer.pipe(Layer.provideMerge(layer))

/** `Gate.layer`, which here requires an `HttpClient`. */
export const gateLayer = <
  const S extends AuthLayer.Scopes,
  C = never,
  A = unknown,
  RD = never,
  RT = never,
  RR = never,
  RK = never,
  const I extends AuthLayer.Servers = AuthLayer.Servers
>(options: Gate.LayerOptions<S, C, A, RD, RT, RR, RK, I>) =>
  Gate.layer(options).pipe(Layer.provide(HttpClientFetcher.layer))

/** `AuthLayer.make`, with the client as a requirement. */
export const authLayer = <
  const S extends AuthLayer.Scopes,
  C = never,
  A = unknown,
  RD = never,
  RT = never,
  RR = never,
  RK = never,
  const I extends AuthLayer.Servers = AuthLayer.Servers
>(options: AuthLayer.Options<S, C, A, RD, RT, RR, RK, I>) =>
  AuthLayer.make<S, C, A, RD, RT, RR, RK, I, never, never, HttpClient.HttpClient>({
    ...options,
    httpClient: Layer.effect(HttpClient.HttpClient, HttpClient.HttpClient)
  })
