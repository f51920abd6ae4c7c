/** Two todo managers, one for home and one for work, and their authorization server, for the examples of clients. */
import { NodeRuntime } from "@effect/platform-node"
import { Config, Console, Effect, Layer } from "effect"
import * as AuthorizationServer from "../authorization-server/AuthorizationServer.ts"
import * as TodoManager from "../todo-manager/TodoManager.ts"
import * as Serving from "./Serving.ts"

const { scopes } = TodoManager

const ports = Config.all({
  issuer: Config.Port("ISSUER_PORT").pipe(Config.withDefault(4000)),
  home: Config.Port("PORT").pipe(Config.withDefault(3000)),
  work: Config.Port("WORK_PORT").pipe(Config.withDefault(3001))
})

const Main = Layer.unwrap(Effect.map(ports, ({ home, issuer, work }) => {
  const Issuer = AuthorizationServer.layer({ port: issuer, scopes, deviceAuthorization: true })
  const [Home, Work] = [home, work].map((port) =>
    Layer.effectDiscard(Effect.flatMap(Serving.Endpoint, ({ url }) => Console.log(`todos ${url}`))).pipe(
      Layer.provide(Serving.layer(
        { port, authorizationServers: [`http://127.0.0.1:${issuer}`] },
        { scopes, app: TodoManager.layer }
      ))
    )
  )
  return Layer.mergeAll(Work!.pipe(Layer.provideMerge(Home!)), Issuer)
}))

NodeRuntime.runMain(Layer.launch(Main))
