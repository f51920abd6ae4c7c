/**
 * Lists the rules for an authorization server.
 *
 * @since 0.1.0
 */
import type { Rule } from "../report/Rule.ts"
import * as AccessTokenRules from "./AccessTokenRules.ts"
import * as BrowserRules from "./BrowserRules.ts"
import * as ClientRules from "./ClientRules.ts"
import * as DiscoveryRules from "./DiscoveryRules.ts"

/**
 * Lists all rules, in the order of a report.
 *
 * @category rules
 * @since 0.1.0
 */
export const all: ReadonlyArray<Rule> = [
  DiscoveryRules.issuerUrl,
  DiscoveryRules.issuerSpelling,
  DiscoveryRules.metadata,
  DiscoveryRules.rfc8414,
  DiscoveryRules.openid,
  DiscoveryRules.wellKnown,
  DiscoveryRules.wellKnownTidy,
  DiscoveryRules.metadataDirect,
  DiscoveryRules.issuerIdentical,
  DiscoveryRules.documentsAgree,
  DiscoveryRules.endpointsHttps,
  ClientRules.codeFlow,
  ClientRules.pkce,
  ClientRules.pkcePlain,
  ClientRules.publicClients,
  ClientRules.unknownClients,
  ClientRules.cimd,
  ClientRules.registration,
  ClientRules.issParameter,
  AccessTokenRules.verifiable,
  AccessTokenRules.keySet,
  AccessTokenRules.keySetPublic,
  AccessTokenRules.keySetTidy,
  AccessTokenRules.introspection,
  AccessTokenRules.resourceIndicators,
  AccessTokenRules.audience,
  AccessTokenRules.scopes,
  AccessTokenRules.refresh,
  AccessTokenRules.dpop,
  BrowserRules.corsMetadata,
  BrowserRules.corsToken,
  BrowserRules.corsRegistration
]
