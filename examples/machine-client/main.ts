import { McpAuthClient } from "effect-mcp-auth/client"
import * as Credentials from "./Credentials.ts"
import * as Report from "./Report.ts"

const { ISSUER = "http://127.0.0.1:4000", MCP_URL = "http://127.0.0.1:3000/mcp" } = process.env

const auth = await McpAuthClient.make({ resource: MCP_URL, grant: await Credentials.read(ISSUER, process.env) })
try {
  await Report.run(MCP_URL, auth, console.log)
} catch (error) {
  const { _tag = "Error", message } = error as { readonly _tag?: string; readonly message: string }
  console.log(`${_tag}: ${message}`)
  process.exitCode = 1
} finally {
  await auth.dispose()
}
