/**
 * All that is known of providers.
 *
 * @since 0.1.0
 */
import type { Fact } from "./Fact.ts"
import { mcpServers } from "./McpServers.ts"
import { servers } from "./Servers.ts"
import { services } from "./Services.ts"

/**
 * Services first, then what one runs oneself, then MCP servers that are their own authorization servers.
 *
 * @category facts
 * @since 0.1.0
 */
export const all: ReadonlyArray<Fact> = [...services, ...servers, ...mcpServers]

/**
 * What is known of one provider.
 *
 * **Example** (What is known of a provider)
 *
 * ```ts
 * import { Facts } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * assert.strictEqual(Facts.of("okta")?.profile, "okta")
 * assert.strictEqual(Facts.of("nobody"), undefined)
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const of = (id: string): Fact | undefined => all.find((fact) => fact.id === id)
