import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Facts } from "effect-mcp-auth/provider"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as ProviderList from "../../src/cli/format/providerList.ts"
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
