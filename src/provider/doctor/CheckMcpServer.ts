import type { RuleResult } from "../report/Rule.ts"
import { checkCors } from "./CheckCors.ts"
import { checkMetadata, checkOfflineAccess, checkServers } from "./CheckMetadata.ts"
import { checkEndpoint, checkErrors, checkInvalidTokens, checkOpen, checkRejection } from "./CheckRejection.ts"
import { checkAudience, checkBatches, checkWithToken } from "./CheckWithToken.ts"
import { getAccess, isDocument, type Observations } from "./Observations.ts"

/** Checks every rule. If the server has no authorization, checks only that. */
export const checkMcpServer = (observations: Observations): ReadonlyArray<RuleResult> => {
  const hasMetadata = observations.documents.some(({ reading }) => isDocument(reading))
  return getAccess(observations) === "open" && !hasMetadata
    ? [...checkEndpoint(observations), checkOpen(observations)]
    : [
      ...checkEndpoint(observations),
      ...checkRejection(observations),
      ...checkMetadata(observations),
      checkOfflineAccess(observations),
      checkServers(observations),
      ...checkInvalidTokens(observations),
      checkAudience(observations),
      checkErrors(observations),
      ...checkCors(observations),
      checkBatches(observations),
      ...checkWithToken(observations)
    ]
}
