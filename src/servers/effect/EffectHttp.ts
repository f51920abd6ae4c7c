/**
 * Connects the gate with the `HttpRouter` of Effect: the middleware, and the metadata documents as routes.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import type { Caller } from "../../authorization/Caller.ts"
import * as Decision from "../../authorization/Decision.ts"
import { AuthLayer } from "../../authorization/Gate.ts"
import type { RequestState } from "../../authorization/RequestState.ts"
import { AccessDenied, AuthConfigError, InsufficientScope, MissingCredentials } from "../../protocol/AuthError.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as documents from "../host/Documents.ts"
import * as effectRequest from "../host/EffectRequest.ts"
import * as effectStream from "../host/EffectStream.ts"

/**
 * Provides the `Principal` of an admitted request to its route, and answers rejected requests. Answers 403 if a route fails
 * with `InsufficientScope` or `AccessDenied`.
 *
 * **Details**
 *
 * An event stream ends when its token expires, is revoked or is invalidated. However, a stream that answers a request with a
 * method other than GET may continue for at most five minutes after its token has expired. The handler of a WebSocket is
 * interrupted when the token expires, is revoked or is invalidated.
 *
 * **Gotchas**
 *
 * Preflights do not reach the routes: the gate answers a preflight from an allowed origin with 204, and every other preflight
 * with 403. To answer them yourself, use `HttpRouter.cors`, or add the route for `OPTIONS` without this layer. If a path has no
 * route for `OPTIONS`, the router itself answers a preflight with 404, which a browser rejects.
 *
 * @category layers
 * @since 0.1.0
 */
export const middleware: Layer.Layer<
  | HttpRouter.Request.From<"Requires", Principal | RequestState>
  | HttpRouter.Request.From<"Error", InsufficientScope | AccessDenied>,
  never,
  AuthLayer
> = HttpRouter.middleware<{ provides: Principal | RequestState; handles: InsufficientScope | AccessDenied }>()(
  Effect.map(AuthLayer, (gate) => (app: App): App => {
    const mcpApp = effectRequest.mcpApps.get(app)
    const isMcp = mcpApp !== undefined

    /** Runs the route of a caller that is not anonymous. */
    const runRoute = (
      fiber: Fiber.Fiber<unknown, unknown>,
      caller: Caller,
      principal: Principal,
      request: HttpServerRequest.HttpServerRequest
    ): App => {
      const { timing } = caller
      const until = Decision.now(timing)
      // Sets the context of the fiber, as the router does, because this is cheaper than providing services. If the request is
      // interrupted, the server restores the context.
      const outside = fiber.context
      try {
        fiber.setContext(gate.provideCaller(outside, principal))
      } catch (defect) {
        return effectRequest.respondToRejections(gate, request, gate.reject(caller, Cause.die(defect)))
      }
      const handled = !isMcp && effectRequest.isUpgrade(request)
        ? effectStream.endConnectionInTime(app, { gate, caller }, principal)
        : app
      return Effect.matchCauseEffect(handled, {
        onSuccess: (answer: HttpServerResponse.HttpServerResponse): App => {
          fiber.setContext(outside)
          // On an MCP endpoint, the MCP adapter ends the streams, because their end depends on the operations.
          const response = isMcp ? answer : effectStream.endRouteInTime(answer, { gate, caller, operations: [] })
          // An inner layer may have reported its decision already. Otherwise the admission is reported here, after the route,
          // because only now is it certain that the route has not rejected the caller.
          if (timing.reported) return Effect.succeed(response)
          const recorded = gate.recordAdmission(caller, { until })
          return recorded === Effect.void
            ? Effect.succeed(response)
            : effectRequest.respondToRejections(gate, request, Effect.as(recorded, response))
        },
        onFailure: (cause): App => {
          fiber.setContext(outside)
          const error = Result.getOrUndefined(Cause.findError(cause))
          const rejected = error instanceof InsufficientScope || error instanceof AccessDenied
            ? gate.reject(caller, error)
            : Effect.flatMapEager(
              timing.reported ? Effect.void : gate.recordAdmission(caller, { until }),
              () => Effect.failCause(cause)
            )
          return effectRequest.respondToRejections(gate, request, rejected)
        }
      })
    }

    return Effect.withFiber((fiber) => {
      const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
      const authenticated = effectRequest.inForm(
        gate,
        request,
        fiber,
        mcpApp,
        gate.authenticate(effectRequest.toGateRequest(request, fiber))
      )
      return effectRequest.continueWith(gate, request, authenticated, (caller): App => {
        effectRequest.storeGateContext(request, gate, caller)
        if (caller.principal !== undefined) return runRoute(fiber, caller, caller.principal, request)
        return isMcp
          ? app
          : effectRequest.respondToRejections(gate, request, gate.reject(caller, noCredentials))
      })
    })
  }) as never
).layer as never

type App = Effect.Effect<HttpServerResponse.HttpServerResponse, any, any>

const noCredentials = new MissingCredentials({ reason: "no-authorization" })

/**
 * The paths of the metadata documents that each router publishes. The document at the root describes the first resource of the
 * router.
 */
const published = new WeakMap<HttpRouter.HttpRouter, Set<string>>()

/**
 * Adds the metadata documents as public routes (RFC 9728 §3): at the metadata path of the resource, and at the root for the
 * first resource of a router. If `mirrorMetadata` is set, also adds the copy of the authorization server's metadata at the
 * root.
 *
 * **Details**
 *
 * GET and HEAD return JSON that any origin may read and any cache may keep for an hour. For the metadata of a tenant and the
 * copy of the authorization server's metadata, the time is 5 minutes. With `Tenants.fromHeader`, only private caches may keep
 * the metadata of a tenant. OPTIONS answers preflights. Every other method gets 405. Fails with `AuthConfigError` if two layers
 * of a router have the same resource.
 *
 * @category layers
 * @since 0.1.0
 */
export const metadata: Layer.Layer<never, AuthConfigError, AuthLayer | HttpRouter.HttpRouter> = Layer.effectDiscard(
  Effect.gen(function*() {
    const gate = yield* AuthLayer
    const { resource } = gate
    const router = yield* HttpRouter.HttpRouter
    const known = published.get(router) ?? new Set<string>()
    published.set(router, known)
    const { find, paths } = documents.make(gate)
    const { resources = [resource] } = gate.published
    const own = new Set(resources.flatMap((_) => _.metadataPaths))
    if ([...own].some((path) => known.has(path))) {
      return yield* new AuthConfigError({
        reason: "duplicate",
        option: "resource",
        fix:
          `two AuthLayers on one router publish their metadata at the same path (${resource.resource}). Build the layer ` +
          "once, as a constant, and provide that; or give each layer a different resource, one without a path first"
      })
    }
    for (const { metadataPaths: [wellKnownPath, configuredPath], metadataUrl, resource } of resources) {
      const isWellKnown = patternOf(wellKnownPath) === undefined
      if (!isWellKnown && (configuredPath === undefined || patternOf(configuredPath) !== undefined)) continue
      return yield* new AuthConfigError({
        reason: "malformed",
        option: isWellKnown ? "resource" : "resource.metadataUrl",
        fix: `${
          isWellKnown ? resource : metadataUrl
        } has a path that no route can match. Write the path with letters, digits and / - . _ ~ only`
      })
    }
    const findFor = (path: string, request: HttpServerRequest.HttpServerRequest) =>
      find(path, { header: (name) => request.headers[name], host: effectRequest.hostOf(request) }) ?? documents.notFound
    const added = [...paths].filter((path) =>
      own.has(path) || (path === documents.rootPath ? known.size === 0 : !known.has(path))
    )
    for (const path of added) known.add(path)
    const routes = added.map((path) => addDocument(router, patternOf(path)!, (request) => findFor(path, request)))
    const tenants = gate.published.tenants?.metadataPattern
    if (tenants !== undefined) {
      const { after, before, parameter } = tenants
      const route = `${patternOf(before)}:${parameter}${patternOf(after)}`
      if (known.has(route)) {
        return yield* new AuthConfigError({
          reason: "duplicate",
          option: "tenants",
          fix:
            `two AuthLayers on one router have tenants at ${before}:${parameter}${after}. Give each layer a different pattern`
        })
      }
      known.add(route)
      // Uses the path as received. The router also matches other spellings of the path, for which no document exists.
      routes.push(addDocument(router, route, (request) => findFor(effectRequest.pathOf(request), request)))
    }
    // The empty context excludes any middleware of the surrounding layers that would require a token. The documents are public.
    yield* Effect.all(routes, { discard: true }).pipe(
      Effect.updateContext((_: Context.Context<never>) => Context.empty())
    )
  })
)

/**
 * Returns the route pattern that matches only this path, or `undefined` if none exists. The router decodes the path of a
 * request, except its reserved characters, and cuts it at `;`. In a pattern, `:` begins a parameter and `*` matches everything.
 */
const patternOf = (path: string): string | undefined => {
  if (/[*;]|%(?:2[346abcf]|3[abdf]|40)/i.test(path)) return undefined
  try {
    return decodeURI(path).replaceAll(":", "::")
  } catch {
    return undefined
  }
}

const addDocument = Effect.fnUntraced(function*(
  router: HttpRouter.HttpRouter,
  route: string,
  documentFor: (request: HttpServerRequest.HttpServerRequest) => documents.Document
) {
  for (const method of ["GET", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] as const) {
    yield* router.add(
      method,
      route as `/${string}`,
      (request) => Effect.map(documentFor(request)(method), effectRequest.fromRejection)
    )
  }
})
