/**
 * Two ways to run an app of Effect and to send it requests: `web` calls it as a function from `Request` to `Response`,
 * and `node` serves it on `node:http` and connects over a socket.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, type Scope } from "effect"
import { HttpEffect, HttpRouter, HttpServer, type HttpServerResponse } from "effect/http"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"

/** A request as it goes over the wire. A header that is sent twice has two entries in `headers`. */
export interface Sent {
  readonly method: string
  readonly path: string
  readonly headers?: ReadonlyArray<readonly [name: string, value: string]> | undefined
  readonly body?: string | undefined
}

export interface Received {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface Host {
  readonly name: "web" | "node"
  readonly send: (request: Sent) => Effect.Effect<Received>
}

/** The layer of a whole app. Its requirements are not checked. */
type App<E> = Layer.Layer<never, E, any>

const origin = "https://server.test"

/** Turns the app into a function from `Request` to `Response` that uses the clock, logger and other services of this fiber. */
export const webHandler = <E>(
  app: App<E>
): Effect.Effect<(request: Request) => Effect.Effect<Response>, E, Scope.Scope> =>
  Effect.gen(function*() {
    const http = yield* HttpRouter.toHttpEffect(app as Layer.Layer<never, E, HttpRouter.HttpRouter>)
    const context = yield* Effect.context<Scope.Scope>()
    const handler = HttpEffect.toWebHandlerWith(context)(http as Effect.Effect<HttpServerResponse.HttpServerResponse>)
    return (request) => Effect.promise(() => handler(request))
  })

/** Runs the app as a web handler. */
export const web = <E>(app: App<E>): Effect.Effect<Host, E, Scope.Scope> =>
  Effect.map(webHandler(app), (handle) => ({
    name: "web",
    send: ({ body, headers = [], method, path }) =>
      Effect.flatMap(
        handle(
          new Request(origin + path, {
            method,
            headers: headers as Array<[string, string]>,
            ...(body === undefined ? {} : { body })
          })
        ),
        (response) =>
          Effect.promise(async () => ({
            status: response.status,
            headers: Object.fromEntries(response.headers),
            body: await response.text()
          }))
      )
  }))

/** Serves the app on `node:http`, on a free port of the loopback interface. Returns the port. */
export const listen = <E>(app: App<E>): Effect.Effect<number, E, Scope.Scope> =>
  Effect.gen(function*() {
    const server = Http.createServer()
    const listening = yield* Layer.build(
      // `NodeHttpServer.layer` also provides a terminal, which adds a listener to standard input. If a test starts many
      // servers, Node would warn of too many listeners.
      Layer.merge(
        NodeHttpServer.layerServer(() => server, {
          host: "127.0.0.1",
          port: 0,
          gracefulShutdownTimeout: "1 second"
        }),
        HttpServer.layerServices
      )
    ).pipe(Effect.orDie)
    yield* Layer.build(
      HttpRouter.serve(app as Layer.Layer<never, E, HttpRouter.HttpRouter>, {
        disableLogger: true,
        disableListenLog: true
      }).pipe(Layer.provide(Layer.succeedContext(listening)))
    )
    return (server.address() as AddressInfo).port
  })

/** Serves the app with `listen`, and sends requests over a socket. */
export const node = <E>(app: App<E>): Effect.Effect<Host, E, Scope.Scope> =>
  Effect.map(listen(app), (port) => ({
    name: "node",
    send: ({ body, headers = [], method, path }) =>
      Effect.callback<Received>((resume) => {
        const raw = [["host", "server.test"], ["connection", "close"], ...headers]
        if (body !== undefined) raw.push(["content-length", String(Buffer.byteLength(body))])
        // Node sends a flat list of names and values as it is: it merges no repeated header and adds none.
        const request = Http.request({ host: "127.0.0.1", port, method, path, headers: raw.flat() }, (response) => {
          const chunks: Array<Buffer> = []
          response.on("data", (chunk) => chunks.push(chunk))
          response.on("end", () =>
            resume(Effect.succeed({
              status: response.statusCode!,
              headers: Object.fromEntries(
                Object.entries(response.headers).map(([name, value]) => [name, String(value)])
              ),
              body: Buffer.concat(chunks).toString("utf8")
            })))
          response.on("error", (error) => resume(Effect.die(error)))
        })
        request.on("error", (error) => resume(Effect.die(error)))
        request.end(body)
        return Effect.sync(() => request.destroy())
      })
  }))

export const hosts = { web, node }
