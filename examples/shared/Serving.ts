/** Runs the examples: reads settings from the environment, starts an HTTP server on loopback, and prints its URL. */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import {
  Cause,
  Config,
  Console,
  Context,
  Data,
  Effect,
  Exit,
  Layer,
  Logger,
  Option,
  References,
  Runtime,
  Schema
} from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import * as AuthorizationServer from "../authorization-server/AuthorizationServer.ts"

/** The path of the MCP endpoint. */
export const path = "/mcp"

export interface Settings {
  /** The port. 0 selects a free port. */
  readonly port: number
  /** The URL that clients use, for example behind a proxy. Default: the URL at which the server listens. */
  readonly resource?: string | undefined
  /** The issuers whose tokens are accepted. If the list is empty, an authorization server is started with the example. */
  readonly authorizationServers: ReadonlyArray<string>
}

/** Reads the settings from `PORT`, `RESOURCE_URL` and `AUTHORIZATION_SERVERS`. */
export const settings: Config.Config<Settings> = Config.all({
  port: Config.Int("PORT").pipe(Config.withDefault(3000)),
  resource: Config.String("RESOURCE_URL").pipe(Config.option, Config.map(Option.getOrUndefined)),
  authorizationServers: Config.Array(Schema.String, "AUTHORIZATION_SERVERS").pipe(
    Config.withDefault([]),
    Config.map((issuers) => issuers.map((issuer) => issuer.trim()).filter((issuer) => issuer !== ""))
  )
})

/** The identity of an example: its resource identifier and its authorization servers. */
export interface Identity {
  /** The resource identifier, which is the audience of tokens. */
  readonly resource: string
  readonly authorizationServers: readonly [string, ...ReadonlyArray<string>]
}

/** A running MCP server. */
export class Endpoint extends Context.Service<
  Endpoint,
  Identity & {
    /** The URL at which the server listens. */
    readonly url: string
  }
>()("examples/Endpoint") {}

/**
 * The error if no authorization server is configured and the resource is not on loopback. The embedded authorization server
 * accepts every sign-in, so it issues no tokens for such a resource.
 */
export class NoAuthorizationServer extends Data.TaggedError("NoAuthorizationServer")<{ readonly resource: string }> {
  override get message() {
    return `RESOURCE_URL is ${this.resource}, which is not on loopback: name your issuers in AUTHORIZATION_SERVERS`
  }
}

export interface Options<A, E> {
  /** The scopes that an embedded authorization server offers. */
  readonly scopes: AuthorizationServer.Scopes
  /** The MCP server. */
  readonly app: (identity: Identity) => Layer.Layer<A, E, HttpRouter.HttpRouter>
}

/** Serves `app` on loopback. */
export const layer = <A, E>(settings: Settings, options: Options<A, E>) => {
  // Binds the port before it builds the app, because the resource URL contains the port, and port 0 stands for a free one.
  const Identified = Layer.effect(
    Endpoint,
    Effect.gen(function*() {
      const { address } = yield* HttpServer.HttpServer
      return yield* identify(
        settings,
        options.scopes,
        address._tag === "UnixPathAddress" ? settings.port : address.port
      )
    })
  )
  const App = Layer.unwrap(Effect.map(Endpoint, options.app))
  return HttpRouter.serve(App, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(Identified),
    Layer.provide(
      NodeHttpServer.layer(createServer, {
        port: settings.port,
        host: "127.0.0.1",
        gracefulShutdownTimeout: "1 second"
      })
    )
  )
}

const identify = Effect.fnUntraced(function*(settings: Settings, scopes: AuthorizationServer.Scopes, port: number) {
  const url = `http://127.0.0.1:${port}${path}`
  const resource = settings.resource ?? url
  const [first, ...others] = settings.authorizationServers
  if (first !== undefined) return { url, resource, authorizationServers: [first, ...others] as const }

  if (!AuthorizationServer.isLoopback(resource)) return yield* new NoAuthorizationServer({ resource })
  const { issuer } = yield* AuthorizationServer.make({ scopes })
  return { url, resource, authorizationServers: [issuer] as const }
})

/** A server without Effect: a listener for `node:http`, and a function that releases its resources. */
export interface Served {
  readonly listener: RequestListener
  readonly dispose: () => Promise<void>
}

export interface ListenerOptions {
  /** The scopes that an embedded authorization server offers. */
  readonly scopes: AuthorizationServer.Scopes
  /** Creates the server. Pass `logging` to the gate, so that its log is formatted like that of the rest of the program. */
  readonly serve: (identity: Identity, logging: Layer.Layer<never>) => Promise<Served>
}

/** Serves a listener on loopback. */
export const layerListener = (settings: Settings, options: ListenerOptions) =>
  Layer.effect(
    Endpoint,
    Effect.gen(function*() {
      const server = yield* Effect.acquireRelease(listen(settings.port), close)
      const identity = yield* identify(settings, options.scopes, (server.address() as AddressInfo).port)
      const logging = Layer.mergeAll(
        Layer.succeed(Logger.LogToStderr, yield* Logger.LogToStderr),
        Layer.succeed(References.MinimumLogLevel, yield* References.MinimumLogLevel)
      )
      const { listener } = yield* Effect.acquireRelease(
        Effect.promise(() => options.serve(identity, logging)),
        ({ dispose }) => Effect.promise(dispose)
      )
      server.on("request", listener)
      return identity
    })
  )

const listen = (port: number): Effect.Effect<Server, Error> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", (error) => resume(Effect.fail(error)))
    server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
  })

const close = (server: Server): Effect.Effect<void> =>
  Effect.callback((resume) => {
    server.close(() => resume(Effect.void))
    server.closeAllConnections()
  })

/** Runs a whole program: reads the environment, starts the server, prints `listening on URL`, and ends on Ctrl-C. */
export const run = <A, E>(options: Options<A, E>): void => launch((settings) => layer(settings, options))

/** Runs a whole program as `run` does, for a server without Effect. */
export const runListener = (options: ListenerOptions): void => launch((settings) => layerListener(settings, options))

const launch = <A, E>(serve: (settings: Settings) => Layer.Layer<A | Endpoint, E>): void => {
  const Announce = Layer.effectDiscard(Effect.flatMap(Endpoint, ({ url }) => Console.log(`listening on ${url}`)))
  const Main = Layer.unwrap(Effect.map(settings, (settings) => Announce.pipe(Layer.provideMerge(serve(settings)))))
  Layer.launch(Main).pipe(
    Effect.tapCause((cause) => Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(cause)),
    // Logs go to standard error, because standard output contains only the line with the URL.
    Effect.provideService(Logger.LogToStderr, true),
    NodeRuntime.runMain({ disableErrorReporting: true, teardown })
  )
}

/** Exits with 0 after Ctrl-C, which is the usual way to stop a server and not a failure. */
const teardown: Runtime.Teardown = (exit, onExit) =>
  Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause) ? onExit(0) : Runtime.defaultTeardown(exit, onExit)
