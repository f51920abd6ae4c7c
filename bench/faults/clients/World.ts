/** Misbehaving servers on real ports of loopback, a person with a browser, and the storage of one client. */
import { MisbehavingServers, TestBrowser } from "effect-mcp-auth/testing"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { networkInterfaces, tmpdir } from "node:os"
import { join } from "node:path"

/** A page of the program that received a callback. */
export interface CallbackPage {
  readonly headers: Headers
  readonly html: string
}

/** A person, who signs in at each URL that a client opens. */
export interface Person {
  /** The URLs that clients asked the browser to open. */
  readonly opened: Array<string>
  /** The pages that programs showed after the sign-in. */
  readonly pages: Array<CallbackPage>
  /** The URLs of the callbacks, which contain codes. */
  readonly callbacks: Array<string>
  /** Signs in, and returns the URL of the callback. */
  readonly signIn: (url: string) => Promise<string>
  /** Signs in, and opens the callback. */
  readonly signInAndReturn: (url: string) => Promise<void>
}

export interface World {
  readonly servers: MisbehavingServers.PromisedMisbehavingServers
  readonly person: Person
  /** Values that several sessions of one client share, for libraries whose applications store them. */
  readonly values: Map<string, unknown>
  /** A folder that several sessions of one client share, for programs. */
  readonly folder: string
  readonly close: () => void
}

/** The first address of this machine that is neither loopback nor public. `undefined` if there is none. */
export const privateAddress = (): string | undefined =>
  Object.values(networkInterfaces()).flatMap((found) => found ?? []).find(({ family, internal }) =>
    family === "IPv4" && !internal
  )?.address

const listen = async (host: string): Promise<readonly [Server, string]> => {
  const server = createServer().listen(0, host)
  await once(server, "listening")
  return [server, `http://${host}:${(server.address() as AddressInfo).port}`]
}

const makePerson = (): Person => {
  const browser = TestBrowser.start({ username: "alice" })
  const opened: Array<string> = []
  const pages: Array<CallbackPage> = []
  const callbacks: Array<string> = []
  const signIn = async (url: string) => {
    opened.push(url)
    const callback = await browser.signIn(url)
    callbacks.push(callback)
    return callback
  }
  return {
    opened,
    pages,
    callbacks,
    signIn,
    signInAndReturn: async (url) => {
      const response = await fetch(await signIn(url))
      pages.push({ headers: response.headers, html: await response.text() })
    }
  }
}

export const makeWorld = async (fault: MisbehavingServers.Fault | undefined): Promise<World> => {
  const address = privateAddress()
  const [server, serverUrl] = await listen("127.0.0.1")
  const [issuer, issuerUrl] = await listen("127.0.0.1")
  const [elsewhere, elsewhereUrl] = await listen("127.0.0.1")
  const [intranet, privateNetwork] = await listen(address ?? "127.0.0.1")
  const servers = await MisbehavingServers.start({
    fault,
    resource: `${serverUrl}/mcp`,
    issuer: issuerUrl,
    elsewhere: elsewhereUrl,
    privateNetwork
  })
  server.on("request", servers.listeners.server)
  issuer.on("request", servers.listeners.issuer)
  elsewhere.on("request", servers.listeners.elsewhere)
  intranet.on("request", servers.listeners.privateNetwork)
  const folder = mkdtempSync(join(tmpdir(), "faults-client-"))
  return {
    servers,
    person: makePerson(),
    values: new Map(),
    folder,
    close: () => {
      for (const each of [server, issuer, elsewhere, intranet]) {
        each.close()
        each.closeAllConnections()
      }
      rmSync(folder, { recursive: true, force: true })
    }
  }
}

/** The credentials of the client that is registered before the run. */
export const credentials = { clientId: "machine", clientSecret: "machine-secret" }

/** The settings of a client in a scenario. */
export interface ConnectOptions {
  /** Uses the registered client and its secret instead of dynamic registration. */
  readonly isRegistered: boolean
  /** Headers for the MCP server. */
  readonly headers: Readonly<Record<string, string>>
  /** Binds tokens to a key of the client (RFC 9449). */
  readonly usesDpop: boolean
}

/** A client that is connected to the MCP server. */
export interface Session {
  /** Calls a tool. Rejects if the server or the client rejects the call. */
  readonly call: (tool: string) => Promise<void>
  /** The output of a program. Libraries have none. */
  readonly output: () => string
  readonly close: () => Promise<void>
}

/** Connects a client, and lets the person sign in. */
export type Connect = (world: World, options: ConnectOptions) => Promise<Session>

export interface Client {
  readonly name: string
  readonly version: string
  /** Whether the client receives callbacks and opens browsers itself, as programs do. */
  readonly isProgram: boolean
  /** Whether the application compares `state`, because the library leaves this to it. */
  readonly leavesState: boolean
  readonly hasDpop: boolean
  readonly connect: Connect
}
