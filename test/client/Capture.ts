/** Captures everything that a client tells about its steps, and the secrets that it sends and receives. */
import { Cause, Effect, Exit, Logger, Metric, Option, References, Tracer } from "effect"
import { ClientEvents } from "effect-mcp-auth/client-events"
import { inspect } from "node:util"

/** The parameters, members and headers whose values are secret. */
const secretNames = [
  "access_token",
  "refresh_token",
  "id_token",
  "token",
  "code",
  "state",
  "code_verifier",
  "assertion",
  "client_assertion",
  "client_secret",
  "subject_token",
  "device_code"
]

const show = (value: unknown): string => inspect(value, { depth: 12, maxArrayLength: null, maxStringLength: null })

/** Creates what one test captures. */
export const capture = () => {
  const secrets = new Set<string>()
  const texts: Array<string> = []
  const events: Array<ClientEvents.ClientEvent> = []
  const spans: Array<{ readonly name: string; readonly attributes: Map<string, unknown> }> = []

  const add = (secret: string | null | undefined): void => {
    if (typeof secret === "string" && secret.length > 5) secrets.add(secret)
  }
  const addAll = (parameters: URLSearchParams): void => {
    for (const name of secretNames) for (const value of parameters.getAll(name)) add(value)
  }
  /** Adds the secrets of a URL, and the URL itself. */
  const addUrl = (url: string): void => {
    add(url)
    addAll(new URL(url).searchParams)
  }

  /** Sends requests, and keeps the secrets in them and in their responses. */
  const spy = (fetch: typeof globalThis.fetch): typeof globalThis.fetch => async (input, init) => {
    const request = new Request(input, init)
    for (const header of ["authorization", "dpop"]) {
      const value = request.headers.get(header)
      add(value?.replace(/^(?:Bearer|DPoP|Basic) /, ""))
      if (value?.startsWith("Basic ")) add(atob(value.slice(6)).split(":")[1])
    }
    if (request.headers.get("content-type")?.startsWith("application/x-www-form-urlencoded") === true) {
      addAll(new URLSearchParams(await request.clone().text()))
    }
    const response = await fetch(request)
    const body: unknown = await response.clone().json().catch(() => undefined)
    if (typeof body === "object" && body !== null) {
      for (const name of secretNames) add((body as Record<string, unknown>)[name] as string)
    }
    return response
  }

  const recorder = ClientEvents.make({
    linesPerMinute: 1_000,
    listener: (event) => {
      events.push(event)
      texts.push(JSON.stringify(event), show(event))
    }
  })

  /** Keeps every form of an error that a program can print. */
  const addError = (error: unknown): void => {
    texts.push(String(error), show(error), JSON.stringify(error), Cause.pretty(Cause.fail(error)))
    if (error instanceof Error) texts.push(error.message, String(error.stack), JSON.stringify(error.cause))
  }

  const logger = Logger.make((entry) => {
    texts.push(show([entry.message, entry.fiber.getRef(References.CurrentLogAnnotations)]), Cause.pretty(entry.cause))
  })

  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      const end = span.end.bind(span)
      span.end = (time, exit) => {
        texts.push(show([...span.attributes]), show(exit), Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "")
        end(time, exit)
      }
      return span
    }
  })

  /** Runs an effect, and keeps its logs, spans, metrics and errors. */
  const watch = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    effect.pipe(
      Effect.tapCause((cause) =>
        Effect.sync(() => {
          texts.push(Cause.pretty(cause), show(cause), JSON.stringify(cause))
          Option.map(Cause.findErrorOption(cause), addError)
        })
      ),
      Effect.provide(Logger.layer([logger, Logger.map(Logger.formatJson, (line) => void texts.push(line))])),
      Effect.provideService(References.MinimumLogLevel, "Trace"),
      Effect.provideService(Tracer.Tracer, tracer)
    )

  const metrics = Effect.map(Metric.snapshot, (all) => void texts.push(show(all)))

  return { add, addError, addUrl, events, metrics, recorder, secrets, spans, spy, texts, watch }
}
