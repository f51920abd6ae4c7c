import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Facts } from "effect-mcp-auth/provider"
import { Upstream } from "effect-mcp-auth/proxy"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as ProviderList from "../../src/cli/format/providerList.ts"
import { getProxyUpstream } from "../../src/cli/format/proxyUpstream.ts"
import { markdown } from "./list.ts"

const getSupport = (id: string) => ProviderList.makeEntry(Facts.get(id)!).supports

it.live("PROVIDERS.md contains the current facts and results (npm run providers writes it)", () =>
  Effect.gen(function*() {
    const written = readFileSync(fileURLToPath(new URL("../../PROVIDERS.md", import.meta.url)), "utf8")
    assert.strictEqual(written, yield* markdown)
  }))

it.each([
  { id: "cognito", supports: "no", earlier: "with setup" },
  { id: "entra", supports: "no", earlier: "no" },
  { id: "okta", supports: "with setup", earlier: "with setup" },
  { id: "okta-org", supports: "no", earlier: "no" },
  { id: "vercel", supports: "unknown", earlier: "unknown" },
  { id: "keycloak", supports: "with setup", earlier: "with setup" },
  { id: "authkit", supports: "with setup", earlier: "with setup" },
  { id: "zitadel", supports: "with setup", earlier: "with setup" },
  { id: "gitlab", supports: "no", earlier: "no" },
  { id: "hydra", supports: "with setup", earlier: "with setup" },
  { id: "linear-mcp", supports: "own server only", earlier: "own server only" },
  { id: "pingone", supports: "unknown", earlier: "with setup" },
  { id: "clerk", supports: "unknown", earlier: "unknown" },
  { id: "openauth", supports: "no", earlier: "no" },
  { id: "workers-oauth-provider", supports: "with setup", earlier: "with setup" },
  { id: "supabase-platform", supports: "no", earlier: "no" }
])("$id supports 2026-07-28: $supports; 2025-06-18: $earlier", ({ earlier, id, supports }) => {
  assert.strictEqual(getSupport(id)["2026-07-28"], supports)
  assert.strictEqual(getSupport(id)["2025-06-18"], earlier)
})

it.each([
  ["github", "`Upstream.github`"],
  ["google", "`Upstream.google`"],
  ["entra", "`Upstream.entra`"],
  ["okta", "`Upstream.oidc`"],
  ["auth0", "`Upstream.oidc`"],
  ["cognito", "`Upstream.oidc`"],
  ["keycloak", "`Upstream.oidc`"],
  ["clerk", "unknown"],
  ["openauth", "no: no token_type in the token response"],
  ["workers-oauth-provider", "`Upstream.oauth2`"],
  ["notion-mcp", "no: own server only"]
])("the facts of %s name its upstream for the proxy: %s", (id, upstream) => {
  assert.strictEqual(getProxyUpstream(Facts.get(id)!), upstream)
})

it("a provider that is known to serve no OpenID document needs Upstream.oauth2", () => {
  const fact = { ...Facts.get("clerk")!, documents: [], absent: ["openid-configuration"] as const }
  assert.strictEqual(getProxyUpstream(fact), "`Upstream.oauth2`")
})

it("an OpenID document without a key set does not show that Upstream.oidc works", () => {
  const fact = Facts.get("okta")!
  const documents = fact.documents.map((document) => ({ ...document, jwksUri: false }))
  assert.strictEqual(getProxyUpstream({ ...fact, documents }), "unknown")
})

it("every named upstream is a function of Upstream", () => {
  const named = Facts.all.map(getProxyUpstream).filter((text) => text.startsWith("`"))
  assert.isAbove(named.length, 0)
  for (const text of named) {
    assert.isFunction(Upstream[text.slice("`Upstream.".length, -1) as keyof typeof Upstream], text)
  }
})
