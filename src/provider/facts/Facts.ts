/**
 * Facts about identity providers: their tokens, their metadata and their support for MCP, with date and source.
 *
 * @since 0.1.0
 */
// The data files are TypeScript, not JSON: Rollup and unbundled workers cannot load JSON modules, and TypeScript reads the
// literals of a JSON file as `string`.
import { adfs } from "./data/adfs.ts"
import { asanaMcp } from "./data/asana-mcp.ts"
import { auth0 } from "./data/auth0.ts"
import { authentik } from "./data/authentik.ts"
import { authkit } from "./data/authkit.ts"
import { betterAuth } from "./data/better-auth.ts"
import { canvaMcp } from "./data/canva-mcp.ts"
import { casdoor } from "./data/casdoor.ts"
import { clerk } from "./data/clerk.ts"
import { cloudflareAccess } from "./data/cloudflare-access.ts"
import { cloudflareMcp } from "./data/cloudflare-mcp.ts"
import { cognito } from "./data/cognito.ts"
import { descope } from "./data/descope.ts"
import { dex } from "./data/dex.ts"
import { djangoOauthToolkit } from "./data/django-oauth-toolkit.ts"
import { doorkeeper } from "./data/doorkeeper.ts"
import { duende } from "./data/duende.ts"
import { entra } from "./data/entra.ts"
import { github } from "./data/github.ts"
import { gitlab } from "./data/gitlab.ts"
import { glewlwyd } from "./data/glewlwyd.ts"
import { googleIap } from "./data/google-iap.ts"
import { google } from "./data/google.ts"
import { hydra } from "./data/hydra.ts"
import { keycloak } from "./data/keycloak.ts"
import { kinde } from "./data/kinde.ts"
import { lemonldap } from "./data/lemonldap.ts"
import { linearMcp } from "./data/linear-mcp.ts"
import { logto } from "./data/logto.ts"
import { mcpSdkDemo } from "./data/mcp-sdk-demo.ts"
import { notionMcp } from "./data/notion-mcp.ts"
import { oauth2MockServer } from "./data/oauth2-mock-server.ts"
import { oidcProvider } from "./data/oidc-provider.ts"
import { oktaOrg } from "./data/okta-org.ts"
import { okta } from "./data/okta.ts"
import { openauth } from "./data/openauth.ts"
import { pingone } from "./data/pingone.ts"
import { salesforce } from "./data/salesforce.ts"
import { scalekit } from "./data/scalekit.ts"
import { sentryMcp } from "./data/sentry-mcp.ts"
import { springAuthorizationServer } from "./data/spring-authorization-server.ts"
import { stripeMcp } from "./data/stripe-mcp.ts"
import { stytch } from "./data/stytch.ts"
import { supabasePlatform } from "./data/supabase-platform.ts"
import { supabase } from "./data/supabase.ts"
import { vercel } from "./data/vercel.ts"
import { workersOauthProvider } from "./data/workers-oauth-provider.ts"
import { xsuaa } from "./data/xsuaa.ts"
import { zitadel } from "./data/zitadel.ts"
import type * as Schemas from "./Fact.ts"

/**
 * One provider.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fact extends Schemas.Fact {}

/**
 * The record of an observed metadata document: which members the document had, without most of their values.
 *
 * @category models
 * @since 0.1.0
 */
export interface ObservedDocument extends Schemas.ObservedDocument {}

/**
 * Whether a provider supports something.
 *
 * **Details**
 *
 * - `"yes"`: supported.
 * - `"setting"`: supported after it is enabled.
 * - `"guarded"`: supported for clients with a credential or a prior registration.
 * - `"experimental"`: supported if an experimental flag is set.
 * - `"no"`: not supported.
 * - `"unknown"`: not known.
 *
 * @category models
 * @since 0.1.0
 */
export type Support = Schemas.Support

/**
 * Lists all facts: services first, then servers and libraries that you run yourself, then MCP servers that are their own
 * authorization servers.
 *
 * @category facts
 * @since 0.1.0
 */
export const all: ReadonlyArray<Fact> = [
  // Services that you sign up for.
  auth0,
  okta,
  oktaOrg,
  entra,
  google,
  github,
  cognito,
  logto,
  authkit,
  stytch,
  descope,
  scalekit,
  clerk,
  supabase,
  zitadel,
  pingone,
  kinde,
  xsuaa,
  gitlab,
  salesforce,
  cloudflareAccess,
  googleIap,
  vercel,
  supabasePlatform,
  // Servers and libraries that you run yourself.
  adfs,
  keycloak,
  authentik,
  hydra,
  dex,
  casdoor,
  springAuthorizationServer,
  duende,
  oidcProvider,
  betterAuth,
  glewlwyd,
  oauth2MockServer,
  lemonldap,
  djangoOauthToolkit,
  doorkeeper,
  workersOauthProvider,
  mcpSdkDemo,
  openauth,
  // MCP servers that are their own authorization servers.
  notionMcp,
  linearMcp,
  sentryMcp,
  canvaMcp,
  asanaMcp,
  cloudflareMcp,
  stripeMcp
]

/**
 * Returns the facts about one provider, or `undefined` if the id is unknown.
 *
 * **Example** (Looking up a provider)
 *
 * ```ts
 * import { Facts } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * assert.strictEqual(Facts.get("okta")?.profile, "okta")
 * assert.strictEqual(Facts.get("unknown-provider"), undefined)
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const get = (id: string): Fact | undefined => all.find((fact) => fact.id === id)
