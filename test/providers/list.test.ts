import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Facts } from "effect-mcp-auth/provider"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as ProviderList from "../../src/cli/format/providerList.ts"
import { markdown } from "./list.ts"

const getSupport = (id: string) => ProviderList.makeEntry(Facts.get(id)!).supports

it.live("PROVIDERS.md is what facts and running servers say (npm run providers writes it)", () =>
  Effect.gen(function*() {
    const written = readFileSync(fileURLToPath(new URL("../../PROVIDERS.md", import.meta.url)), "utf8")
    assert.strictEqual(written, yield* markdown)
  }))

it.each([
  { id: "cognito", supports: "no", before: "with setup" },
  { id: "entra", supports: "no", before: "no" },
  { id: "okta", supports: "with setup", before: "with setup" },
  { id: "okta-org", supports: "no", before: "no" },
  { id: "vercel", supports: "unknown", before: "unknown" },
  { id: "keycloak", supports: "with setup", before: "with setup" },
  { id: "authkit", supports: "with setup", before: "with setup" },
  { id: "zitadel", supports: "with setup", before: "with setup" },
  { id: "gitlab", supports: "no", before: "no" },
  { id: "hydra", supports: "with setup", before: "with setup" },
  { id: "linear-mcp", supports: "own server only", before: "own server only" },
  { id: "pingone", supports: "unknown", before: "with setup" },
  { id: "clerk", supports: "unknown", before: "unknown" }
])("$id: $supports today, $before in 2025-06-18", ({ before, id, supports }) => {
  assert.strictEqual(getSupport(id)["2026-07-28"], supports)
  assert.strictEqual(getSupport(id)["2025-06-18"], before)
})
