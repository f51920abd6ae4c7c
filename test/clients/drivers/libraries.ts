/** The client libraries. Each function contains the lines that an application writes, as the documentation of the library shows. */
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { PersonProvider } from "./PersonProvider.ts"
import { type Connect, connectSignedIn } from "./Session.ts"

/** Imports a file of an installed package. Its types are not available, because the packages are no devDependencies. */
const load = (folder: string, file: string): Promise<any> =>
  import(/* @vite-ignore */ pathToFileURL(join(folder, "node_modules", file)).href)

const info = { name: "test", version: "1.0.0" }

/** Returns the callback of the sign-in that the library requested since the last call, after the checks of an application. */
const takeCallback = (provider: PersonProvider): URLSearchParams | undefined => {
  const callback = provider.takeCallback()
  if (callback === undefined) return undefined
  const error = callback.get("error")
  if (error !== null) throw new Error(`${error}: ${callback.get("error_description")}`)
  if (callback.get("state") !== provider.storedState()) throw new Error("The callback belongs to another sign-in")
  return callback
}

/** The parts of the SDKs that differ between their versions. */
interface Sdk {
  readonly newClient: () => any
  readonly newTransport: (options: { readonly authProvider: PersonProvider }) => any
  readonly toCallback: (callback: URLSearchParams) => unknown
}

const connectSdk = async ({ newClient, newTransport, toCallback }: Sdk): ReturnType<Connect> => {
  const authProvider = new PersonProvider()
  let transport: any
  const finishSignIn = async () => {
    const callback = takeCallback(authProvider)
    if (callback !== undefined) await transport.finishAuth(toCallback(callback))
    return callback !== undefined
  }
  const client = await connectSignedIn(async () => {
    const client = newClient()
    transport = newTransport({ authProvider })
    await client.connect(transport)
    return client
  }, finishSignIn)
  return {
    callTool: async (name, args) => toContent(await client.callTool({ name, arguments: args })),
    finishSignIn,
    close: () => client.close()
  }
}

const toContent = (result: any): unknown => {
  if (result.isError === true) throw new Error(JSON.stringify(result.content))
  return result.structuredContent
}

/** Connects with the SDK v1 that is installed under a name. */
export const sdkV1 = (name: string): Connect => async ({ folder, url }) => {
  const { Client } = await load(folder, `${name}/dist/esm/client/index.js`)
  const { StreamableHTTPClientTransport } = await load(folder, `${name}/dist/esm/client/streamableHttp.js`)
  return connectSdk({
    newClient: () => new Client(info),
    newTransport: (options) => new StreamableHTTPClientTransport(new URL(url), options),
    toCallback: (callback) => callback.get("code")
  })
}

/** Connects with the SDK v2. `legacy` speaks MCP 2025-11-25, `auto` MCP 2026-07-28. */
export const sdkV2 = (mode: "legacy" | "auto"): Connect => async ({ folder, url }) => {
  const { Client, StreamableHTTPClientTransport } = await load(folder, "@modelcontextprotocol/client/dist/index.mjs")
  return connectSdk({
    newClient: () => new Client(info, { versionNegotiation: { mode } }),
    newTransport: (options) => new StreamableHTTPClientTransport(new URL(url), options),
    // The client also checks the issuer in the redirect (RFC 9207), so it needs all parameters.
    toCallback: (callback) => callback
  })
}

/** Connects with `@ai-sdk/mcp`. */
export const aiSdk: Connect = async ({ folder, url }) => {
  const { auth, createMCPClient } = await load(folder, "@ai-sdk/mcp/dist/index.js")
  const authProvider = new PersonProvider()
  const finishSignIn = async () => {
    const callback = takeCallback(authProvider)
    if (callback === undefined) return false
    await auth(authProvider, {
      serverUrl: url,
      authorizationCode: callback.get("code"),
      callbackState: callback.get("state"),
      callbackIssuer: callback.get("iss")
    })
    return true
  }
  const connect = () => createMCPClient({ transport: { type: "http", url, authProvider } })
  const client = await connectSignedIn<any>(connect, finishSignIn)
  const tools = await client.tools()
  return {
    callTool: async (name, args) => toContent(await tools[name].execute(args, { toolCallId: "1", messages: [] })),
    finishSignIn,
    close: () => client.close()
  }
}

/** Connects with `@langchain/mcp-adapters`. */
export const langChain: Connect = async ({ folder, url }) => {
  const { MultiServerMCPClient } = await load(folder, "@langchain/mcp-adapters/dist/index.js")
  const { auth } = await load(folder, "@modelcontextprotocol/sdk/dist/esm/client/auth.js")
  const authProvider = new PersonProvider()
  const finishSignIn = async () => {
    const callback = takeCallback(authProvider)
    if (callback === undefined) return false
    await auth(authProvider, { serverUrl: url, authorizationCode: callback.get("code") })
    return true
  }
  const { client, tools } = await connectSignedIn(async () => {
    const client = new MultiServerMCPClient({ mcpServers: { todos: { transport: "http", url, authProvider } } })
    return { client, tools: await client.getTools() as ReadonlyArray<any> }
  }, finishSignIn)
  return {
    callTool: async (name, args) => {
      // The tool returns the text of the result: as a string, or in a list of content blocks.
      const [block] = [await tools.find((tool) => tool.name === name).invoke(args)].flat()
      return JSON.parse(block.text ?? block)
    },
    finishSignIn,
    close: () => client.close()
  }
}
