/** Sends four requests to a protected server, and prints the data that a collector receives. */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Console, Context, Effect, Layer } from "effect"
import { AuthLayer, Principal } from "effect-mcp-auth"
import { TestIssuer } from "effect-mcp-auth/testing"
import { HttpClient, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import * as Collector from "./Collector.ts"
import * as Observability from "./Observability.ts"

const resource = "https://whoami.example.com/whoami"

const Whoami = HttpRouter.add("GET", "/whoami", Effect.map(Principal, (_) => HttpServerResponse.text(`${_.subject}\n`)))

/** Starts the server, sends the requests and stops. When the scope closes, the remaining data is exported. */
const visit = (collector: string) =>
  Effect.scoped(Effect.gen(function*() {
    const { client, issuer } = yield* TestIssuer.make({ resource })
    const Server = HttpRouter.serve(
      Whoami.pipe(Layer.provide(AuthLayer.make({
        resource,
        authorizationServers: [issuer.issuer],
        scopes: ["read:profile"],
        decisions: { subject: Observability.decisionSubject },
        httpClient: Layer.succeed(HttpClient.HttpClient, client)
      }))),
      { disableLogger: true, disableListenLog: true }
    ).pipe(
      Layer.provideMerge(
        NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: "1 second" })
      ),
      Layer.provide(Observability.layer(collector))
    )
    const { address } = Context.get(yield* Layer.build(Server), HttpServer.HttpServer)
    const get = (authorization?: string) =>
      Effect.promise(() =>
        fetch(`${HttpServer.formatAddress(address)}/whoami`, {
          headers: { connection: "close", ...(authorization === undefined ? {} : { authorization }) }
        }).then((_) => _.text())
      )
    yield* get()
    yield* get("Bearer garbage")
    yield* get(`Bearer ${yield* issuer.mint({ expiresIn: "-1 seconds" })}`)
    yield* get(`Bearer ${yield* issuer.mint({ scopes: ["read:profile"] })}`)
  }))

const program = Effect.scoped(Effect.gen(function*() {
  const collected = yield* Collector.start
  yield* visit(collected.url)

  yield* Console.log("logs")
  for (const { attributes, body } of collected.logs.filter((_) => _.body.startsWith("request "))) {
    yield* Console.log(`  ${body}${attributes["subject"] === undefined ? "" : `, for ${attributes["subject"]}`}`)
  }
  yield* Console.log("metrics")
  for (const { attributes, name, value } of collected.metrics.values()) {
    if (name !== "mcp_auth_decisions_total") continue
    yield* Console.log(`  ${name} ${attributes["outcome"]} ${attributes["reason"]}: ${value}`)
  }
  yield* Console.log("spans")
  for (const { attributes, name } of collected.spans.filter((_) => _.name === "mcp_auth.verify")) {
    yield* Console.log(
      `  ${name}: ${attributes["mcp_auth.outcome"]}${
        attributes["mcp_auth.reason"] === undefined ? "" : `, ${attributes["mcp_auth.reason"]}`
      }`
    )
  }
}))

NodeRuntime.runMain(program)
