/** The clients of `npm run clients`, and what they do. `docs/clients.md` shows this list; a test compares both. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

export interface Behavior {
  /** The scopes of the first authorization request: those of the challenge or the metadata, or none. */
  readonly signInScopes: "baseline" | "none"
  /** Whether the client requests `offline_access`. */
  readonly offlineAccess: boolean
  /** Whether the client uses its refresh token after a 401. */
  readonly refresh: boolean
  /** Whether the client, or the application through it, can call a tool that requires a further scope. */
  readonly stepUp: "yes" | "no" | "without a refresh token"
  /** Whether the client signs in at the first tool that requires a scope, after it connected without a token. */
  readonly lazySignIn: boolean
}

export interface Client {
  readonly name: string
  /** The folder in `node_modules`. */
  readonly installedAs: string
  readonly behavior: Behavior
}

const older: Behavior = { signInScopes: "none", offlineAccess: false, refresh: true, stepUp: "no", lazySignIn: true }

const latest: Behavior = {
  signInScopes: "baseline",
  offlineAccess: true,
  refresh: true,
  stepUp: "yes",
  lazySignIn: true
}

export const clients: ReadonlyArray<Client> = [
  { name: "SDK v1, 1.13", installedAs: "sdk-1.13", behavior: older },
  { name: "SDK v1, 1.20", installedAs: "sdk-1.20", behavior: older },
  {
    name: "SDK v1",
    installedAs: "sdk-1.32",
    behavior: { ...latest, offlineAccess: false, stepUp: "without a refresh token" }
  },
  { name: "SDK v2", installedAs: "@modelcontextprotocol/client", behavior: latest },
  { name: "mcp-remote", installedAs: "mcp-remote", behavior: latest },
  {
    name: "MCP inspector, command line",
    installedAs: "@modelcontextprotocol/inspector",
    behavior: { ...latest, stepUp: "no" }
  },
  { name: "AI SDK", installedAs: "@ai-sdk/mcp", behavior: { ...latest, offlineAccess: false, stepUp: "no" } },
  {
    name: "LangChain adapters",
    installedAs: "@langchain/mcp-adapters",
    behavior: { ...latest, offlineAccess: false, stepUp: "without a refresh token" }
  },
  { name: "Cloudflare agents", installedAs: "agents", behavior: { ...latest, stepUp: "no", lazySignIn: false } },
  { name: "use-mcp", installedAs: "use-mcp", behavior: { ...latest, offlineAccess: false, stepUp: "no" } }
]

/** Returns the exact version of a client, such as `1.13.3`. */
export const versionOf = ({ installedAs }: Client): string => {
  const { dependencies } = JSON.parse(readFileSync(join(import.meta.dirname, "packages/package.json"), "utf8"))
  return dependencies[installedAs].replace(/^npm:.*@/, "")
}
