import { type Exchange, origin } from "../probe/Probe.ts"
import { shown, text } from "../report/Json.ts"
import { fail, inconclusive, pass, type Rule, type RuleResult, skip } from "../report/Rule.ts"
import * as BrowserRules from "./BrowserRules.ts"
import type { MetadataDocument, Observations } from "./Observations.ts"

const getPermission = (exchange: Exchange): "yes" | "no" | "no-response" => {
  if (exchange._tag === "NoResponse") return "no-response"
  const allowed = exchange.headers["access-control-allow-origin"]
  return allowed === "*" || allowed === origin ? "yes" : "no"
}

/** Checks whether browser clients can read the responses. */
export const checkCors = ({ metadata }: MetadataDocument, { cors }: Observations): ReadonlyArray<RuleResult> => {
  const missing = "Access-Control-Allow-Origin is missing for a foreign origin"
  const check = (rule: Rule, exchange: Exchange | undefined, no: (why: string) => RuleResult): RuleResult => {
    if (exchange === undefined) return skip(rule, "checked without a network")
    const allowed = getPermission(exchange)
    return allowed === "yes"
      ? pass(rule, `${shown(exchange.url)} allows other origins`)
      : allowed === "no"
      ? no(`${shown(exchange.url)}: ${missing}`)
      : inconclusive(rule, `${shown(exchange.url)} ${exchange._tag === "NoResponse" ? exchange.detail : ""}`)
  }
  return [
    check(BrowserRules.corsMetadata, cors.metadata, (why) => fail(BrowserRules.corsMetadata, why)),
    // A missing header is inconclusive here, because some servers allow origins per client and the request names no client.
    check(
      BrowserRules.corsToken,
      cors.token,
      (why) => inconclusive(BrowserRules.corsToken, `${why}; it can be a setting of each client`)
    ),
    text(metadata, "registration_endpoint") === undefined
      ? skip(BrowserRules.corsRegistration, "registration_endpoint is missing")
      : check(BrowserRules.corsRegistration, cors.registration, (why) => fail(BrowserRules.corsRegistration, why))
  ]
}
