/** The rows of the table of cases about API keys, and about access tokens in another header than `Authorization`. */
import {
  accepted,
  anonymous,
  bearer,
  call,
  callOf,
  type Case,
  challenged,
  initialize,
  inSession,
  invalidToken,
  lines,
  malformed,
  metadata,
  noCredentials,
  noSession,
  one,
  plain,
  preflight,
  preflightAnswer,
  ran,
  type Rejected,
  sentByClients,
  type Tokens
} from "./cases.ts"
import type { Settings } from "./Host.ts"
import * as Keys from "./keys.ts"

type Lines = ReadonlyArray<readonly [string, string]>

export const inHeader: Settings = { apiKeys: { header: "x-api-key" } }
const inAuthorization: Settings = { apiKeys: { scheme: "ApiKey" } }
export const key = (value: string): Lines => [["x-api-key", value]]
const scheme = (value: string): Lines => lines(`ApiKey ${value}`)

const description = "The API key is malformed, unknown, expired or revoked"
const invalidKey = challenged(401, `Bearer scope="todos:read", ${metadata}`, {
  error: "invalid_token",
  error_description: description
})
export const lacks = (scope: string) => {
  const { body, ...rest } = plain(403, {
    error: "insufficient_scope",
    error_description: "The API key lacks a scope that this operation needs"
  })
  return { ...rest, body: JSON.stringify({ ...JSON.parse(body), scope }) }
}
const unavailable = plain(
  503,
  { error: "temporarily_unavailable", error_description: "API keys cannot be checked at the moment; try again later" },
  { "retry-after": "1" }
)
const both = malformed("The request has an API key and an access token. Send one of them")
const oneKey = malformed("The header with the API key must appear once, with one key")

/** The same response with the scheme `ApiKey` at the end of its challenge. */
const andKeys = (rejected: Rejected): Rejected => ({
  ...rejected,
  headers: { ...rejected.headers, "www-authenticate": `${rejected.headers["www-authenticate"]}, ApiKey` }
})

const keys: ReadonlyArray<Case> = [
  one(
    "[T-APIKEY-01] an API key with the scope",
    () => call(key(Keys.reader), "list_todos"),
    ran("list_todos cron"),
    inHeader
  ),
  one(
    "[T-APIKEY-01] an API key for an operation without scopes",
    () => call(key(Keys.reader), "whoami"),
    ran("whoami cron"),
    inHeader
  ),
  one(
    "[T-APIKEY-02] an API key without the scope gets no challenge, because a sign-in cannot change the key",
    () => call(key(Keys.reader), "add_todo"),
    lacks("todos:read todos:write"),
    inHeader
  ),
  ...Object.entries({
    "a known identifier and a wrong secret": Keys.forged,
    "an unknown identifier": Keys.unknown,
    "an expired key": Keys.expired,
    "a text that is not a key": "secret",
    "a key whose end is missing": Keys.reader.slice(0, -1),
    "a key in upper case": Keys.reader.toUpperCase(),
    "a text of 8,000 characters": "a".repeat(8_000)
  }).map(([what, value]) =>
    one(
      `[T-APIKEY-03] rejects ${what} in the header of API keys`,
      () => call(key(value), "list_todos"),
      invalidKey,
      inHeader
    )
  ),
  one(
    "[T-APIKEY-04] an API key beside a token of the same request",
    ({ reader }) => call([...key(Keys.reader), ...bearer(reader)], "list_todos"),
    both,
    inHeader
  ),
  one(
    "[T-APIKEY-04] a wrong API key beside a good token",
    ({ reader }) => call([...key(Keys.forged), ...bearer(reader)], "list_todos"),
    both,
    inHeader
  ),
  one(
    "[T-APIKEY-04] an API key beside credentials of another scheme",
    () => call([...key(Keys.reader), ...lines("Basic YWxpY2U6c2VjcmV0")], "list_todos"),
    both,
    inHeader
  ),
  one(
    "[T-APIKEY-04] two lines with an API key",
    () => call([...key(Keys.reader), ...key(Keys.reader)], "list_todos"),
    oneKey,
    inHeader
  ),
  one(
    "[T-APIKEY-04] two API keys on one line",
    () => call(key(`${Keys.reader}, ${Keys.writer}`), "list_todos"),
    oneKey,
    inHeader
  ),
  one("an empty header of API keys", () => call(key(""), "list_todos"), noCredentials, inHeader),
  one("no credentials where API keys are accepted", () => call([], "list_todos"), noCredentials, inHeader),
  one(
    "a token where API keys are accepted",
    ({ reader }) => call(bearer(reader), "list_todos"),
    ran("list_todos alice"),
    inHeader
  ),
  one(
    "[T-APIKEY-03] an API key as a Bearer token",
    () => call(bearer(Keys.reader), "list_todos"),
    invalidToken,
    inHeader
  ),
  one(
    "[T-APIKEY-03] an API key with a scheme that is not configured",
    () => call(scheme(Keys.reader), "list_todos"),
    noCredentials,
    inHeader
  ),
  one(
    "[T-APIKEY-03] an API key in the query string",
    () => ({ ...call([], "list_todos"), path: `/mcp?x-api-key=${Keys.reader}` }),
    noCredentials,
    inHeader
  ),
  one("[T-APIKEY-03] an API key where none are accepted", () => call(key(Keys.reader), "list_todos"), noCredentials),
  one(
    "[T-APIKEY-13] a key of a tenant where there are no tenants",
    () => call(key(Keys.ofAcme), "list_todos"),
    invalidKey,
    inHeader
  ),
  one(
    "[T-APIKEY-05] a store of API keys that fails",
    () => call(key(Keys.failing), "list_todos"),
    unavailable,
    inHeader
  ),
  one(
    "a preflight allows the header of API keys",
    () => preflight(),
    preflightAnswer(`${sentByClients}, x-api-key`),
    inHeader
  ),
  {
    title: "[T-APIKEY-06] a session belongs to the API key that opened it",
    settings: inHeader,
    steps: ({ reader }: Tokens) => [
      { sent: initialize(key(Keys.reader)), expected: accepted },
      { sent: inSession(key(Keys.writer), callOf("list_todos")), expected: noSession },
      { sent: inSession(bearer(reader), callOf("list_todos")), expected: noSession },
      { sent: inSession([], callOf("list_todos")), expected: noCredentials },
      { sent: inSession(key(Keys.reader), callOf("list_todos")), expected: ran("list_todos cron") }
    ]
  },

  one(
    "an API key in Authorization",
    () => call(scheme(Keys.reader), "list_todos"),
    ran("list_todos cron"),
    inAuthorization
  ),
  one(
    "the scheme of API keys ignores case",
    () => call(lines(`apikey ${Keys.reader}`), "list_todos"),
    ran("list_todos cron"),
    inAuthorization
  ),
  one(
    "a token where API keys are accepted in Authorization",
    ({ reader }) => call(bearer(reader), "list_todos"),
    ran("list_todos alice"),
    inAuthorization
  ),
  one(
    "the challenge names Bearer before ApiKey",
    () => call([], "list_todos"),
    andKeys(noCredentials),
    inAuthorization
  ),
  one(
    "[T-APIKEY-03] a wrong API key in Authorization",
    () => call(scheme(Keys.forged), "list_todos"),
    andKeys(invalidKey),
    inAuthorization
  ),
  one(
    "[T-APIKEY-02] an API key in Authorization without the scope",
    () => call(scheme(Keys.reader), "add_todo"),
    lacks("todos:read todos:write"),
    inAuthorization
  ),
  one(
    "[T-APIKEY-04] an API key and a token in Authorization",
    ({ reader }) => call([...scheme(Keys.reader), ...bearer(reader)], "list_todos"),
    andKeys(malformed(
      "The Authorization header must appear once, with a scheme, one space and one token (RFC 6750 section 2.1)"
    )),
    inAuthorization
  ),
  one(
    "[T-APIKEY-03] a token with the scheme of API keys",
    ({ reader }) => call(scheme(reader), "list_todos"),
    andKeys(invalidKey),
    inAuthorization
  ),

  one(
    "[T-APIKEY-07] a wrong API key does not become an anonymous caller",
    () => call(key(Keys.forged), "whoami"),
    invalidKey,
    { ...anonymous, ...inHeader }
  ),
  one(
    "[T-APIKEY-07] a wrong API key in Authorization does not become an anonymous caller",
    () => call(scheme(Keys.forged), "whoami"),
    andKeys(invalidKey),
    { ...anonymous, ...inAuthorization }
  )
]

const behindProxy: Settings = { tokenHeader: { name: "X-Forwarded-Access-Token", setBy: "oauth2-proxy" } }
const forwarded = (value: string): Lines => [["x-forwarded-access-token", value]]
const oneToken = malformed("The header with the access token must appear once, with one token")

const tokenHeaders: ReadonlyArray<Case> = [
  one(
    "a token in another header",
    ({ reader }) => call(forwarded(reader), "list_todos"),
    ran("list_todos alice"),
    behindProxy
  ),
  one(
    "[T-APIKEY-08] a token in Authorization is ignored if tokens are in another header",
    ({ reader }) => call(bearer(reader), "list_todos"),
    noCredentials,
    behindProxy
  ),
  one(
    "[T-APIKEY-08] of a token in another header and one in Authorization, the first counts",
    ({ bob, reader }) => call([...bearer(bob), ...forwarded(reader)], "list_todos"),
    ran("list_todos alice"),
    behindProxy
  ),
  one(
    "[T-APIKEY-08] a bad token in another header beside a good one in Authorization",
    ({ expired, reader }) => call([...bearer(reader), ...forwarded(expired)], "list_todos"),
    invalidToken,
    behindProxy
  ),
  one(
    "[T-APIKEY-09] a token for another resource in another header",
    ({ foreign }) => call(forwarded(foreign), "list_todos"),
    invalidToken,
    behindProxy
  ),
  one(
    "[T-APIKEY-09] two lines with a token in another header",
    ({ reader }) => call([...forwarded(reader), ...forwarded(reader)], "list_todos"),
    oneToken,
    behindProxy
  ),
  one(
    "[T-APIKEY-09] a token with a scheme in another header",
    ({ reader }) => call(forwarded(`Bearer ${reader}`), "list_todos"),
    oneToken,
    behindProxy
  ),
  one("[T-APIKEY-09] an empty header for tokens", () => call(forwarded(""), "list_todos"), noCredentials, behindProxy),
  one(
    "[T-APIKEY-09] a bad token in another header does not become an anonymous caller",
    () => call(forwarded("garbage"), "whoami"),
    invalidToken,
    { ...anonymous, ...behindProxy }
  ),
  {
    title: "[T-APIKEY-09] a session belongs to the caller whose token is in another header",
    settings: behindProxy,
    steps: ({ bob, reader }: Tokens) => [
      { sent: initialize(forwarded(reader)), expected: accepted },
      { sent: inSession(forwarded(bob), callOf("list_todos")), expected: noSession },
      { sent: inSession(forwarded(reader), callOf("list_todos")), expected: ran("list_todos alice") }
    ]
  },
  one(
    "[T-APIKEY-04] an API key beside a token in another header",
    ({ reader }) => call([...key(Keys.reader), ...forwarded(reader)], "list_todos"),
    both,
    { ...inHeader, ...behindProxy }
  ),
  one(
    "an API key beside an ignored Authorization",
    ({ reader }) => call([...key(Keys.reader), ...bearer(reader)], "list_todos"),
    ran("list_todos cron"),
    { ...inHeader, ...behindProxy }
  )
]

export const keyCases: ReadonlyArray<Case> = [...keys, ...tokenHeaders]
