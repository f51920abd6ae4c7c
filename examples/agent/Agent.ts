/** Calls tools of MCP servers for one account, with Effect's MCP client. */
import { Data, Effect, Layer } from "effect"
import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
import { McpClient, McpProtocol } from "effect/ai"
import { HttpClient } from "effect/http"

export interface Call {
  /** The account of the person in this application. */
  readonly account: string
  /** The URL of the MCP server. */
  readonly resource: string
  readonly tool: string
  readonly arguments?: Readonly<Record<string, unknown>>
}

/** The MCP server answered, but the tool does not exist or reports an error. */
export class ToolFailed extends Data.TaggedError("ToolFailed")<{ readonly message: string }> {}

/** Calls a tool. Fails with `SignInRequired` if the person must sign in, or consent to more scopes, first. */
export const callTool = Effect.fn("Agent.callTool")(
  function*({ account, arguments: args = {}, resource, tool: name }: Call) {
    const Mcp = McpClient.layerHttp({
      name: "agent",
      version: "1.0.0",
      protocol: McpProtocol.v2026_07_28,
      url: resource
    }).pipe(
      Layer.provide(Layer.effect(HttpClient.HttpClient, AuthorizedHttpClient.forAccount({ account, resource })))
    )
    const { content, isError, structuredContent } = yield* McpClient.McpClient.use(Effect.fnUntraced(function*(client) {
      const tool = (yield* client.listTools()).find((each) => each.name === name)
      if (tool === undefined) return yield* new ToolFailed({ message: `The server has no tool ${name}` })
      return yield* client.callTool({ tool, arguments: args })
    })).pipe(Effect.provide(Mcp, { local: true }))
    if (isError === true) return yield* new ToolFailed({ message: JSON.stringify(content) })
    return structuredContent
  },
  // The error of Effect's MCP client contains the one of this library.
  Effect.catch((error) => Effect.fail(AuthorizedHttpClient.clientError(error) ?? error))
)
