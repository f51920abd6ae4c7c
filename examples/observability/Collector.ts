/** A stub of an OpenTelemetry collector. It receives logs, spans and metrics over OTLP/HTTP in JSON, and stores them. */
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

export interface Collected {
  readonly url: string
  /** Log entries, with their annotations. */
  readonly logs: Array<{ readonly body: string; readonly attributes: Readonly<Record<string, unknown>> }>
  readonly spans: Array<{ readonly name: string; readonly attributes: Readonly<Record<string, unknown>> }>
  /** The latest point of each series. */
  readonly metrics: Map<
    string,
    { readonly name: string; readonly value: number; readonly attributes: Readonly<Record<string, unknown>> }
  >
  /** The bodies of all requests, unparsed. */
  readonly raw: Array<string>
}

const plain = (value: Readonly<Record<string, any>>): unknown =>
  value["arrayValue"] === undefined
    ? Object.values(value)[0]
    : value["arrayValue"].values.map(plain)

const attributesOf = (attributes: ReadonlyArray<Attribute> = []) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, plain(value)]))

/** Starts a collector on a free loopback port. It runs until the scope closes. */
export const start = Effect.gen(function*() {
  const collected = { logs: [], spans: [], metrics: new Map(), raw: [] } as unknown as Omit<Collected, "url">
  const take = (read: (document: any) => void) =>
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const text = yield* request.text
      collected.raw.push(text)
      read(JSON.parse(text))
      return yield* HttpServerResponse.json({})
    })
  const routes = Layer.mergeAll(
    HttpRouter.add(
      "POST",
      "/v1/logs",
      take(({ resourceLogs }) => {
        for (const { logRecords } of resourceLogs.flatMap((_: any) => _.scopeLogs)) {
          for (const { attributes, body } of logRecords) {
            collected.logs.push({ body: String([plain(body)].flat()[0]), attributes: attributesOf(attributes) })
          }
        }
      })
    ),
    HttpRouter.add(
      "POST",
      "/v1/traces",
      take(({ resourceSpans }) => {
        for (const { spans } of resourceSpans.flatMap((_: any) => _.scopeSpans)) {
          for (const { attributes, name } of spans) collected.spans.push({ name, attributes: attributesOf(attributes) })
        }
      })
    ),
    HttpRouter.add(
      "POST",
      "/v1/metrics",
      take(({ resourceMetrics }) => {
        for (const { metrics } of resourceMetrics.flatMap((_: any) => _.scopeMetrics)) {
          for (const { histogram, name, sum } of metrics) {
            for (const point of (sum ?? histogram)?.dataPoints ?? []) {
              const attributes = attributesOf(point.attributes)
              const value = Number(point.count ?? point.asInt ?? point.asDouble)
              collected.metrics.set(JSON.stringify([name, attributes]), { name, value, attributes })
            }
          }
        }
      })
    )
  )
  const context = yield* Layer.build(
    HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(
        NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
      )
    )
  )
  const { address } = yield* Effect.provide(HttpServer.HttpServer, context)
  return { ...collected, url: HttpServer.formatAddress(address) } satisfies Collected
})
