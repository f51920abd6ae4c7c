import { getSetting } from "../facts/Settings.ts"
import { text } from "../report/Json.ts"
import type { RuleResult } from "../report/Rule.ts"
import { checkAccessTokens } from "./CheckAccessTokens.ts"
import { checkCors } from "./CheckBrowsers.ts"
import { checkClients } from "./CheckClients.ts"
import { checkEndpoints, checkIssuer, checkWellKnownUrls } from "./CheckDiscovery.ts"
import { all } from "./CheckRules.ts"
import { checkAgreement, checkIdentity } from "./CompareDocuments.ts"
import type { Observations } from "./Observations.ts"

/**
 * Checks the rules for an authorization server. Without a metadata document, checks only the issuer and the well-known URLs.
 * Returns the results in the order of a report.
 */
export const checkServer = (observations: Observations): ReadonlyArray<RuleResult> => {
  const { documents, provider } = observations
  const [used] = documents
  const results = [
    ...checkIssuer(observations.issuer ?? text(used?.metadata ?? {}, "issuer")),
    ...checkWellKnownUrls(observations),
    ...(used === undefined ? [] : [
      checkIdentity(observations),
      checkAgreement(documents),
      checkEndpoints(used),
      ...checkClients(used),
      ...checkAccessTokens(used, observations),
      ...checkCors(used, observations)
    ])
  ]
  const order = new Map(all.map((rule, index) => [rule.id, index]))
  return results
    .map((result) => ({ ...result, change: getSetting(provider, result.rule) ?? result.change }))
    .sort((a, b) => order.get(a.rule.id)! - order.get(b.rule.id)!)
}
