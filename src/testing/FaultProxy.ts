/**
 * A proxy on a real socket between a resource server and its authorization server. It delays, truncates, inflates and drops
 * responses.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as issuerOptions from "./internal/issuerOptions.ts"
import * as TestIssuer from "./TestIssuer.ts"

/**
 * A fault of the proxy.
 *
 * **Details**
 *
 * - `Latency`: delays the response.
 * - `Hang`: never responds.
 * - `Reset`: closes the connection instead of responding.
 * - `Drip`: sends one byte at a time, at the interval `every`.
 * - `Truncate`: announces the whole length, sends half of it, and closes the connection.
 * - `Giant`: sends white space instead of the body: `bytes` bytes, rounded up to a multiple of 64 KiB.
 * - `Replace`: sends another body with status 200, as a captive portal does.
 * - `ContentType` and `Status`: send the response with another content type or status.
 *
 * For rotated keys and wrong clocks use `rotateKeys` and `skewClock` of `TestIssuer`.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault =
  | { readonly _tag: "Latency"; readonly by: Duration.Input }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Reset" }
  | { readonly _tag: "Drip"; readonly every: Duration.Input }
  | { readonly _tag: "Truncate" }
  | { readonly _tag: "Giant"; readonly bytes: number }
  | { readonly _tag: "Replace"; readonly body: string; readonly contentType: string }
  | { readonly _tag: "ContentType"; readonly contentType: string }
  | { readonly _tag: "Status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }

/**
 * The service of a proxy. `set` adds a fault for requests whose path contains `where` (default: all requests). If several
 * faults match a request, the latest one applies. `clear` removes all faults.
 *
 * **Example** (A truncated response)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { FaultProxy } from "effect-mcp-auth/testing"
 *
 * const outage = Effect.gen(function*() {
 *   const proxy = yield* FaultProxy.FaultProxy
 *   yield* proxy.set({ _tag: "Truncate" }, "/jwks")
 *   yield* proxy.clear
 * })
 * ```
 *
 * @category services
 * @since 0.1.0
 */
export class FaultProxy extends Context.Service<FaultProxy, {
  readonly set: (fault: Fault, where?: string) => Effect.Effect<void>
  readonly clear: Effect.Effect<void>
  /** Returns the paths of the requests, oldest first. `takeReceived` also clears this list. */
  readonly received: Effect.Effect<ReadonlyArray<string>>
  readonly takeReceived: Effect.Effect<ReadonlyArray<string>>
}>()("effect-mcp-auth/testing/FaultProxy") {}

type Respond = (request: Request) => Effect.Effect<Response, unknown>

/** A body that fails, so that the server closes the connection before it has sent the announced number of bytes. */
const closedConnection: Stream.Stream<never, Error> = Stream.fail(new Error("the fault proxy closes the connection"))

const respondWithFault = (fault: Fault | undefined, respond: Effect.Effect<Response, unknown>) =>
  Effect.gen(function*() {
    if (fault?._tag === "Hang") return yield* Effect.never
    if (fault?._tag === "Latency") yield* Effect.sleep(fault.by)
    const response = yield* respond
    const bytes = new Uint8Array(yield* Effect.promise(() => response.arrayBuffer()))
    const { "content-length": _, ...own } = Object.fromEntries(response.headers)
    const contentType = fault?._tag === "ContentType" ? fault.contentType : own["content-type"] ?? "application/json"
    const headers = { ...own, ...(fault?._tag === "Status" ? fault.headers : {}) }
    const send = (body: Stream.Stream<Uint8Array, unknown>, contentLength?: number) =>
      HttpServerResponse.stream(body, {
        status: response.status,
        headers,
        contentType,
        ...(contentLength === undefined ? {} : { contentLength })
      })
    switch (fault?._tag) {
      case "Reset":
        return send(closedConnection, bytes.length)
      case "Truncate":
        return send(Stream.concat(Stream.make(bytes.slice(0, bytes.length >> 1)), closedConnection), bytes.length)
      case "Drip":
        return send(
          Stream.fromIterable(Array.from(bytes, (byte) => Uint8Array.of(byte))).pipe(
            Stream.mapEffect((byte) => Effect.as(Effect.sleep(fault.every), byte))
          ),
          bytes.length
        )
      case "Giant": {
        const chunk = new Uint8Array(64 * 1024).fill(0x20)
        return send(Stream.fromIterable(Array.from({ length: Math.ceil(fault.bytes / chunk.length) }, () => chunk)))
      }
      case "Replace":
        return HttpServerResponse.text(fault.body, { contentType: fault.contentType })
      default:
        return HttpServerResponse.uint8Array(bytes, {
          status: fault?._tag === "Status" ? fault.status : response.status,
          headers,
          contentType
        })
    }
  })

/**
 * Creates a proxy in front of a function that responds to requests. Returns the proxy, and the HTTP application to serve.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (respond: Respond): {
  readonly proxy: FaultProxy["Service"]
  readonly app: Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest>
} => {
  let faults: ReadonlyArray<{ readonly fault: Fault; readonly where: string }> = []
  let received: ReadonlyArray<string> = []
  const app = Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    received = [...received, request.url]
    const web = yield* HttpServerRequest.toWeb(request)
    const fault = faults.find(({ where }) => request.url.includes(where))?.fault
    return yield* respondWithFault(fault, respond(web))
  }).pipe(
    Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 502 }))),
    // `HttpServer.serve` runs an application uninterruptibly, so a response that hangs would outlive its server.
    Effect.interruptible
  )
  return {
    app,
    proxy: FaultProxy.of({
      set: (fault, where = "") =>
        Effect.sync(() => {
          faults = [{ fault, where }, ...faults]
        }),
      clear: Effect.sync(() => {
        faults = []
      }),
      received: Effect.sync(() => received),
      takeReceived: Effect.sync(() => {
        const taken = received
        received = []
        return taken
      })
    })
  }
}

/**
 * Creates a layer with an issuer, and a proxy in front of it that listens on a real port. The issuer identifier is the origin
 * of the HTTP server on this port.
 *
 * **Example** (A connection that closes)
 *
 * ```ts
 * import { NodeHttpServer } from "@effect/platform-node"
 * import { Effect, Layer } from "effect"
 * import { FaultProxy } from "effect-mcp-auth/testing"
 * import { createServer } from "node:http"
 *
 * const Issuer = FaultProxy.serve().pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
 * )
 *
 * const breakKeys = FaultProxy.FaultProxy.use((proxy) => proxy.set({ _tag: "Reset" }, "/jwks"))
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const serve = (
  options: Omit<TestIssuer.Options, "issuer"> = {}
): Layer.Layer<FaultProxy | TestIssuer.TestIssuer, never, HttpServer.HttpServer> =>
  Layer.unwrap(Effect.gen(function*() {
    issuerOptions.checkServed(options, "FaultProxy.serve")
    const { address } = yield* HttpServer.HttpServer
    const origin = new URL(HttpServer.formatAddress(address)).origin
    const { issuer } = yield* TestIssuer.make({ ...options, issuer: origin })
    const { app, proxy } = make((request) => {
      const { pathname, search } = new URL(request.url)
      return issuer.respond(new Request(`${origin}${pathname}${search}`, request))
    })
    return Layer.mergeAll(
      HttpServer.serve(app),
      Layer.succeed(TestIssuer.TestIssuer, issuer),
      Layer.succeed(FaultProxy, proxy)
    )
  }))
