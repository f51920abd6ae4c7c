/**
 * The gate on Effect's `HttpRouter`: the middleware, and the metadata documents as routes.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Decision from "../authorization/Decision.ts"
import { AuthLayer } from "../authorization/Gate.ts"
import type { Refusal } from "../authorization/Refusal.ts"
import { AuthConfigError, InsufficientScope, MissingCredentials } from "../protocol/AuthError.ts"
import type { Principal } from "../verification/Principal.ts"
import type { RequestState } from "../verification/RequestState.ts"
import * as documents from "./internal/documents.ts"
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
  Effect.map(AuthLayer, (gate) => (app: Effect.Effect<HttpServerResponse.HttpServerResponse, any, any>) => {
    const isMcp = effectHttp.decidesAboutAnonymous.has(app)

    const enter = (
      principal: Principal["Service"],
      request: HttpServerRequest.HttpServerRequest,
      since: bigint,
      until: bigint
    ): Effect.Effect<HttpServerResponse.HttpServerResponse, Refusal | Unhandled> => {
      const ticket: Decision.Ticket = { since, reported: false }
      const services = Context.add(gate.services(principal), Decision.CurrentTicket, ticket)
      const handled = Effect.catchIf(
        Effect.provideContext(app, services) as Effect.Effect<HttpServerResponse.HttpServerResponse, Unhandled>,
        (error): error is InsufficientScope & Unhandled => error instanceof InsufficientScope,
        (error) => gate.refuse(error, { principal, protocolVersion: effectHttp.protocolVersion(request) })
      )
      // Whatever decided further inside has told of it. A plain route is known to be let in when nothing refused.
      return Effect.tap(handled, () => ticket.reported ? Effect.void : gate.admitted(principal, since, until))
    }

    const decide = (since: bigint): Effect.Effect<HttpServerResponse.HttpServerResponse, Refusal | Unhandled> =>
      Effect.gen(function*() {
        const request = yield* HttpServerRequest.HttpServerRequest
        const caller = yield* gate.authenticate(effectHttp.toGateRequest(request))
        if (caller !== "preflight" && caller !== "anonymous") {
          return yield* enter(caller, request, since, yield* Decision.now)
        }
        const passes = caller === "preflight"
          ? (yield* HttpRouter.RouteContext).route.method === "OPTIONS"
          : isMcp
        return passes
          ? yield* app as Effect.Effect<HttpServerResponse.HttpServerResponse, never>
          : yield* gate.refuse(noCredentials, {
            principal: undefined,
            protocolVersion: effectHttp.protocolVersion(request)
          })
      }) as Effect.Effect<HttpServerResponse.HttpServerResponse, Refusal | Unhandled>

    return Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const since = clock.currentTimeNanosUnsafe()
      const request = Context.getUnsafe(
        fiber.context as Context.Context<HttpServerRequest.HttpServerRequest>,
        HttpServerRequest.HttpServerRequest
      )
      // Whoever traces wants to see every verification, also one out of memory.
      const principal = fiber.cache.tracer === undefined
        ? effectHttp.recall(gate, request, clock.currentTimeMillisUnsafe())
        : undefined
      return Effect.catchIf(
        principal === undefined ? decide(since) : enter(principal, request, since, clock.currentTimeNanosUnsafe()),
        (error): error is Refusal & Unhandled => (error as Partial<Refusal>)?._tag === "Refusal",
        (refusal) => Effect.succeed(effectHttp.fromRefusal(refusal))
      )
    })
  }) as never
).layer as never

/** What a handler may fail with besides: for the router, not for this middleware. */
type Unhandled = { readonly _tag?: unknown }

const noCredentials = new MissingCredentials({ reason: "no-authorization" })

/** Which resources a router describes already. The root document belongs to the first. */
const described = new WeakMap<HttpRouter.HttpRouter, Set<string>>()

/**
 * The metadata documents as public routes (RFC 9728 §3): at the path of the resource, and at the root for the first
 * resource of a router. Where it is switched on, the copy of the authorization server's metadata stands at the root too.
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
    const gate = yield* AuthLayer
    const { resource } = gate
    const router = yield* HttpRouter.HttpRouter
    const known = described.get(router) ?? new Set<string>()
    described.set(router, known)
    if (known.has(resource.metadataPath)) {
      return yield* new AuthConfigError({
        reason: "duplicate",
        option: "resource",
        fix:
          `two AuthLayers on one router describe themselves where ${resource.resource} does: bind the layer to a constant ` +
          "and provide that, or give each its own resource, one without a path first"
      })
    }
    if (patternOf(resource.metadataPath) === undefined) {
      return yield* new AuthConfigError({
        reason: "malformed",
        option: "resource",
        fix: `${resource.resource} has a path that no route can match: write it with letters, digits, / - . _ ~ alone`
      })
    }
    const all = documents.byPath(gate)
    const added = [...all.keys()].filter((path) =>
      path === resource.metadataPath || (path === documents.rootPath ? known.size === 0 : !known.has(path))
    )
    for (const path of [resource.metadataPath, ...added]) known.add(path)
    // Public wherever the layer is provided: no middleware of the surrounding context may ask for a token here.
    yield* Effect.forEach(added, (path) => addDocument(router, path, all.get(path)!)).pipe(
      Effect.updateContext((_: Context.Context<never>) => Context.empty())
    )
  })
)

/**
 * The pattern that matches this path alone: the router decodes the path of a request first, all but the reserved
 * characters, and cuts it at `;`. In a pattern `:` starts a parameter and `*` matches everything.
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
  path: string,
  document: documents.Document
) {
  const route = patternOf(path) as `/${string}`
  for (const method of ["GET", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] as const) {
    yield* router.add(method, route, Effect.map(document(method), effectHttp.fromRefusal))
  }
})
