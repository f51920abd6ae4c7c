import * as Facts from "./Facts.ts"

/**
 * Patterns of issuers: hosted providers by domain, self-hosted products by path. A hosted issuer on a custom domain usually
 * matches none, so its report contains the general advice of each rule.
 */
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
  // The issuer in access tokens of AD FS has another path than the issuer in its metadata.
  ["adfs", /^https?:\/\/[^/]+\/adfs(?:\/services\/trust)?\/?$/i],
  ["notion-mcp", /^https:\/\/mcp\.notion\.com\/?$/],
  ["linear-mcp", /^https:\/\/mcp\.linear\.app\/?$/],
  ["sentry-mcp", /^https:\/\/mcp\.sentry\.dev\/?$/],
  ["canva-mcp", /^https:\/\/mcp\.canva\.com\/?$/],
  ["asana-mcp", /^https:\/\/mcp\.asana\.com\/?$/],
  ["cloudflare-mcp", /^https:\/\/[^/]+\.mcp\.cloudflare\.com\/?$/],
  ["stripe-mcp", /^https:\/\/access\.stripe\.com\/mcp\/?$/]
]

/** Identifies the provider of an issuer by its URL. */
export const identify = (issuer: string): Facts.Fact | undefined => {
  const found = patterns.find(([, pattern]) => pattern.test(issuer))
  return found === undefined ? undefined : Facts.get(found[0])
}
