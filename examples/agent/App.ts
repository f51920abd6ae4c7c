/** The web application: people sign in, connect their accounts at MCP servers, and let the agent act for them. */
import { Effect, Layer, Schema } from "effect"
import { Connections } from "effect-mcp-auth/sign-in"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import * as Agent from "./Agent.ts"
import * as WebSession from "./WebSession.ts"

export interface Options {
  /** The URL of this application, without a path. */
  readonly origin: string
  readonly issuer: string
  /** The URLs of the MCP servers. */
  readonly servers: ReadonlyArray<string>
}

/** The pages contain links that begin a sign-in, and the URL of a callback contains a code. */
const headers = { "cache-control": "no-store", "referrer-policy": "no-referrer" }

const page = (body: string) =>
  HttpServerResponse.html(`<!doctype html><meta charset="utf-8"><title>Agent</title>${body}`).pipe(
    HttpServerResponse.setHeaders(headers)
  )

/** Titles of todos and URLs come from other servers. */
const escape = (text: string) => text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

const form = (action: string, fields: string, button: string) =>
  `<form method="post" action="${action}">${fields}<button>${button}</button></form>`

const hidden = (name: string, value: string) => `<input type="hidden" name="${name}" value="${escape(value)}">`

const home = HttpServerResponse.redirect("/", { status: 303 })

const Todos = Schema.Struct({
  todos: Schema.Array(Schema.Struct({ id: Schema.Int, title: Schema.String, by: Schema.String }))
})

/** One MCP server on the page of an account: its todos, or the link with which the person connects it. */
const section = Effect.fnUntraced(function*(account: string, resource: string) {
  const server = hidden("server", resource)
  const listed = Agent.callTool({ account, resource, tool: "list_todos" }).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(Todos)),
    Effect.map(({ todos }) =>
      [
        "<ul>",
        ...todos.map(({ by, id, title }) =>
          `<li>${escape(title)} (${escape(by)}) ${form("/delete", server + hidden("id", String(id)), "Delete")}</li>`
        ),
        "</ul>",
        form("/create", `${server}<input name="title" required>`, "Create"),
        form("/disconnect", server, "Disconnect")
      ].join("")
    ),
    Effect.catchTag("SignInRequired", ({ url }) => Effect.succeed(`<p><a href="${escape(url)}">Connect</a></p>`)),
    Effect.catch((error) => Effect.as(Effect.logWarning(error), "<p>This server is not available now.</p>"))
  )
  return `<h2>${escape(resource)}</h2>${yield* listed}`
})

/** A route for people who have signed in to this application. */
const forAccount = <E, R>(handler: (account: string) => Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.flatMap(WebSession.account, (account) => account === undefined ? Effect.succeed(home) : handler(account))

const Name = Schema.NonEmptyString.check(Schema.isMaxLength(100))

const Form = Schema.Struct({
  server: Schema.String,
  title: Schema.optionalKey(Schema.String),
  id: Schema.optionalKey(Schema.FiniteFromString)
})

export const routes = ({ origin, servers }: Options) => {
  /** Reads the form of a request. Only the servers of the options count. */
  const readForm = HttpServerRequest.schemaBodyUrlParams(
    Form.check(Schema.makeFilter(({ server }) => servers.includes(server) || "expected one of the servers"))
  )

  /** Calls a tool, and sends the person to the authorization server if the account lacks the permission. */
  const call = (account: string, resource: string, tool: string, args: Readonly<Record<string, unknown>>) =>
    Agent.callTool({ account, resource, tool, arguments: args }).pipe(
      Effect.as(home),
      Effect.catchTag("SignInRequired", ({ url }) => Effect.succeed(HttpServerResponse.redirect(url, { status: 303 }))),
      Effect.catchTag("ToolFailed", ({ message }) => Effect.succeed(HttpServerResponse.text(message, { status: 422 })))
    )

  return HttpRouter.addAll([
    HttpRouter.route(
      "GET",
      "/",
      Effect.gen(function*() {
        const account = yield* WebSession.account
        if (account === undefined) return page(form("/sign-in", `<input name="name" required>`, "Sign in"))
        const sections = yield* Effect.forEach(servers, (resource) => section(account, resource))
        return page(`<h1>The agent of ${escape(account)}</h1>${sections.join("")}`)
      })
    ),
    // Replace this route with the sign-in of your application. This one accepts every name.
    HttpRouter.route(
      "POST",
      "/sign-in",
      Effect.gen(function*() {
        const { name } = yield* HttpServerRequest.schemaBodyUrlParams(Schema.Struct({ name: Name }))
        return yield* WebSession.begin({ account: name, isSecure: origin.startsWith("https:") }, home)
      })
    ),
    HttpRouter.route(
      "GET",
      "/oauth/callback",
      forAccount(Effect.fnUntraced(function*(account) {
        const { url } = yield* HttpServerRequest.HttpServerRequest
        const connections = yield* Connections.Connections
        return yield* connections.complete({ url }, { account }).pipe(
          Effect.as(home),
          // The callback of another session, for example: it may be an attack, so the application changes nothing.
          Effect.catchTag(
            "CallbackRejected",
            ({ message }) => Effect.succeed(HttpServerResponse.text(message, { status: 400, headers }))
          ),
          Effect.catchTag(
            "AuthorizationDenied",
            ({ message }) => Effect.succeed(HttpServerResponse.text(message, { status: 403, headers }))
          )
        )
      }))
    ),
    HttpRouter.route(
      "POST",
      "/create",
      forAccount(Effect.fnUntraced(function*(account) {
        const { server, title = "" } = yield* readForm
        return yield* call(account, server, "create_todo", { title })
      }))
    ),
    HttpRouter.route(
      "POST",
      "/delete",
      forAccount(Effect.fnUntraced(function*(account) {
        const { id, server } = yield* readForm
        return yield* call(account, server, "delete_todo", { id })
      }))
    ),
    HttpRouter.route(
      "POST",
      "/disconnect",
      forAccount(Effect.fnUntraced(function*(account) {
        const { server } = yield* readForm
        const connections = yield* Connections.Connections
        const ended = yield* connections.disconnect({ account, resource: server })
        return ended.every(({ isRevoked }) => isRevoked)
          ? home
          : HttpServerResponse.text(
            "Disconnected. The authorization server has not confirmed that the tokens are revoked."
          )
      }))
    )
  ])
}

/** The accounts of all people at all MCP servers. */
export const connections = ({ issuer, origin }: Options) =>
  Connections.layer({
    client: { name: "Agent" },
    redirectUri: `${origin}/oauth/callback`,
    allowIssuers: [issuer]
  })

/** Serves the application. */
export const layer = (options: Options) =>
  HttpRouter.serve(routes(options), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(connections(options))
  )
