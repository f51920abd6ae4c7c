import { getTools } from "../probe/McpProbe.ts"
import type { Exchange } from "../probe/Probe.ts"
import { isObject, member, parseJson, shown } from "../report/Json.ts"
import { fail, inconclusive, pass, type RuleResult, skip } from "../report/Rule.ts"
import { parseAsStandard } from "./ClientChallenge.ts"
import * as Rules from "./DoctorRules.ts"
import {
  describe,
  type ForeignObservation,
  getAccess,
  getStatus,
  isAccepted,
  type Observations,
  type TokenObservations
} from "./Observations.ts"
import type { TokenAudience } from "./TokenAudience.ts"

/**
 * Checks that the server rejects tokens for other servers. Passes only if such a token was sent, and if its audience is the
 * only visible reason for its rejection.
 */
export const checkAudience = ({ foreign, url, withToken }: Observations): RuleResult => {
  const rule = Rules.rejectsForeignToken
  const sent: ReadonlyArray<ForeignObservation> = [
    ...foreign,
    ...(withToken === undefined || isOwnOrUnknown(withToken.audience)
      ? []
      : [{ audience: withToken.audience, exchange: withToken.first }])
  ]
  const results = sent.map((observation) => checkForeign(url, observation))
  const failed = results.find(({ verdict }) => verdict === "fail")
  const passed = results.find(({ verdict }) => verdict === "pass")
  return failed ?? passed ?? results[0] ?? inconclusive(
    rule,
    withToken === undefined
      ? "no token was sent. Run doctor with a valid token for another server"
      : withToken.audience.kind === "own"
      ? "the token is for this server. Run doctor with a valid token for another server as well"
      : withToken.audience.kind === "named"
      ? `aud of the token, ${
        shown(withToken.audience.audiences.join(", "))
      }, can be a name of this server: only URLs can be compared with ` +
        "it. Run doctor with a valid token for another server (--foreign-token)"
      : "the token is opaque or encrypted, so its audience is unknown. Run doctor with a valid token for another server"
  )
}

/** Tells whether a token can be for this server. A token without an audience is for no server. */
const isOwnOrUnknown = ({ kind }: TokenAudience): boolean => kind === "own" || kind === "named" || kind === "unreadable"

const checkForeign = (url: string, { audience, exchange }: ForeignObservation): RuleResult => {
  const rule = Rules.rejectsForeignToken
  const { audiences, flaw, kind } = audience
  const token = kind === "foreign" || kind === "named"
    ? `the token with the audience ${shown(audiences.join(", "))}`
    : kind === "none"
    ? "the token without an audience"
    : "the token for another server"
  const status = getStatus(exchange)
  if (isAccepted(exchange)) {
    return kind === "none"
      ? inconclusive(
        rule,
        `the server accepts ${token}. It must verify by other means that the token was issued for it, such as the client`
      )
      : fail(rule, `the server accepts ${token}, which is not for ${shown(url)}`)
  }
  if (status === 403) {
    return fail(
      rule,
      `the server returns 403 for ${token}, so it verified the token and found that only a permission is missing`
    )
  }
  if (status !== 401) return inconclusive(rule, `for ${token} the server ${describe(exchange)}`)
  return flaw === undefined
    ? pass(rule, `the server returns 401 for ${token}`)
    : inconclusive(rule, `the server returns 401 for ${token}, but rejects it in any case, because ${flaw}`)
}

/** Checks what a token grants. */
export const checkWithToken = ({ withToken }: Observations): ReadonlyArray<RuleResult> => {
  if (withToken === undefined) return []
  const { first, sessionOnly } = withToken
  const accepts = checkAccepts(withToken)
  if (!isAccepted(first) && getStatus(first) !== 403) return [accepts]
  return [
    accepts,
    checkStepUp(withToken),
    sessionOnly === undefined
      ? skip(Rules.session, "the server has no sessions")
      : sessionOnly._tag === "NoResponse"
      ? inconclusive(Rules.session, sessionOnly.detail)
      : isAccepted(sessionOnly)
      ? fail(Rules.session, `with the session id and without a token the server ${describe(sessionOnly)}`)
      : pass(Rules.session, describe(sessionOnly))
  ]
}

const checkAccepts = ({ audience, first, list }: TokenObservations): RuleResult => {
  const rule = Rules.accepts
  if (isAccepted(first)) return pass(rule, `the server lists ${getTools(list).length} tools`)
  if (audience.kind === "foreign") return skip(rule, "the token is for another server")
  if (getStatus(first) === 403) return pass(rule, "the server returns 403, so it accepts the token and requires more")
  return audience.flaw === undefined
    ? fail(rule, `with the token the server ${describe(first)}`)
    : skip(rule, `the token cannot be used: ${audience.flaw}`)
}

const getChallenge = (exchange: Exchange) =>
  exchange._tag === "Response" ? parseAsStandard(exchange.headers["www-authenticate"] ?? "") : undefined

const checkStepUp = ({ operations }: TokenObservations): RuleResult => {
  const rule = Rules.stepUp
  const denied = operations.filter(({ exchange }) => getStatus(exchange) === 403)
  const vague = denied.filter(({ exchange }) => {
    const challenge = getChallenge(exchange)
    return challenge?.error !== "insufficient_scope" || challenge.scope === undefined ||
      challenge.resourceMetadata === undefined
  })
  return denied.length === 0
    ? skip(rule, "the token grants every list, and no tool is called")
    : vague.length > 0
    ? fail(rule, `403 without error, scope or resource_metadata for ${vague.map(({ name }) => name).join(", ")}`)
    : pass(
      rule,
      denied.map(({ exchange, name }) => `${name} requires ${shown(getChallenge(exchange)?.scope, 80)}`).join("; ")
    )
}

/** Checks that no batch reaches operations that the server rejects outside of a batch. */
export const checkBatches = (observations: Observations): RuleResult => {
  const rule = Rules.batch
  const { probes, withToken } = observations
  const isProtected = getAccess(observations) === "protected"
  if (isProtected && isAccepted(probes.batch)) {
    return fail(rule, `a batch without a token: the server ${describe(probes.batch)}`)
  }
  if (withToken?.batch !== undefined) return checkBatch(withToken.batch)
  return !isProtected
    ? skip(rule, "no operation was rejected")
    : probes.batch._tag === "NoResponse"
    ? inconclusive(rule, probes.batch.detail)
    : pass(rule, `without a token: the server ${describe(probes.batch)}`)
}

const checkBatch = (batch: Exchange): RuleResult => {
  if (batch._tag === "NoResponse") return inconclusive(Rules.batch, batch.detail)
  if (batch.status >= 300) return pass(Rules.batch, describe(batch))
  const replies = parseJson(batch.body)
  const second = Array.isArray(replies) ? replies.find((_) => isObject(_) && _["id"] === 2) : undefined
  const error = isObject(second) ? member(second, "error") : undefined
  // An error about arguments means that the call reached the server, which does not know the tool.
  return isObject(error) && error["code"] !== -32602
    ? pass(Rules.batch, "the operation is rejected within the batch")
    : fail(Rules.batch, "an operation that is rejected alone is accepted in a batch")
}
