/** The client libraries, each with the lines that an application writes. */
import { Provider } from "./Provider.ts"
import type { Connect, Session } from "./World.ts"

/** Imports a package of this folder. Its types are not available before the packages are installed. */
const load = (file: string): Promise<any> => import(new URL(`packages/node_modules/${file}`, import.meta.url).href)

const info = { name: "faults", version: "1.0.0" }

interface Parts {
  readonly connect: (provider: Provider) => Promise<any>
  /** Passes the parameters of the callback to the library. */
  readonly finish: (callback: URLSearchParams) => Promise<void>
  readonly call: (connected: any, tool: string) => Promise<any>
  readonly close: (connected: any) => Promise<void>
}

/** Repeats an action once after a sign-in that the library requested, as an application does. */
const withSignIn = async <A>(provider: Provider, finish: Parts["finish"], action: () => Promise<A>): Promise<A> => {
  try {
    return await action()
  } catch (error) {
    const callback = provider.takeCallback()
    if (callback === undefined) throw error
    const denied = callback.get("error")
    if (denied !== null) throw new Error(`the sign-in ended with ${denied}`, { cause: error })
    await finish(callback)
    return action()
  }
}

const open = async (provider: Provider, { call, close, connect, finish }: Parts): Promise<Session> => {
  const connected = await withSignIn(provider, finish, () => connect(provider))
  return {
    call: async (tool) => {
      const result = await withSignIn(provider, finish, () => call(connected, tool))
      if (result.isError === true) throw new Error(JSON.stringify(result.content))
    },
    output: () => "",
    close: () => close(connected)
  }
}

interface Sdk {
  readonly Client: any
  readonly Transport: any
  readonly DpopSession?: any
}

const sdk = (
  loadSdk: () => Promise<Sdk>,
  toCallback: (callback: URLSearchParams) => unknown
): Connect =>
async (world, options) => {
  const { Client, DpopSession, Transport } = await loadSdk()
  const provider = new Provider(world, options)
  if (options.usesDpop) {
    const session = DpopSession.create()
    provider.dpop = () => session
  }
  let transport: any
  return open(provider, {
    connect: async (authProvider) => {
      const client = new Client(info)
      transport = new Transport(new URL(world.servers.resource), {
        authProvider,
        requestInit: { headers: options.headers }
      })
      await client.connect(transport)
      return client
    },
    finish: (callback) => transport.finishAuth(toCallback(callback)),
    call: (client, name) => client.callTool({ name, arguments: {} }),
    close: (client) => client.close()
  })
}

export const sdkV1: Connect = sdk(async () => ({
  Client: (await load("@modelcontextprotocol/sdk/dist/esm/client/index.js")).Client,
  Transport: (await load("@modelcontextprotocol/sdk/dist/esm/client/streamableHttp.js")).StreamableHTTPClientTransport
}), (callback) => callback.get("code"))

export const sdkV2: Connect = sdk(async () => {
  const { Client, DpopSession, StreamableHTTPClientTransport: Transport } = await load(
    "@modelcontextprotocol/client/dist/index.mjs"
  )
  return { Client, DpopSession, Transport }
}, (callback) => callback)

export const aiSdk: Connect = async (world, options) => {
  const { auth, createMCPClient } = await load("@ai-sdk/mcp/dist/index.js")
  const url = world.servers.resource
  const provider = new Provider(world, options)
  return open(provider, {
    connect: async (authProvider) => {
      const client = await createMCPClient({ transport: { type: "http", url, authProvider, headers: options.headers } })
      return { client, tools: await client.tools() }
    },
    finish: (callback) =>
      auth(provider, {
        serverUrl: url,
        authorizationCode: callback.get("code"),
        callbackState: callback.get("state"),
        callbackIssuer: callback.get("iss") ?? undefined
      }),
    call: ({ tools }, name) => tools[name].execute({}, { toolCallId: "1", messages: [] }),
    close: ({ client }) => client.close()
  })
}
