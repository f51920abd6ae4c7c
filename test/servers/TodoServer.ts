/**
 * The server that these tests protect: tools, resources, templates and prompts, with every kind of policy.
 */
import { Effect, Layer, Schema } from "effect"
import { type AuthLayer, Policy, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { McpProtocol, McpSchema, McpServer, Tool, Toolkit } from "effect/ai"
import { authLayer } from "./gates.ts"

export const resource = "https://server.test/mcp"

export const metadataUrl = "https://server.test/.well-known/oauth-protected-resource/mcp"

export const scopes = { baseline: ["todos:read"], stepUp: ["todos:write", "todos:admin"] } as const

export const protocols = [McpProtocol.v2026_07_28, McpProtocol.v2025_11_25, McpProtocol.v2025_03_26] as const

const Caller = Schema.Struct({
  issuer: Schema.String,
  subject: Schema.NullOr(Schema.String),
  clientId: Schema.NullOr(Schema.String),
  scopes: Schema.Array(Schema.String)
})

/** Arguments do not matter in these tests, so every tool accepts any. */
const parameters = Schema.Struct({ title: Schema.optionalKey(Schema.String) })

/** Requires no scope, so a caller with any valid token can call it. */
const WhoAmI = Tool.make("whoami", { parameters, success: Caller, dependencies: [Principal] })
const List = requireScopes("todos:read")(Tool.make("list", { parameters, success: Schema.String }))
const Add = requireScopes("todos:read", "todos:write")(
  Tool.make("add", { parameters, success: Schema.String })
)
const Purge = requireScopes("todos:admin")(Tool.make("purge", { parameters, success: Schema.String }))
  .annotate(Policy.Unauthorized, "hide")
/** A tool whose name is sent in the encoded form of `Mcp-Name`. */
const Umlaut = requireScopes("todos:write")(Tool.make("hinzufügen", { parameters, success: Schema.String }))
/** An alias of `add`. It inherits the annotations of `add`, which contain the required scopes. */
const Alias = requireScopes("todos:read")(
  Tool.make("alias_of_add", { parameters, success: Schema.String })
)
  .annotateMerge(Add.annotations)

export const Todos = Toolkit.make(WhoAmI, List, Add, Purge, Umlaut, Alias)

/**
 * Creates a server. `ran` lists the executed operations, in the order in which they ran.
 */
export const make = () => {
  const ran: Array<string> = []
  const run = <A>(name: string, value: A) =>
    Effect.sync(() => {
      ran.push(name)
      return value
    })

  const handlers = Todos.toLayer({
    whoami: () =>
      Effect.flatMap(
        Principal,
        ({ clientId, issuer, scopes, subject }) =>
          run("whoami", { clientId: clientId ?? null, issuer, subject: subject ?? null, scopes: [...scopes] })
      ),
    list: () => run("list", "listed"),
    add: () => run("add", "added"),
    purge: () => run("purge", "purged"),
    hinzufügen: () => run("hinzufügen", "hinzugefügt"),
    alias_of_add: () => run("alias_of_add", "added")
  })

  const id = McpSchema.param("id", Schema.String)
  const protectedByScope = Layer.mergeAll(
    McpAuth.toolkit(Todos).pipe(Layer.provide(handlers)),
    McpAuth.resource({
      uri: "todo://settings",
      name: "settings",
      scopes: ["todos:read"],
      content: run("todo://settings", "settings")
    }),
    McpAuth.resource({
      uri: "todo://audit",
      name: "audit",
      scopes: ["todos:admin"],
      unauthorized: "hide",
      content: run("todo://audit", "audit")
    }),
    McpAuth.resource`todo://items/${id}`({
      name: "item",
      scopes: ["todos:read", "todos:write"],
      completion: { id: () => run("complete todo://items/{id}", ["1", "2"]) },
      content: (uri, id) => run(uri, `item ${id}`)
    }),
    McpAuth.resource`todo://secret/${id}`({
      name: "secret",
      scopes: ["todos:admin"],
      unauthorized: "hide",
      completion: { id: () => run("complete todo://secret/{id}", ["1"]) },
      content: (uri, id) => run(uri, `secret ${id}`)
    }),
    McpAuth.prompt({
      name: "plan",
      scopes: ["todos:read"],
      parameters: { day: Schema.String },
      completion: { day: () => run("complete plan", ["monday"]) },
      content: ({ day }) => run("plan", `plan ${day}`)
    }),
    McpAuth.prompt({
      name: "post_mortem",
      scopes: ["todos:admin"],
      unauthorized: "hide",
      parameters: { day: Schema.String },
      completion: { day: () => run("complete post_mortem", ["monday"]) },
      content: () => run("post_mortem", "why")
    })
  )
  const open = Layer.mergeAll(
    McpServer.resource({ uri: "todo://about", name: "about", content: run("todo://about", "about") }),
    McpServer.resource({ uri: "todo://items/help", name: "help", content: run("todo://items/help", "open help") }),
    McpServer.resource`note://${id}`({ name: "note", content: (uri, id) => run(uri, `note ${id}`) }),
    McpServer.prompt({ name: "hello", content: () => run("hello", "hello") })
  )

  const options = { name: "todos", version: "1.0.0", path: "/mcp", allowSessionTermination: true } as const

  return {
    ran,
    /** The layer of the server. It requires an authentication layer. */
    layer: McpAuth.layerHttp({ ...options, protocols, registrations: Layer.mergeAll(protectedByScope, open) }),
    registrations: { protectedByScope, open },
    options
  }
}

type Options = Omit<AuthLayer.Common<typeof scopes>, "scopes">

/** The authentication layer for this server. It requires the HTTP client of a `TestIssuer`. */
export const auth = (issuer: string, options: Options = {}) =>
  authLayer({ resource, authorizationServers: [issuer], ...options, scopes })
