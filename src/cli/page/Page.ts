/**
 * The server of the check page: serves the page at `/` and reports at `/report`.
 *
 * @since 0.1.0
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { createServer } from "node:http"
import type * as AddressGuard from "../../outbound/AddressGuard.ts"
import { InvalidInput } from "../../provider/check/Check.ts"
import { toJson } from "../format/json.ts"
import * as Network from "../Network.ts"
import * as Html from "./Html.ts"
import * as LookUp from "./LookUp.ts"

/**
 * The options of the server of the page.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends LookUp.Options {
  readonly host: string
  /** 0 selects a free port. */
  readonly port: number
  /** Resolves host names. Default: `lookup` of `node:dns`. */
  readonly lookup?: AddressGuard.Lookup | undefined
}

const statuses: Readonly<Record<LookUp.NoReport["reason"], number>> = {
  "invalid-input": 400,
  "not-public": 403,
  "foreign-page": 403,
  busy: 429,
  unreachable: 502,
  timeout: 504
}

const headers = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store"
}

/** Limits of concurrent checks: in total, and per client. */
const limits = { all: 4, client: 1 }

const json = (text: string, status = 200) =>
  HttpServerResponse.text(`${text}\n`, {
    status,
    contentType: "application/json; charset=utf-8",
    headers: {
      ...headers,
      "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
      ...(status === 429 ? { "retry-after": "5" } : {})
    }
  })

const plain = (status: number, text: string, more: Readonly<Record<string, string>> = {}) =>
  HttpServerResponse.text(`${text}\n`, { status, headers: { ...headers, ...more } })

const isLoopback = (host: string) => /^(?:localhost|127(?:\.\d{1,3}){3}|\[?::1\]?)$/.test(host)

/**
 * Returns `true` for a request from the page itself, from an address bar or from a program, as its `Sec-Fetch-Site` header
 * shows. With `local`, its `Host` header must also name a loopback address. Without these two checks, another web page could
 * use the browser to explore the network of this machine, and could read the reports through a host name that resolves to this
 * machine (DNS rebinding).
 */
const isAllowed = (request: HttpServerRequest.HttpServerRequest, local: boolean): boolean => {
  const site = request.headers["sec-fetch-site"]
  if (site !== undefined && site !== "same-origin" && site !== "none") return false
  const { host } = request.headers
  const url = `http://${host ?? ""}`
  return !local || (URL.canParse(url) && isLoopback(new URL(url).hostname))
}

const makeApp = (options: Options) => {
  const page = Html.document(options)
  const running = new Map<string, number>()
  let all = 0

  const limitChecks = <A, E, R>(client: string, self: Effect.Effect<A, E, R>) =>
    Effect.acquireUseRelease(
      Effect.suspend(() => {
        const count = running.get(client) ?? 0
        // Behind a reverse proxy on this machine, all clients have a loopback address, so only the total limit applies.
        if (all >= limits.all || (!isLoopback(client) && count >= limits.client)) {
          return Effect.fail(
            new LookUp.NoReport({ reason: "busy", detail: "Other checks are running. Try again in a few seconds" })
          )
        }
        all++
        running.set(client, count + 1)
        return Effect.void
      }),
      () => self,
      () =>
        Effect.sync(() => {
          all--
          const count = (running.get(client) ?? 1) - 1
          if (count === 0) running.delete(client)
          else running.set(client, count)
        })
    )

  const report = (request: HttpServerRequest.HttpServerRequest, query: URLSearchParams) =>
    Effect.gen(function*() {
      if (!isAllowed(request, options.local)) {
        return yield* new LookUp.NoReport({
          reason: "foreign-page",
          detail: "Another page sent this request. Open the check page at its address"
        })
      }
      const parsed = yield* LookUp.parse(query)
      const client = Option.getOrElse(request.remoteAddress, () => "unknown").replace(/^::ffff:/, "")
      const check = LookUp.run(parsed, options).pipe(
        // Each check has its own look-ups, because addresses change while the page is served.
        Effect.provide(Network.layer({ isPublicOnly: !options.local, lookup: options.lookup }))
      )
      // Handlers run uninterruptibly. Without `interruptible`, a check would continue after its client disconnects.
      return json(toJson(yield* limitChecks(client, Effect.interruptible(check))))
    }).pipe(
      Effect.catchTag("NoReport", ({ detail, reason }) =>
        Effect.succeed(json(JSON.stringify({ error: reason, detail }, undefined, 2), statuses[reason])))
    )

  return Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const base = "http://page"
    if (!URL.canParse(request.url, base)) return plain(400, "The path is not valid.")
    const { pathname, searchParams } = new URL(request.url, base)
    if (pathname !== "/" && pathname !== "/report") return plain(404, "Not found. The page is at /")
    if (request.method !== "GET" && request.method !== "HEAD") {
      return plain(405, "The method must be GET or HEAD.", { allow: "GET, HEAD" })
    }
    if (pathname === "/report") return yield* report(request, searchParams)
    return HttpServerResponse.text(page, {
      contentType: "text/html; charset=utf-8",
      headers: { ...headers, "content-security-policy": Html.policy, "permissions-policy": "clipboard-write=(self)" }
    })
  })
}

/**
 * Serves the page until the scope closes, and returns its address.
 *
 * **Gotchas**
 *
 * With `local`, anyone who can open the page can send requests into the network of this machine. So `local` requires a loopback
 * `host`; any other `host` fails with `InvalidInput`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const serve = (options: Options): Effect.Effect<string, InvalidInput, Scope.Scope> =>
  Effect.gen(function*() {
    if (options.local && !isLoopback(options.host)) {
      return yield* new InvalidInput({
        detail:
          `--local with --host ${options.host} would open this network to other machines. Leave out --host or --local`
      })
    }
    const { host, port } = options
    const Served = Layer.unwrap(Effect.map(
      HttpServer.HttpServer,
      () => HttpServer.serve(makeApp(options))
    )).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, {
        host,
        port,
        gracefulShutdownTimeout: Duration.millis(500)
      }))
    )
    const context = yield* Layer.build(Served).pipe(
      Effect.catchTag("ServeError", ({ cause }) => {
        const code = (cause as { readonly code?: unknown } | undefined)?.code
        const why = code === "EADDRINUSE"
          ? "is already in use. --port 0 selects a free port"
          : code === "EACCES"
          ? "is not permitted. Select a port above 1023 with --port"
          : `cannot be opened (${String(code ?? "unknown")})`
        return Effect.fail(new InvalidInput({ detail: `${host}, port ${port}, ${why}` }))
      })
    )
    const { address } = yield* Effect.provide(HttpServer.HttpServer, context)
    return `${HttpServer.formatAddress(address).replace(/\/$/, "")}/`
  })
