/**
 * What stands between a server and its provider on a bad day: a proxy on a real socket that delays, drips, cuts, inflates
 * and drops what the provider answers.
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
import * as TestIssuer from "./TestIssuer.ts"

/**
 * What the proxy makes of an answer.
 *
 * **Details**
 *
 * `Latency` sends it later. `Hang` never answers. `Reset` closes the connection instead. `Drip` sends a byte at a time,
 * `every` so often. `Truncate` announces the whole length, sends half, and closes the connection. `Giant` sends that many
 * bytes of JSON white space. `Replace` sends something else, as a captive portal does. `ContentType` and `Status` send the answer under another one. Rotated keys and clocks that
 * are wrong are the issuer's: see `rotateKeys` and `skewClock` of `TestIssuer`.
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
 * The proxy. Faults stay until they are cleared; each belongs to the paths that contain its `where`.
 *
 * **Example** (A connection that breaks, and heals)
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
  /** The paths that were asked for so far; `take` forgets them. */
  readonly received: Effect.Effect<ReadonlyArray<string>>
  readonly takeReceived: Effect.Effect<ReadonlyArray<string>>
}>()("effect-mcp-auth/testing/FaultProxy") {}

type Respond = (request: Request) => Effect.Effect<Response, unknown>

/** A connection that ends here: the server cannot send what was announced, and closes. */
const cut: Stream.Stream<never, Error> = Stream.fail(new Error("the fault proxy closes the connection"))

const faulty = (fault: Fault | undefined, respond: Effect.Effect<Response, unknown>) =>
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
        return send(cut, bytes.length)
      case "Truncate":
        return send(Stream.concat(Stream.make(bytes.slice(0, bytes.length >> 1)), cut), bytes.length)
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
 * Makes a proxy in front of whatever answers requests, and the HTTP application that it is.
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
    return yield* faulty(fault, respond(web))
  }).pipe(
    Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 502 }))),
    // An application that is served as it is cannot be interrupted, and one that hangs would outlive its server.
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
 * An issuer on a port, with the proxy in front of it: its issuer identifier is the origin of the HTTP server.
 *
 * **Example** (Keys that do not come)
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
