/**
 * Opens the browser of a person on Node, and receives the callback on a loopback port (RFC 8252).
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type * as Scope from "effect/Scope"
import { spawn } from "node:child_process"
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { sanitize } from "../../protocol/RemoteText.ts"
import { Unavailable } from "../ClientError.ts"
import type { Listener, Redirect } from "../sign-in/AuthorizationCode.ts"
import type { DevicePrompt } from "../sign-in/DeviceFlow.ts"
import { browserCommand } from "./BrowserCommand.ts"
import * as PastedCallback from "./PastedCallback.ts"

/**
 * The options of a loopback redirect.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The ports to listen on. The first free one is used. Many authorization servers accept only the registered port, so name fixed
   * ports, and list all of them in the metadata document of the client.
   */
  readonly ports: readonly [number, ...ReadonlyArray<number>]
  /** The path of the callback. Default: `/callback`. */
  readonly path?: string | undefined
  /**
   * The ways to continue if the browser does not open, and neither does `otherwise` of the grant. With `"paste"`, the program prints the
   * URL, and the person pastes the URL of the callback into the terminal. Default: none.
   */
  readonly otherwise?: ReadonlyArray<"paste"> | undefined
  /** Opens a URL in the browser of the person. Default: the browser of the operating system, started without a shell. */
  readonly open?: ((url: string) => void | Promise<void>) | undefined
}

const table: ConfigOption.Table<keyof Options> = {
  ports: ConfigOption.rule(
    (value) =>
      Array.isArray(value) && value.length > 0 && value.length <= 16 &&
      value.every((port) => Number.isInteger(port) && port >= 1 && port <= 65_535),
    "a list of 1 to 16 ports",
    "Write one such as [13316, 13317]"
  ),
  path: ConfigOption.rule(
    (value) => typeof value === "string" && /^\/[\w\-./]{0,100}$/.test(value),
    "a path",
    "Leave it out for \"/callback\""
  ),
  otherwise: ConfigOption.rule(
    (value) => Array.isArray(value) && value.every((way) => way === "paste"),
    "a list of ways",
    "Write [\"paste\"], or leave it out for none"
  ),
  open: ConfigOption.functionThat("opens a URL in a browser")
}

/** The number of callbacks that one sign-in reads. A page in the browser can send requests to the port as well. */
const maximumCallbacks = 16

const noBrowser =
  "The browser cannot be opened, and no other way to sign in is available. Set otherwise: [\"paste\"] of " +
  "NodeBrowser.loopback, or otherwise of AuthorizationCode.grant, or sign in on a machine with a browser"

/**
 * Creates a redirect that receives the callback on a port of this machine.
 *
 * **Details**
 *
 * The listener binds to the literal address 127.0.0.1, accepts only requests with this host, and closes when the sign-in ends, at the
 * latest after ten minutes. The page that the person sees is not stored, and sends no referrer. Throws `AuthConfigError` if an option
 * is wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const loopback = (options: Options): Redirect => {
  ConfigOption.check(options, "NodeBrowser.loopback", table, "Give one with ports")
  const { open: openUrl = open, otherwise = [], path = "/callback", ports } = options
  if (ports === undefined) {
    throw ConfigOption.error(
      "NodeBrowser.loopback.ports",
      "the ports are missing. Write some such as [13316, 13317]",
      "missing"
    )
  }
  const toUri = (port: number) => `http://127.0.0.1:${port}${path}`
  const [first, ...others] = ports
  return {
    redirectUris: [toUri(first), ...others.map(toUri)],
    listen: Effect.gen(function*() {
      const callbacks = yield* Queue.make<PastedCallback.Callback>({ capacity: maximumCallbacks, strategy: "dropping" })
      const port = yield* listenOn(ports, path, callbacks)
      const listener: Listener = {
        redirectUri: toUri(port),
        open: (url, complete, instead) =>
          Effect.scoped(Effect.gen(function*() {
            const isOpen = yield* Effect.tryPromise(async () => openUrl(url)).pipe(
              // A browser that stays in the foreground is open.
              Effect.timeoutOrElse({ duration: "2 seconds", orElse: () => Effect.void }),
              Effect.isSuccess
            )
            if (!isOpen) {
              const completed = yield* instead ?? Effect.undefined
              if (completed !== undefined) return completed
              if (!otherwise.includes("paste")) return yield* new Unavailable({ detail: noBrowser, retryAfter: 1 })
            }
            const awaitCallback = Effect.gen(function*() {
              for (;;) {
                const { answer, url: callback } = yield* Queue.take(callbacks)
                const result = yield* Effect.result(complete(callback))
                const isSuccess = result._tag === "Success"
                yield* Deferred.succeed(answer, isSuccess)
                if (isSuccess) return result.success
                // Another page of the browser can have sent this request, and must not end the sign-in.
                const isForeign = (result.failure as { readonly _tag?: unknown })._tag === "CallbackRejected"
                if (!isForeign) return yield* Effect.fail(result.failure)
              }
            })
            return yield* isOpen
              ? awaitCallback
              : Effect.raceFirst(awaitCallback, PastedCallback.read(url, callbacks))
          }))
      }
      return listener
    })
  }
}

/**
 * Prints the page and the code of a sign-in on another device to standard error: the `prompt` of `DeviceAuthorization`.
 *
 * @category runners
 * @since 0.1.0
 */
export const printCode = ({ issuer, resource, scopes, userCode, verificationUri }: DevicePrompt): Effect.Effect<void> =>
  Effect.sync(() => {
    const requested = scopes.length === 0 ? "" : ` with the scopes ${sanitize(scopes.join(" "), 400)}`
    process.stderr.write(
      `To use ${resource}${requested}, open this page on any device:\n\n${verificationUri}\n\nand enter the code ${userCode}. ` +
        `The page belongs to ${issuer}.\n`
    )
  })

/** Listens on the first free port. The scope closes the listener and its connections. */
const listenOn = (
  ports: ReadonlyArray<number>,
  path: string,
  callbacks: Queue.Queue<PastedCallback.Callback>
): Effect.Effect<number, Unavailable, Scope.Scope> =>
  Effect.gen(function*() {
    for (const port of ports) {
      const server = createServer({ maxHeaderSize: 32_768, requestTimeout: 10_000 }, (request, response) => {
        void Effect.runPromise(answerRequest(request, response, port, path, callbacks))
      })
      const isListening = yield* Effect.acquireRelease(
        Effect.callback<boolean>((resume) => {
          server.once("error", () => resume(Effect.succeed(false)))
          // The literal address: a name could resolve to another interface (RFC 8252 §8.3).
          server.listen(port, "127.0.0.1", () => resume(Effect.succeed(true)))
        }),
        () => close(server)
      )
      if (isListening) return port
    }
    return yield* new Unavailable({
      detail: `Other programs use the ports ${ports.join(", ")}. End one of them, or name more ports`,
      retryAfter: 30
    })
  })

/** Waits for the response that is being written, so that the person sees it. */
const close = (server: Server): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    if (!server.listening) return resume(Effect.void)
    server.close(() => resume(Effect.void))
    server.closeIdleConnections()
  }).pipe(
    Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.sync(() => server.closeAllConnections()) })
  )

const answerRequest = (
  request: IncomingMessage,
  response: ServerResponse,
  port: number,
  path: string,
  callbacks: Queue.Queue<PastedCallback.Callback>
): Effect.Effect<void> =>
  Effect.gen(function*() {
    // A page on another name that resolves to this machine must not send callbacks.
    const isOwn = request.headers.host === `127.0.0.1:${port}` && request.method === "GET" &&
      request.url?.split("?")[0] === path
    if (!isOwn) return write(response, 404, "Not found")
    const answer = yield* Deferred.make<boolean>()
    const isTaken = yield* Queue.offer(callbacks, { url: request.url!, answer })
    if (!isTaken) return write(response, 429, "Too many requests")
    return (yield* Deferred.await(answer))
      ? write(response, 200, "You are signed in. You can close this window.")
      : write(response, 400, "The sign-in failed. Return to the program for details.")
  })

/** Writes a page that is not stored, that sends no referrer, and whose address does not stay in the history as a link. */
const write = (response: ServerResponse, status: number, text: string): void => {
  response.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'",
    "x-content-type-options": "nosniff",
    connection: "close"
  })
  response.end(`<!doctype html><meta charset="utf-8"><title>Sign-in</title><p>${text}`)
}

/**
 * Opens a URL in the browser of the operating system, without a shell. Rejects if there is no browser, and if the URL is neither https nor
 * http.
 *
 * @category runners
 * @since 0.1.0
 */
export const open = (url: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const [program, ...rest] = browserCommand(process.platform, url)
    const child = spawn(program, rest, { stdio: "ignore", detached: true, shell: false })
    child.once("error", reject)
    child.once("exit", (code) => code === 0 ? resolve() : reject(new Error(`${program} exited with ${code}`)))
    child.unref()
  })
