import * as ByteSize from "effect/ByteSize"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { type AnySpan, ParentSpan } from "effect/Tracer"
import * as effectRequest from "../../servers/host/EffectRequest.ts"
import { foreignHeaders } from "./Answers.ts"
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
    hideQuery(Context.getOrUndefined(services, ParentSpan))
    const found = routes.answer(toRequest(request, Effect.runPromiseWith(services)))
    const response = found === undefined ? notFound : yield* found
    // A middleware such as `HttpMiddleware.cors` sets its headers when the response is sent. This handler runs after it.
    HttpEffect.appendPreResponseHandlerUnsafe(
      services,
      (_, sent) =>
        Effect.succeed(HttpServerResponse.setHeaders(
          foreignHeaders.reduce((rest, name) => HttpServerResponse.removeHeader(rest, name), sent),
          response.headers
        ))
    )
    return toResponse(response)
  })

/**
 * Keeps the query out of the span of the server, which records the URL of a request when its response is sent. The query of a callback
 * contains the code and the state of the sign-in at the upstream.
 */
const hideQuery = (inner: AnySpan | undefined): void => {
  for (let span = inner; span?._tag === "Span"; span = Option.getOrUndefined(span.parent)) {
    if (span.kind !== "server") continue
    const { attribute, end } = span
    const hidden: Pick<typeof span, "attribute" | "end"> = {
      attribute: (name, value) => {
        if (name === "url.query") return
        attribute.call(span, name, name === "url.full" ? String(value).split("?", 1)[0] : value)
      },
      // The error of a response with status 500 or higher contains the request. Its message has only the path.
      end: (time, exit) =>
        end.call(
          span,
          time,
          Exit.isFailure(exit) ? Exit.fail(new Error(Cause.pretty(exit.cause).split("\n", 1)[0])) : exit
        )
    }
    Object.assign(span, hidden)
  }
}

const notFound: ProxyResponse = { status: 404, headers: {}, cookies: [], body: "" }

const toRequest = (
  request: HttpServerRequest.HttpServerRequest,
  run: <A>(effect: Effect.Effect<A>, options: { readonly signal: AbortSignal }) => Promise<A>
): ProxyRequest => {
  const query = request.url.indexOf("?")
  return {
    method: request.method,
    path: effectRequest.pathOf(request),
    query: query === -1 ? "" : request.url.slice(query + 1).split("#", 1)[0]!,
    header: (name) => effectRequest.linesOf(request, name),
    body: (maximumBytes, signal) =>
      run(
        request.text.pipe(
          Effect.provideService(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(maximumBytes)),
          Effect.catchCause(() => Effect.undefined)
        ),
        { signal }
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
