/** Runs the server of `app.ts`, with an authorization server if none is configured. */
import * as Serving from "../shared/Serving.ts"
import { makeApp, scopes } from "./app.ts"

Serving.runListener({
  scopes,
  serve: async ({ authorizationServers, resource }, logging) => {
    const { app, dispose } = await makeApp({ authorizationServers, resource, layer: logging })
    return { listener: app, dispose }
  }
})
