/** Signs in with real clients from npm, and compares what they do with `clients.ts`. `npm run clients` runs this file. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import { afterAll, beforeAll, inject } from "vitest"
import { type Client, clients, versionOf } from "./clients.ts"
import { agents } from "./drivers/agents.ts"
import { aiSdk, langChain, sdkV1, sdkV2 } from "./drivers/libraries.ts"
import { inspectorCli, mcpRemote } from "./drivers/programs.ts"
import type { Connect } from "./drivers/Session.ts"
import { executablePath, servePage, type Site, useMcp } from "./drivers/useMcp.ts"
import { observe } from "./observe.ts"

const folder = inject("folder")

let site: Site
beforeAll(async () => void (site = await servePage(folder)))
afterAll(() => site.close())

const useMcpOnSite: Connect = (target) => useMcp(site)(target)

const drivers: Readonly<Record<string, Readonly<Record<string, Connect>>>> = {
  "SDK v1, 1.13": { "": sdkV1("sdk-1.13") },
  "SDK v1, 1.20": { "": sdkV1("sdk-1.20") },
  "SDK v1": { "": sdkV1("sdk-1.32") },
  "SDK v2": { " with MCP 2025-11-25": sdkV2("legacy"), " with MCP 2026-07-28": sdkV2("auto") },
  "mcp-remote": { "": mcpRemote },
  "MCP inspector, command line": { "": inspectorCli },
  "AI SDK": { "": aiSdk },
  "LangChain adapters": { "": langChain },
  "Cloudflare agents": { "": agents },
  "use-mcp": { "": useMcpOnSite }
}

const isMissing = ({ name }: Client) =>
  name === "use-mcp" && process.env["REQUIRE_CHROMIUM"] !== "1" && !existsSync(executablePath)

describe("clients from npm", () => {
  for (const client of clients) {
    for (const [mode, connect] of Object.entries(drivers[client.name]!)) {
      it.live.skipIf(isMissing(client))(
        `${client.name} ${versionOf(client)}${mode} signs in, calls a tool, and does what docs/clients.md states`,
        () =>
          Effect.gen(function*() {
            assert.deepStrictEqual(yield* observe(connect, { folder, origin: site.origin }), client.behavior)
          })
      )
    }
  }
})
