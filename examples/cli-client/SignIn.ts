/** Signs the person who uses the tool in: with a browser, else with a code on another device, else with a pasted URL. */
import { McpAuthClient } from "effect-mcp-auth/client"
import { NodeBrowser } from "effect-mcp-auth/client-node"
import { AuthorizationCode, DeviceAuthorization } from "effect-mcp-auth/sign-in"
import { FileStore } from "effect-mcp-auth/store-node"
import { spawn } from "node:child_process"

export interface Options {
  /** The URL of the MCP server. */
  readonly resource: string
  /** The file in which the tool keeps its tokens. */
  readonly file: string
  /** A program that opens a page, as in the variable `BROWSER`. Default: the browser of the operating system. */
  readonly browser?: string | undefined
  /** The first port to try for the callback. Default: 13316. */
  readonly port?: number | undefined
}

/** Starts a program with a URL. Rejects if there is no such program. */
const openWith = (program: string) => (url: string) =>
  new Promise<void>((resolve, reject) => {
    // Without a shell, no character of the URL has a meaning.
    const child = spawn(program, [url], { stdio: "ignore", shell: false })
    child.once("spawn", resolve)
    child.once("error", reject)
  })

export const make = ({ browser, file, port = 13316, resource }: Options): Promise<McpAuthClient.Client> =>
  McpAuthClient.make({
    resource,
    grant: AuthorizationCode.grant({
      client: { name: "todo" },
      redirect: NodeBrowser.loopback({
        ports: [port, port + 1],
        otherwise: ["paste"],
        open: browser === undefined ? undefined : openWith(browser)
      }),
      otherwise: DeviceAuthorization.make({ prompt: NodeBrowser.printCode }),
      store: FileStore.make({ file })
    })
  })
