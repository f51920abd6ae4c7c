/**
 * The gate on Effect's `HttpRouter`: the middleware, and the metadata documents as routes.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Decision from "../authorization/Decision.ts"
import { AuthLayer } from "../authorization/Gate.ts"
import type { Refusal } from "../authorization/Refusal.ts"
import { AuthConfigError, InsufficientScope, MissingCredentials } from "../protocol/AuthError.ts"
import type { Principal } from "../verification/Principal.ts"
import type { RequestState } from "../verification/RequestState.ts"
import * as effectHttp from "./internal/effectHttp.ts"

/**
 * The middleware: lets a request through with a `Principal`, or answers it; turns `InsufficientScope` of whatever runs
 * inside into a 403.
 *
 * **Gotchas**
 *
 * A preflight passes only to a route whose own method is `OPTIONS`. A route for every method would otherwise run without
 * a caller.
 *
 * @category layers
 * @since 0.1.0
 */
export const middleware: Layer.Layer<
  HttpRouter.Request.From<"Requires", Principal | RequestState> | HttpRouter.Request<"Error", InsufficientScope>,
  never,
  AuthLayer
> = HttpRouter.middleware<{ provides: Principal | RequestState; handles: InsufficientScope }>()(
  Effect.map(AuthLayer, (gate) => (app) =>
    Effect.gen(function*() {
      const since = yield* Decision.since
      const request = yield* HttpServerRequest.HttpServerRequest
      const caller = yield* gate.authenticate(effectHttp.toGateRequest(request))
      const protocolVersion = effectHttp.protocolVersion(request)
      if (caller === "preflight" || caller === "anonymous") {
        const passes = caller === "preflight"
          ? (yield* HttpRouter.RouteContext).route.method === "OPTIONS"
          : effectHttp.decidesAboutAnonymous.has(app)
        return passes
          ? yield* app as Effect.Effect<HttpServerResponse.HttpServerResponse, never>
          : yield* gate.refuse(noCredentials, { principal: undefined, protocolVersion })
      }
      return yield* Effect.provideContext(app, Context.add(gate.services(caller), Decision.Since, since)).pipe(
        Effect.catchIf(
          (error): error is InsufficientScope => error instanceof InsufficientScope,
          (error) => gate.refuse(error, { principal: caller, protocolVersion })
        )
      )
    }).pipe(
      Effect.catchIf(
        (error): error is Refusal => (error as Partial<Refusal>)._tag === "Refusal",
        (refusal) => Effect.succeed(effectHttp.fromRefusal(refusal))
      )
    ))
).layer as never

const noCredentials = new MissingCredentials({ reason: "no-authorization" })

/** Which resources a router describes already. The root document belongs to the first. */
const described = new WeakMap<HttpRouter.HttpRouter, Set<string>>()

const rootPath = "/.well-known/oauth-protected-resource"

/**
 * The metadata documents as public routes (RFC 9728 §3): at the path of the resource, and at the root for the first
 * resource of a router.
 *
 * **Details**
 *
 * GET and HEAD answer with JSON that any origin may read and anybody may cache for an hour; OPTIONS answers preflights;
 * every other method gets 405. Fails with `AuthConfigError` when two layers of a router describe the same resource.
 *
 * @category layers
 * @since 0.1.0
 */
export const metadata: Layer.Layer<never, AuthConfigError, AuthLayer | HttpRouter.HttpRouter> = Layer.effectDiscard(
  Effect.gen(function*() {
    const { resource } = yield* AuthLayer
    const router = yield* HttpRouter.HttpRouter
    const known = described.get(router) ?? new Set<string>()
    described.set(router, known)
    if (known.has(resource.metadataPath)) {
      return yield* new AuthConfigError({
        reason: "duplicate",
        option: "resource",
        fix:
          `two AuthLayers on one router describe themselves at ${resource.metadataPath}: bind the layer to a constant and ` +
          "provide that, or give each its own resource, the one without a path first"
      })
    }
    if (patternOf(resource.metadataPath) === undefined) {
      return yield* new AuthConfigError({
        reason: "malformed",
        option: "resource",
        fix:
          `${resource.resource} has a path that no route can match: leave * and ; and escapes outside UTF-8 out of it`
      })
    }
    const paths = new Set(known.size === 0 ? [resource.metadataPath, rootPath] : [resource.metadataPath])
    for (const path of paths) known.add(path)
    // Public wherever the layer is provided: no middleware of the surrounding context may ask for a token here.
    yield* Effect.forEach(paths, (path) => addDocument(router, path, resource.metadata)).pipe(
      Effect.updateContext((_: Context.Context<never>) => Context.empty())
    )
  })
)

/**
 * The pattern that matches this path alone. The router decodes the path of a request, all but the reserved characters
 * and `%`, and cuts it at `;`; in a pattern `:` starts a parameter and `*` matches everything.
 */
const patternOf = (path: string): string | undefined => {
  try {
    const decoded = decodeURI(path.replaceAll("%25", "%2525"))
    return /[*;]/.test(decoded) ? undefined : decoded.replaceAll(":", "::")
  } catch {
    return undefined
  }
}

const addDocument = Effect.fnUntraced(function*(router: HttpRouter.HttpRouter, path: string, document: object) {
  const route = patternOf(path) as `/${string}`
  const open = { "access-control-allow-origin": "*" }
  const text = JSON.stringify(document)
  const json = HttpServerResponse.text(text, {
    contentType: "application/json",
    headers: { ...open, "cache-control": "public, max-age=3600" }
  })
  yield* router.add("GET", route, json)
  yield* router.add(
    "OPTIONS",
    route,
    HttpServerResponse.empty({
      status: 204,
      headers: {
        ...open,
        allow,
        "access-control-allow-methods": "GET, HEAD",
        "access-control-allow-headers": "*",
        "access-control-max-age": "86400"
      }
    })
  )
  for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const) {
    yield* router.add(method, route, HttpServerResponse.empty({ status: 405, headers: { ...open, allow } }))
  }
})

const allow = "GET, HEAD, OPTIONS"
