/** Tests that a policy which needs a role is reported where it is set up, if callers of the server cannot have roles. */
import { assert, describe, it } from "@effect/vitest"
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js"
import { McpServer as McpServerV2 } from "@modelcontextprotocol/server"
import { Cause, Effect, Exit, Layer, Logger, Schema } from "effect"
import { requirePolicy } from "effect-mcp-auth"
import { ApiKeys } from "effect-mcp-auth/api-keys"
import { McpAuth } from "effect-mcp-auth/mcp"
import { Policy } from "effect-mcp-auth/policy"
import { Profiles } from "effect-mcp-auth/provider"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { HttpClient, HttpRouter } from "effect/http"
import { authLayer, fetcherWith } from "./gates.ts"

const resource = "https://server.test/mcp"
const { client, issuer } = await Effect.runPromise(TestIssuer.make({ resource }))

const isAdmin = Policy.role("admin")
const needsRole: Readonly<Record<string, Policy.AnyPolicy>> = {
  "a role": isAdmin,
  "one of two roles": Policy.anyOf(Policy.role("editor"), isAdmin),
  "a role and a scope": Policy.allOf(Policy.scopes("todos:write"), isAdmin),
  "a role and a claim": Policy.allOf(Policy.claim("staff", (value) => value === true), isAdmin)
}
const needsNone: Readonly<Record<string, Policy.AnyPolicy | Policy.OpenPolicy<never>>> = {
  "a role or a scope": Policy.anyOf(isAdmin, Policy.scopes("todos:write")),
  "a role or a check": Policy.anyOf(isAdmin, Policy.check("owner", () => true)),
  "an optional role": Policy.optional(isAdmin),
  "a claim": Policy.claim("staff", (value) => value === true)
}

const options = {
  resource,
  authorizationServers: [issuer.issuer] as const,
  scopes: ["todos:write"] as const
}

/** Options with which callers can have roles. */
const sources = {
  "the option roles": { roles: [["roles"]] },
  "a profile with roles": {
    authorizationServers: [{
      issuer: issuer.issuer,
      profile: Profiles.keycloak({ url: "https://kc.test", realm: "a" })
    }]
  },
  "a verifier": { verifier: (configured: unknown) => configured },
  "API keys": {
    apiKeys: ApiKeys.make({ store: ApiKeys.memory([]), header: "x-api-key" })
  }
} as unknown as Readonly<Record<string, object>>

const message = /requires the role (admin|editor), and callers have no roles, because no claim for them is configured/

/** Builds a server of Effect with a tool, and returns the error of its setup. */
const errorOnEffect = async (policy: Policy.AnyPolicy | Policy.OpenPolicy<never>, more: object = {}) => {
  const Kit = Toolkit.make(requirePolicy(policy as typeof isAdmin)(Tool.make("purge", { success: Schema.Void })))
  const server = McpAuth.layerHttp({
    name: "tools",
    version: "1.0.0",
    path: "/mcp",
    protocols: [McpProtocol.v2026_07_28],
    registrations: McpAuth.toolkit(Kit).pipe(Layer.provide(Kit.toLayer({ purge: () => Effect.void } as never)))
  }).pipe(
    Layer.provide(authLayer({ ...options, ...more } as typeof options)),
    Layer.provide(Layer.succeed(HttpClient.HttpClient, client)),
    Layer.provide(HttpRouter.layer)
  ) as Layer.Layer<never, unknown>
  const exit = await Effect.runPromiseExit(Effect.scoped(Layer.build(server)))
  return Exit.isSuccess(exit) ? undefined : Cause.pretty(exit.cause)
}

/** Registers a tool on a server of an SDK, and returns the warnings. */
const warningsOnSdk = async (
  sdk: "v1" | "v2",
  policy: Policy.AnyPolicy | Policy.OpenPolicy<never>,
  more: object = {}
) => {
  const warnings: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    if (logLevel === "Warn") warnings.push(String(message))
  })
  const layer = Layer.merge(fetcherWith(client), Logger.layer([logger]))
  const make = (sdk === "v1" ? SdkV1.make : SdkV2.make) as (options: unknown) => ReturnType<typeof SdkV1.make>
  const auth = await make({ ...options, ...more, layer })
  const server = (sdk === "v1" ? McpServerV1 : McpServerV2) as typeof McpServerV1
  for (const name of ["purge", "purge"]) {
    auth.registerTool(
      new server({ name: "tools", version: "1.0.0" }),
      name,
      { policy: policy as typeof isAdmin },
      () => ({ content: [] })
    )
  }
  await auth.dispose()
  return warnings
}

describe("a policy that needs a role, on a server whose callers have none", () => {
  it.each(Object.entries(needsRole))("is an error of the setup on Effect: %s", async (_, policy) => {
    const error = await errorOnEffect(policy)
    assert.match(error ?? "", message)
    assert.include(error, "tool purge")
  })

  it.each(["v1", "v2"] as const)(
    "is logged once on SDK %s, because the callers of local have the roles that the author states",
    async (sdk) => {
      for (const policy of Object.values(needsRole)) {
        const warnings = await warningsOnSdk(sdk, policy)
        assert.strictEqual(warnings.length, 1)
        assert.match(warnings[0]!, message)
        assert.include(warnings[0], "tool purge")
      }
    }
  )

  it.each(Object.entries(needsNone))("is not an error if it admits callers without the role: %s", async (_, policy) => {
    assert.isUndefined(await errorOnEffect(policy))
    assert.deepStrictEqual(await warningsOnSdk("v2", policy), [])
  })
})

describe("a policy that needs a role, on a server whose callers can have roles", () => {
  it.each(Object.entries(sources))("is not an error: %s", async (_, more) => {
    assert.isUndefined(await errorOnEffect(isAdmin, more))
    assert.deepStrictEqual(await warningsOnSdk("v1", isAdmin, more), [])
  })
})
