/** The clients that are compared. */
import { readFileSync } from "node:fs"
import { control } from "./Control.ts"
import { aiSdk, sdkV1, sdkV2 } from "./Libraries.ts"
import { mcpRemote } from "./McpRemote.ts"
import { own } from "./Own.ts"
import type { Client } from "./World.ts"

const { dependencies } = JSON.parse(readFileSync(new URL("packages/package.json", import.meta.url), "utf8"))
const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"))

const library = { isProgram: false, leavesState: false, hasDpop: false }

/** The client of this library. */
export const ownClient: Client = {
  name: "effect-mcp-auth",
  version,
  isProgram: true,
  leavesState: false,
  hasDpop: true,
  connect: own
}

/** The client that makes every mistake. */
export const controlClient: Client = {
  name: "control",
  version: "",
  isProgram: true,
  leavesState: false,
  hasDpop: true,
  connect: control
}

export const clients: ReadonlyArray<Client> = [
  ownClient,
  {
    ...library,
    name: "SDK v1",
    version: dependencies["@modelcontextprotocol/sdk"],
    leavesState: true,
    connect: sdkV1
  },
  {
    ...library,
    name: "SDK v2",
    version: dependencies["@modelcontextprotocol/client"],
    leavesState: true,
    hasDpop: true,
    connect: sdkV2
  },
  { ...library, name: "@ai-sdk/mcp", version: dependencies["@ai-sdk/mcp"], connect: aiSdk },
  { ...library, name: "mcp-remote", version: dependencies["mcp-remote"], isProgram: true, connect: mcpRemote }
]
