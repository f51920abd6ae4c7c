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
import { observe, observeAtProxy } from "./observe.ts"

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

/** The upstreams of the OAuth proxy. `test/proxy/signIn.test.ts` lets the official clients sign in at each of them. */
const forms = ["github", "google", "entra"] as const

describe("clients from npm", () => {
  for (const client of clients) {
    for (const [mode, connect] of Object.entries(drivers[client.name]!)) {
      const name = `${client.name} ${versionOf(client)}${mode}`
      it.live.skipIf(isMissing(client))(
        `${name} signs in, calls a tool, and does what docs/clients.md states`,
        () =>
          Effect.gen(function*() {
            assert.deepStrictEqual(yield* observe(connect, { folder, origin: site.origin }), client.behavior)
          })
      )

      for (const form of forms) {
        it.live.skipIf(isMissing(client))(
          `${name} signs in at the OAuth proxy with an upstream like ${form}, calls a tool, and refreshes`,
          () =>
            Effect.gen(function*() {
              const { signInScopes, stepUp } = client.behavior
              assert.deepStrictEqual(yield* observeAtProxy(connect, form, { folder, origin: site.origin }), {
                signInScopes,
                // The proxy does not list the scope, because each of its clients gets a refresh token.
                offlineAccess: false,
                refresh: true,
                stepUpAfterRefresh: stepUp === "yes"
              })
            })
        )
      }
    }
  }
})
