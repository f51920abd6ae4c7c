import type { Fact } from "./Fact.ts"
import * as Facts from "./Facts.ts"

/** How issuers of a provider look. Who has a domain of its own there is not recognized, and told the general advice. */
const patterns: ReadonlyArray<readonly [id: string, issuer: RegExp]> = [
  ["auth0", /^https:\/\/[^/]+\.auth0\.com\/?$/],
  ["okta", /^https:\/\/[^/]+\.okta(?:preview|-emea)?\.com\/oauth2\//],
  ["okta-org", /^https:\/\/[^/]+\.okta(?:preview|-emea)?\.com\/?$/],
  ["entra", /^https:\/\/(?:login\.microsoftonline\.(?:com|us)|sts\.windows\.net)\//],
  ["google", /^https:\/\/accounts\.google\.com\/?$/],
  ["github", /^https:\/\/github\.com\/login\/oauth\/?$/],
  ["cognito", /^https:\/\/cognito-idp\.[a-z0-9-]+\.amazonaws\.com\//],
  ["logto", /^https:\/\/[^/]+\.logto\.app\/oidc\/?$/],
  ["authkit", /^https:\/\/(?:[^/]+\.authkit\.app|signin\.workos\.com)\/?$/],
  ["descope", /^https:\/\/api\.descope\.com\//],
  ["clerk", /^https:\/\/[^/]+\.clerk\.accounts\.dev\/?$/],
  ["supabase", /^https:\/\/[^/]+\.supabase\.co\/auth\/v1\/?$/],
  ["supabase-platform", /^https:\/\/api\.supabase\.com\/?$/],
  ["zitadel", /^https:\/\/[^/]+\.zitadel\.cloud\/?$/],
  ["pingone", /^https:\/\/auth\.pingone\.(?:com|eu|asia|ca)\//],
  ["gitlab", /^https:\/\/gitlab\.com\/?$/],
  ["salesforce", /^https:\/\/(?:login|api|test)\.salesforce\.com(?::443)?\/?$/],
  ["vercel", /^https:\/\/vercel\.com\/?$/],
  ["keycloak", /^https?:\/\/[^/]+(?:\/auth)?\/realms\/[^/]+\/?$/],
  ["authentik", /^https?:\/\/[^/]+\/application\/o\/[^/]+\/?$/],
  ["adfs", /^https?:\/\/[^/]+\/adfs\/?$/i],
  ["notion-mcp", /^https:\/\/mcp\.notion\.com\/?$/],
  ["linear-mcp", /^https:\/\/mcp\.linear\.app\/?$/],
  ["sentry-mcp", /^https:\/\/mcp\.sentry\.dev\/?$/],
  ["canva-mcp", /^https:\/\/mcp\.canva\.com\/?$/],
  ["asana-mcp", /^https:\/\/mcp\.asana\.com\/?$/],
  ["cloudflare-mcp", /^https:\/\/[^/]+\.mcp\.cloudflare\.com\/?$/],
  ["stripe-mcp", /^https:\/\/access\.stripe\.com\/mcp\/?$/]
]

/** The provider behind an issuer, as far as its spelling tells. */
export const identify = (issuer: string): Fact | undefined => {
  const found = patterns.find(([, pattern]) => pattern.test(issuer))
  return found === undefined ? undefined : Facts.of(found[0])
}
