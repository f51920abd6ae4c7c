import { type Exchange, origin, type Response } from "../probe/Probe.ts"
import { fail, inconclusive, pass, type Rule, type RuleResult, skip } from "../report/Rule.ts"
import * as Rules from "./DoctorRules.ts"
import { describe, getStatus, isSuccess, type Observations } from "./Observations.ts"

/** Checks the CORS headers with the requests of a browser. */
export const checkCors = ({ probes }: Observations): ReadonlyArray<RuleResult> => {
  const listed = (exchange: Response, name: string) =>
    (exchange.headers[name] ?? "").toLowerCase().split(",").map((_) => _.trim())
  const open = (exchange: Exchange): exchange is Response =>
    exchange._tag === "Response" &&
    ["*", origin].includes(exchange.headers["access-control-allow-origin"] ?? "")
  const { foreign, metadata, preflight } = probes
  const denied = (rule: Rule, exchange: Exchange): RuleResult =>
    exchange._tag === "NoResponse"
      ? inconclusive(rule, exchange.detail)
      : exchange.status === 403
      ? pass(rule, "the server rejects the origin with 403: which origins it allows is its choice")
      : fail(rule, `the server ${describe(exchange)} without Access-Control-Allow-Origin`)
  const missing = preflight._tag === "Response"
    ? probes.requestedHeaders.filter((name) => {
      const allowed = listed(preflight, "access-control-allow-headers")
      return !allowed.includes(name) && !(allowed.includes("*") && name !== "authorization")
    })
    : []
  return [
    getStatus(preflight) === 401
      ? fail(Rules.corsPreflight, "the server returns 401 for the preflight")
      : !open(preflight)
      ? denied(Rules.corsPreflight, preflight)
      : !isSuccess(preflight)
      ? fail(
        Rules.corsPreflight,
        `the server ${describe(preflight)} for the preflight, and browsers require a status from 200 to 299`
      )
      : missing.length > 0
      ? fail(Rules.corsPreflight, `the preflight does not allow ${missing.join(", ")}`)
      : pass(Rules.corsPreflight, describe(preflight)),
    !open(foreign)
      ? denied(Rules.corsChallenge, foreign)
      : listed(foreign, "access-control-expose-headers").some((_) => _ === "www-authenticate" || _ === "*")
      ? pass(Rules.corsChallenge, "WWW-Authenticate is exposed")
      : fail(Rules.corsChallenge, "Access-Control-Expose-Headers does not name WWW-Authenticate"),
    metadata === undefined
      ? skip(Rules.corsMetadata, "there are no metadata")
      : open(metadata)
      ? pass(Rules.corsMetadata, "all origins can read them")
      : denied(Rules.corsMetadata, metadata)
  ]
}
