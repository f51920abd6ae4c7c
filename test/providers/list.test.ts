import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { Facts } from "effect-mcp-auth/provider"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as ProviderList from "../../src/cli/format/ProviderList.ts"
import { markdown } from "./list.ts"

const fitOf = (id: string) => ProviderList.entryOf(Facts.of(id)!).fit

it.live("PROVIDERS.md is what facts and running servers say (npm run providers writes it)", () =>
  Effect.gen(function*() {
    const written = readFileSync(fileURLToPath(new URL("../../PROVIDERS.md", import.meta.url)), "utf8")
    assert.strictEqual(written, yield* markdown)
  }))

it.each([
  { id: "cognito", fit: "does not", before: "with a setting" },
  { id: "entra", fit: "does not", before: "does not" },
  { id: "okta", fit: "with a setting", before: "with a setting" },
  { id: "okta-org", fit: "does not", before: "does not" },
  { id: "vercel", fit: "not seen", before: "not seen" },
  { id: "keycloak", fit: "with a setting", before: "with a setting" },
  { id: "authkit", fit: "with a setting", before: "with a setting" },
  { id: "zitadel", fit: "with a setting", before: "with a setting" },
  { id: "gitlab", fit: "does not", before: "does not" },
  { id: "hydra", fit: "with a setting", before: "with a setting" },
  { id: "linear-mcp", fit: "for itself", before: "for itself" },
  { id: "pingone", fit: "not seen", before: "with a setting" },
  { id: "clerk", fit: "not seen", before: "not seen" }
])("$id: $fit today, $before in 2025-06-18", ({ before, fit, id }) => {
  assert.strictEqual(fitOf(id)["2026-07-28"], fit)
  assert.strictEqual(fitOf(id)["2025-06-18"], before)
})
