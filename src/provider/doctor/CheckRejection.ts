import { getReply, getTools } from "../probe/McpProbe.ts"
import type { Exchange } from "../probe/Probe.ts"
import { shown } from "../report/Json.ts"
import { fail, inconclusive, pass, type RuleResult, skip } from "../report/Rule.ts"
import { describeDifferences, parseAsOfficialClients, parseAsStandard } from "./ClientChallenge.ts"
import * as Rules from "./DoctorRules.ts"
import {
  describe,
  findNoResponse,
  getAccess,
  getStatus,
  isAccepted,
  isSuccess,
  type Observations
} from "./Observations.ts"

/** Describes the endpoint, and the redirects that lead to it. */
export const checkEndpoint = (
  { openList, redirects, revision, url, withoutToken }: Observations
): ReadonlyArray<RuleResult> => {
  const [first] = redirects
  return [
    pass(
      Rules.endpoint,
      withoutToken.status === 401
        ? "the server requires authorization"
        : openList !== undefined
        ? `the server responds in MCP ${revision}`
        : `the server returns ${withoutToken.status}${describeError(withoutToken)}`
    ),
    first === undefined
      ? pass(Rules.endpointDirect, "no redirect")
      : fail(
        Rules.endpointDirect,
        `the server redirects to ${shown(url, 200)} with ${first.status}. Both official clients follow, and other ` +
          "clients may fail or drop the token",
        `Give clients ${shown(url, 200)}, or serve the endpoint without a redirect`
      )
  ]
}

/** Describes a server without any authorization. */
export const checkOpen = ({ openList, revision }: Observations): RuleResult =>
  fail(
    Rules.rejects,
    `the server is open to everyone: it speaks MCP ${revision} without a token, accepts an invalid token${
      openList === undefined ? "" : `, and lists ${count(getTools(openList).length, "tool")}`
    }`
  )

const count = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`

/** Checks how the server rejects a request without a token. */
export const checkRejection = (observations: Observations): ReadonlyArray<RuleResult> => {
  const access = getAccess(observations)
  const { probes, withoutToken } = observations
  if (access === "open") return [checkOpen(observations), skip(Rules.everyMethod, "no request needs a token")]
  if (access === "partly-public") {
    return [
      checkPublic(observations),
      skip(Rules.everyMethod, "the server serves requests without a token"),
      ...checkChallenge(probes.invalid, false)
    ]
  }
  const open = ([["GET", probes.get], ["DELETE", probes.delete]] as const).filter(([, exchange]) => isSuccess(exchange))
  const silent = findNoResponse(probes.get, probes.delete)
  return [
    withoutToken.status === 401
      ? pass(Rules.rejects, "the server returns 401")
      : fail(Rules.rejects, `the server returns ${withoutToken.status}${describeError(withoutToken)}`),
    open.length === 0 && silent !== undefined
      ? inconclusive(Rules.everyMethod, silent.detail)
      : open.length === 0
      ? pass(Rules.everyMethod, `GET ${describe(probes.get)}, DELETE ${describe(probes.delete)}`)
      : fail(
        Rules.everyMethod,
        open.map(([name, exchange]) => `${name} ${describe(exchange)}`).join(", ")
      ),
    ...(withoutToken.status === 401 ? checkChallenge(withoutToken, true) : [])
  ]
}

/**
 * Checks a server that serves requests without a token, and rejects invalid tokens. The responses do not show whether its
 * other operations require a token, unless a token makes more tools visible.
 */
const checkPublic = ({ openList, withToken }: Observations): RuleResult => {
  const listed = openList === undefined ? [] : getTools(openList)
  const more = withToken === undefined ? [] : getTools(withToken.list).filter((name) => !listed.includes(name))
  const why = `the server lists ${count(listed.length, "tool")} without a token, and rejects an invalid token`
  return more.length > 0
    ? pass(Rules.rejects, `${why}. With the token it lists ${more.length} more, so the others are public by intention`)
    : inconclusive(
      Rules.rejects,
      `${why}. Public operations are allowed. No tool was called, so check that each tool with a scope requires a token`
    )
}

const describeError = (exchange: Exchange): string => {
  const error = getReply(exchange)?.error
  return error === undefined ? "" : ` with the error ${shown(error.code, 20)} (${shown(error.message, 120)})`
}

/** The header of Amazon API Gateway for a `WWW-Authenticate` header of its backend. */
const remapped = "x-amzn-remapped-www-authenticate"

/** Checks a challenge. A request with a token can have a challenge with an error. */
const checkChallenge = (exchange: Exchange, isWithoutToken: boolean): ReadonlyArray<RuleResult> => {
  const headers = exchange._tag === "Response" ? exchange.headers : {}
  const header = headers["www-authenticate"]
  if (header === undefined) {
    return [
      headers[remapped] === undefined
        ? fail(Rules.challenge, "WWW-Authenticate is missing")
        : fail(
          Rules.challenge,
          `Amazon API Gateway renamed WWW-Authenticate to ${remapped}, which no client reads: ${
            shown(headers[remapped], 200)
          }`,
          "Use an HTTP API instead of a REST API, or restore the header in a layer in front of the gateway, such as a " +
            "CloudFront function"
        )
    ]
  }
  const parsed = parseAsStandard(header) ?? parseAsOfficialClients(header)
  if (parsed === undefined) return [fail(Rules.challenge, `WWW-Authenticate is ${shown(header, 200)}`)]
  const unlike = describeDifferences(header)
  return [
    pass(Rules.challenge, shown(header, 300)),
    unlike.length === 0
      ? pass(Rules.challengeReadable, "they read it as RFC 9110 does")
      : fail(Rules.challengeReadable, unlike.join("; ")),
    !isWithoutToken
      ? skip(Rules.challengeNoError, "the server challenges only invalid tokens")
      : parsed.error === undefined
      ? pass(Rules.challengeNoError, "the challenge names no error")
      : fail(Rules.challengeNoError, `error is ${shown(parsed.error, 60)}, though the request had no token`),
    parsed.scope === undefined
      ? fail(Rules.challengeScope, "scope is missing")
      : pass(Rules.challengeScope, shown(parsed.scope)),
    parsed.resourceMetadata === undefined
      ? fail(Rules.challengeMetadata, "resource_metadata is missing")
      : pass(Rules.challengeMetadata, shown(parsed.resourceMetadata))
  ]
}

/** Checks how the server rejects invalid and forged tokens, and malformed credentials. */
export const checkInvalidTokens = ({ probes }: Observations): ReadonlyArray<RuleResult> => {
  const { empty, forged, invalid } = probes
  const header = invalid._tag === "Response" ? invalid.headers["www-authenticate"] : undefined
  const error = header === undefined ? undefined : parseAsStandard(header)?.error
  const accepted = forged.filter(({ exchange }) => isAccepted(exchange))
  const broken = forged.filter(({ exchange }) => exchange._tag === "Response" && exchange.status !== 401)
  const silent = findNoResponse(...forged.map(({ exchange }) => exchange))
  return [
    invalid._tag === "NoResponse"
      ? inconclusive(Rules.rejectsGarbage, invalid.detail)
      : invalid.status !== 401
      ? fail(Rules.rejectsGarbage, `the server ${describe(invalid)}`)
      : pass(Rules.rejectsGarbage, "401"),
    getStatus(invalid) !== 401
      ? skip(Rules.namesInvalidToken, "the server does not return 401")
      : error === "invalid_token"
      ? pass(Rules.namesInvalidToken, "error is invalid_token")
      : fail(
        Rules.namesInvalidToken,
        error === undefined ? "the challenge names no error" : `error is ${shown(error, 40)}`
      ),
    accepted.length > 0
      ? fail(Rules.rejectsForgery, `accepted: ${accepted.map(({ name }) => name).join(", ")}`)
      : broken.length > 0
      ? fail(
        Rules.rejectsForgery,
        broken.map(({ exchange, name }) => `${name} ${describe(exchange)}, not 401`).join("; "),
        "Return 401 invalid_token for every invalid token"
      )
      : silent !== undefined
      ? inconclusive(Rules.rejectsForgery, silent.detail)
      : pass(Rules.rejectsForgery, forged.map(({ name }) => name).join(", ")),
    empty._tag === "NoResponse"
      ? inconclusive(Rules.malformed, empty.detail)
      : empty.status === 400
      ? pass(Rules.malformed, "400")
      : fail(Rules.malformed, `for Bearer without a token the server ${describe(empty)}`)
  ]
}

/** Checks that errors reveal no internals and no token. */
export const checkErrors = ({ invalidToken, probes, withToken, withoutToken }: Observations): RuleResult => {
  const all: ReadonlyArray<readonly [string, Exchange]> = [
    ["without a token", withoutToken],
    ["with an invalid token", probes.invalid],
    ["with Bearer alone", probes.empty],
    ...probes.forged.map(({ exchange, name }) => [`with ${name}`, exchange] as const)
  ]
  const faults = all.flatMap(([when, exchange]) => {
    if (exchange._tag === "NoResponse") return []
    const everything = `${exchange.body} ${Object.values(exchange.headers).join(" ")}`
    return [
      ...(exchange.status >= 500 ? [`${when} the server ${describe(exchange)}`] : []),
      ...(/\n[ \t]+at .+:\d+:\d+|node_modules[\\/]|Traceback \(most recent/.test(exchange.body)
        ? [`${when} the server shows a stack trace`]
        : []),
      ...(everything.includes(invalidToken) || (withToken !== undefined && everything.includes(withToken.secret))
        ? [`${when} the server repeats the token`]
        : [])
    ]
  })
  const silent = findNoResponse(...all.map(([, exchange]) => exchange))
  return faults.length > 0
    ? fail(Rules.hygiene, faults.join("; "))
    : silent !== undefined
    ? inconclusive(Rules.hygiene, silent.detail)
    : pass(Rules.hygiene, `${all.length} errors reveal nothing`)
}
