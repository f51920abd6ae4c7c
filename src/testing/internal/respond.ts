import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * A request that the issuer received.
 *
 * @category models
 * @since 0.1.0
 */
export interface Received {
  readonly method: string
  readonly url: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * A fault of an endpoint.
 *
 * **Details**
 *
 * - `Status`: responds with a status and without a body.
 * - `Hang`: never responds.
 * - `Slow`: delays the response.
 * - `Reject`: accepts no connection. On a real port, the `listener` of `TestIssuer.start` closes the connection without a
 *   response, and `TestIssuer.serve` responds 503.
 * - `Body`: responds 200 with this body.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault =
  | { readonly _tag: "Status"; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Slow"; readonly by: Duration.Input }
  | { readonly _tag: "Reject" }
  | { readonly _tag: "Body"; readonly body: string | Uint8Array; readonly contentType: string }

/**
 * The error of a request if the issuer accepts no connection. It is a `TypeError`, because `fetch` throws one.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConnectionRefused extends TypeError {
  readonly _tag = "ConnectionRefused"
  constructor() {
    super("fetch failed")
  }
}

/** A function with which a test responds to a request instead of the issuer. */
export type Script = (request: Received) => Response | Promise<Response>

/** An issuer that responds to requests for its origin. */
export interface Responder {
  readonly issuer: string
  readonly respond: (request: Request) => Effect.Effect<Response, ConnectionRefused>
}

/** Creates the functions that respond for an issuer. They call `serve`, unless a script or a fault of the test applies. */
export const make = (
  issuer: string,
  others: ReadonlyArray<Responder>,
  serve: (request: Received) => Effect.Effect<Response>
) => {
  const own = new URL(issuer).origin
  let scripts: ReadonlyMap<string, Script> = new Map()
  let active: { readonly fault: Fault; readonly where: string } | undefined
  let received: ReadonlyArray<Received> = []

  // Serves metadata and keys without suspending, so that a test that forks a request can adjust its clock at once.
  const react = (request: Received): Effect.Effect<Response, ConnectionRefused> =>
    Effect.suspend(() => {
      const { origin } = new URL(request.url)
      const other = origin === own ? undefined : others.find((_) => new URL(_.issuer).origin === origin)
      if (other !== undefined) {
        const { body, headers, method } = request
        return other.respond(new Request(request.url, { method, headers, ...(body === "" ? {} : { body }) }))
      }
      received = [...received, request]
      const fault = active !== undefined && request.url.includes(active.where) ? active.fault : undefined
      const script = [...scripts].find(([where]) => request.url.includes(where))?.[1]
      const response: Effect.Effect<Response, ConnectionRefused> = script === undefined
        ? Effect.suspend(() => serve(request))
        : Effect.tryPromise({ try: async () => script(request), catch: () => new ConnectionRefused() })
      return fault === undefined ? response : withFault(response, fault)
    })

  const respond: Responder["respond"] = (request) =>
    (request.body === null ? Effect.succeed("") : Effect.promise(() => request.text())).pipe(
      Effect.flatMap((body) =>
        react({ method: request.method, url: request.url, headers: Object.fromEntries(request.headers), body })
      )
    )

  return {
    react,
    respond,
    respondWith: (where: string, script: Script | undefined) =>
      Effect.sync(() => {
        const kept = [...scripts].filter(([known]) => known !== where)
        scripts = new Map(script === undefined ? kept : [[where, script], ...kept])
      }),
    fail: (fault: Fault, where = "") =>
      Effect.sync(() => {
        active = { fault, where }
      }),
    recover: Effect.sync(() => {
      active = undefined
    }),
    requests: Effect.sync(() => received),
    takeRequests: Effect.sync(() => {
      const taken = received
      received = []
      return taken
    })
  }
}

const withFault = (
  response: Effect.Effect<Response, ConnectionRefused>,
  fault: Fault
): Effect.Effect<Response, ConnectionRefused> => {
  switch (fault._tag) {
    case "Hang":
      return Effect.never
    case "Slow":
      return Effect.delay(response, fault.by)
    case "Reject":
      return Effect.fail(new ConnectionRefused())
    case "Status":
      return Effect.succeed(new Response(null, { status: fault.status, headers: { ...fault.headers } }))
    case "Body":
      return Effect.succeed(new Response(fault.body as BodyInit, { headers: { "content-type": fault.contentType } }))
  }
}
