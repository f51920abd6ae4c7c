/** A server over stdio with a local caller. The first argument is the SDK: `v1`, `v2`, or `v2-serve` for `serveStdio`. */
import * as V1 from "@modelcontextprotocol/sdk/server/mcp.js"
import { StdioServerTransport as StdioV1 } from "@modelcontextprotocol/sdk/server/stdio.js"
import * as V2 from "@modelcontextprotocol/server"
import { serveStdio, StdioServerTransport as StdioV2 } from "@modelcontextprotocol/server/stdio"
import { Logger } from "effect"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"

const options = {
  resource: "https://todos.example.com/mcp",
  authorizationServers: ["https://auth.example.com"],
  scopes: ["todos:read", "todos:write"],
  layer: Logger.layer([])
} as const
const caller = { subject: "alice", scopes: ["todos:read"] } as const
const info = { name: "todos", version: "1.0.0" }
const text = (value: string) => ({ content: [{ type: "text" as const, text: value }] })

const makeV1 = async () => {
  const auth = await SdkV1.make(options)
  const server = new V1.McpServer(info)
  auth.registerTool(server, "whoami", { scopes: ["todos:read"] }, ({ principal }) => text(principal.owner))
  auth.registerTool(server, "add", { scopes: ["todos:write"] }, () => text("added"))
  auth.registerTool(server, "hidden", { scopes: ["todos:write"], unauthorized: "hide" }, () => text("hidden"))
  return auth.local(caller)(server)
}

const makeV2 = async () => {
  const auth = await SdkV2.make(options)
  const server = new V2.McpServer(info)
  auth.registerTool(server, "whoami", { scopes: ["todos:read"] }, ({ principal }) => text(principal.owner))
  auth.registerTool(server, "add", { scopes: ["todos:write"] }, () => text("added"))
  auth.registerTool(server, "hidden", { scopes: ["todos:write"], unauthorized: "hide" }, () => text("hidden"))
  return auth.local(caller)(server)
}

const [, , kind] = process.argv
if (kind === "v1") await (await makeV1()).connect(new StdioV1())
else if (kind === "v2") await (await makeV2()).connect(new StdioV2())
else serveStdio(makeV2)
