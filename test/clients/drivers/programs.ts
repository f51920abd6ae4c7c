/** The clients that are programs. A person signs in at each URL that they print. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { TestBrowser } from "effect-mcp-auth/testing"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { connect, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { setTimeout } from "node:timers/promises"
import type { Connect } from "./Session.ts"

const authorizationUrl = /http:\/\/127\.0\.0\.1:\d+\/auth(?:orize)?\?\S+/

/** Signs in at each authorization URL among the lines, and opens the callback at the program. */
const signIn = (lines: Readable, browser: ReturnType<typeof TestBrowser.start>): void => {
  createInterface({ input: lines }).on("line", async (line) => {
    const [url] = authorizationUrl.exec(line) ?? []
    if (url === undefined) return
    // mcp-remote listens a moment after it has printed the URL. A person is slower than that.
    await listening(new URL(new URL(url).searchParams.get("redirect_uri")!))
    await fetch(await browser.signIn(url))
  })
}

/** Waits until a server accepts connections at the host and port of the URL. */
const listening = async ({ hostname, port }: URL): Promise<void> => {
  for (;;) {
    const socket = connect({ host: hostname, port: Number(port) })
    const accepted = await once(socket, "connect").then(() => true, () => false)
    socket.destroy()
    if (accepted) return
    await setTimeout(20)
  }
}

/** The environment of a program that has an empty home, and that opens no window. */
const environment = (home: string) => ({
  PATH: process.env["PATH"]!,
  HOME: home,
  BROWSER: "true",
  // The inspector stores tokens between its runs only if it has a place for them.
  MCP_INSPECTOR_SECRET_STORE: "file",
  // The inspector signs in only at a terminal, unless this variable is set.
  MCP_AUTO_OPEN_ENABLED: "true"
})

const newHome = () => mkdtempSync(join(tmpdir(), "client-"))

/** Runs `mcp-remote` as a stdio server, behind a client without authorization. */
export const mcpRemote: Connect = async ({ folder, url }) => {
  const home = newHome()
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [join(folder, "node_modules/mcp-remote/dist/proxy.js"), url],
    env: environment(home),
    stderr: "pipe"
  })
  signIn(transport.stderr as Readable, TestBrowser.start())
  const client = new Client({ name: "test", version: "1.0.0" })
  await client.connect(transport)
  return {
    callTool: async (name, args) => {
      const { content, isError, structuredContent } = await client.callTool({ name, arguments: args })
      if (isError === true) throw new Error(JSON.stringify(content))
      return structuredContent
    },
    close: async () => {
      await client.close()
      rmSync(home, { recursive: true, force: true })
    }
  }
}

/** Runs the command-line mode of the inspector once for each call. */
export const inspectorCli: Connect = async ({ folder, url }) => {
  const home = newHome()
  const browser = TestBrowser.start()
  const launcher = join(folder, "node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js")
  const callbackUrl = `http://127.0.0.1:${await freePort()}/oauth/callback`
  const run = async (...options: ReadonlyArray<string>): Promise<any> => {
    const args = [launcher, "--cli", url, "--transport", "http", "--callback-url", callbackUrl, ...options]
    const child = spawn(process.execPath, args, { env: environment(home), stdio: ["pipe", "pipe", "pipe"] })
    // The answer to the question whether to step up.
    child.stdin.end("y\n")
    signIn(child.stderr, browser)
    const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")])
    if (code !== 0) throw new Error(errors)
    return JSON.parse(output)
  }
  await run("--method", "tools/list")
  return {
    callTool: async (name, args) => {
      const pairs = Object.entries(args).flatMap(([key, value]) => ["--tool-arg", `${key}=${value}`])
      const result = await run("--method", "tools/call", "--tool-name", name, ...pairs)
      return result.structuredContent
    },
    close: async () => rmSync(home, { recursive: true, force: true })
  }
}

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { readonly port: number }
  server.close()
  await once(server, "close")
  return port
}
