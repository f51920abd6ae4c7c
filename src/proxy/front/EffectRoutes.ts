import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as effectRequest from "../../servers/host/EffectRequest.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"
import type { Routes } from "./Routes.ts"

/* Adds the endpoints of the proxy to the `HttpRouter` of Effect. */

const methods = ["GET", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"] as const

/** Adds the endpoints as public routes. */
export const layer = (routes: Routes): Layer.Layer<never, never, HttpRouter.HttpRouter> =>
  Layer.effectDiscard(
    Effect.flatMap(HttpRouter.HttpRouter, (router) =>
      Effect.forEach(
        routes.paths.flatMap((path) => methods.map((method) => [method, path as `/${string}`] as const)),
        ([method, path]) => router.add(method, path, (request) => answer(routes, request)),
        { discard: true }
      ).pipe(
        // The empty context excludes any middleware of the surrounding layers that would require a token.
        Effect.updateContext((_: Context.Context<never>) => Context.empty())
      ))
  )

const answer = (routes: Routes, request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function*() {
    const services = yield* Effect.context<never>()
    const found = routes.answer(toRequest(request, Effect.runPromiseWith(services)))
    return toResponse(found === undefined ? notFound : yield* found)
  })

const notFound: ProxyResponse = { status: 404, headers: {}, cookies: [], body: "" }

const toRequest = (
  request: HttpServerRequest.HttpServerRequest,
  run: <A>(effect: Effect.Effect<A>) => Promise<A>
): ProxyRequest => {
  const query = request.url.indexOf("?")
  return {
    method: request.method,
    path: effectRequest.pathOf(request),
    query: query === -1 ? "" : request.url.slice(query + 1).split("#", 1)[0]!,
    header: (name) => effectRequest.linesOf(request, name),
    body: (maximumBytes) =>
      run(
        request.text.pipe(
          Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maximumBytes)),
          Effect.timeout("30 seconds"),
          Effect.catchCause(() => Effect.undefined)
        )
      )
  }
}

const toResponse = ({ body, cookies, headers, status }: ProxyResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.fromWeb(
    new Response(body === "" ? null : body, {
      status,
      headers: [...Object.entries(headers), ...cookies.map((cookie): [string, string] => ["set-cookie", cookie])]
    })
  )
