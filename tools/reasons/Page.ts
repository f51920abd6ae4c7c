/** Writes the page of the rejection reasons. */
import * as Result from "effect/Result"
import * as ProtectedResource from "../../src/authorization/ProtectedResource.ts"
import * as Rejection from "../../src/authorization/Rejection.ts"
import { advice, adviceWithoutError } from "../../src/authorization/RejectionAdvice.ts"
import { markdownTable } from "../../src/cli/format/markdownTable.ts"
import {
  AccessDenied,
  ApiKeyStoreUnavailable,
  AuthConfigError,
  AuthorizationServerUnavailable,
  InsufficientScope,
  InvalidApiKey,
  InvalidDpopProof,
  InvalidMetadata,
  InvalidToken,
  MalformedRequest,
  MissingCredentials,
  QuotaExceeded,
  QuotaStoreUnavailable,
  ReplayStoreUnavailable,
  RevocationStoreUnavailable,
  SessionStoreUnavailable
} from "../../src/protocol/AuthError.ts"
import { type Entry, reasons } from "./Reasons.ts"

type Section = keyof typeof reasons

/** The heading of each section, in the order in which a request reaches them, and what the reasons have in common. */
const sections: Readonly<Record<Section, readonly [heading: string, about: string]>> = {
  Rejection: ["Requests", "The gate decides about these requests without looking at the token."],
  MissingCredentials: ["Credentials", "The client has to sign in, or send its token in the expected form."],
  MalformedRequest: [
    "Format",
    "The header or the body cannot be parsed. The text of the response names the fault, because it reveals nothing about the token."
  ],
  InvalidToken: [
    "Token",
    "The client sees only `invalid_token` for each of these reasons. [The pages of the providers](../examples/providers/README.md) " +
    "list the typical causes at each provider."
  ],
  InvalidApiKey: [
    "API key",
    "The client sees only `invalid_token` for each of these reasons. If the request has an API key, the text of the response says so."
  ],
  ApiKeyStoreUnavailable: ["Store of API keys", "The server cannot tell whether the key is valid."],
  InvalidDpopProof: ["DPoP proof", "The client sees only `invalid_dpop_proof`, or `use_dpop_nonce` with a new nonce."],
  InsufficientScope: ["Scopes", "The caller is known, and the operation is not allowed."],
  AccessDenied: [
    "Policies",
    "The caller is known, and the operation is not allowed. The response has no challenge, and does not name the conditions."
  ],
  AuthorizationServerUnavailable: [
    "Authorization server",
    "The token may be valid, so the response has no challenge: signing in again would not help."
  ],
  InvalidMetadata: [
    "Documents of the authorization server",
    "A metadata document or a key set cannot be used. The log names its URL and the fault."
  ],
  ReplayStoreUnavailable: ["Store of used DPoP proofs", "The server cannot tell whether a proof was used before."],
  RevocationStoreUnavailable: ["Store of revocations", "The server cannot tell whether the token is revoked."],
  SessionStoreUnavailable: [
    "Store of sessions",
    "The server cannot tell whether the session belongs to the caller."
  ],
  QuotaExceeded: ["Quotas", "The caller has used up a quota, or holds too much."],
  QuotaStoreUnavailable: ["Limiter of quotas", "The server cannot tell whether the caller is within its quotas."],
  AuthConfigError: [
    "Configuration",
    "Most of these errors occur when the server starts, and no request is accepted. Those that are found at run time reject the " +
    "request. The message names the option and what to write."
  ]
}

const resource = Result.getOrThrow(ProtectedResource.make(
  {
    resource: "https://todos.example.com/mcp",
    scopes: { baseline: ["todos:read"], stepUp: [] },
    dpop: { mode: "optional", algorithms: ["ES256"] }
  },
  ["https://auth.example.com"]
))

const rejections = Rejection.make(resource, "auto")

const others: Readonly<Record<keyof typeof reasons.Rejection, Rejection.Rejection>> = {
  "foreign-host": Rejection.foreignHost,
  "origin": Rejection.foreignOrigin,
  "session": Rejection.unknownSession,
  "closing": Rejection.closing,
  "broken": Rejection.broken,
  "preflight": Rejection.preflight("https://app.example.com", undefined)
}

const errors = {
  MissingCredentials,
  MalformedRequest,
  InvalidToken,
  InvalidApiKey,
  ApiKeyStoreUnavailable,
  InvalidDpopProof,
  ReplayStoreUnavailable,
  RevocationStoreUnavailable,
  SessionStoreUnavailable,
  QuotaExceeded,
  QuotaStoreUnavailable,
  InsufficientScope,
  AccessDenied,
  AuthorizationServerUnavailable,
  InvalidMetadata,
  AuthConfigError
}

/** Returns the response for a reason, as the gate makes it. */
export const getRejection = (section: Section, reason: string): Rejection.Rejection => {
  if (section === "Rejection") return others[reason as keyof typeof others]
  const data = {
    reason,
    required: ["todos:write"],
    failed: ["role admin"],
    issuer: "https://auth.example.com",
    retryAfter: 1,
    quota: "requests",
    detail: "",
    option: "",
    fix: ""
  }
  const error = new errors[section](data as never)
  return rejections.forError(error, { principal: undefined, protocolVersion: undefined })
}

const isChallenged = ({ headers }: Rejection.Rejection): boolean => "www-authenticate" in headers

const adviceOn: Readonly<Record<Section, Readonly<Record<string, string>>>> = {
  ...advice,
  Rejection: { ...adviceWithoutError, preflight: "None" }
}

/** Returns what to change, as a sentence: the advice in the log line of the reason. */
export const getRemedy = (section: Section, reason: string): string => `${adviceOn[section][reason]!}.`

const table = (section: Section): string =>
  markdownTable(
    ["reason", "status", "meaning", "typical cause", "remedy"],
    Object.entries<Entry>(reasons[section]).map(([reason, { cause, meaning }]) => {
      const rejection = getRejection(section, reason)
      return [
        `\`${reason}\``,
        `${rejection.status}${isChallenged(rejection) ? " *" : ""}`,
        meaning,
        cause,
        getRemedy(section, reason)
      ]
    }),
    { padded: true }
  )

/** Returns the page. */
export const markdown = (): string =>
  [
    "# Rejection reasons",
    "<!-- Written by `npm run docs` from tools/reasons/Reasons.ts and src/authorization/RejectionAdvice.ts. -->",
    "Each rejected request has one reason. It is in the log, in the metrics and in the decision event. The response never contains the " +
    "reason of a rejected token, because it would help an attacker.",
    "```text\nrequest rejected with 401: audience\n```",
    "A status with * has a challenge (`WWW-Authenticate`), which makes the client sign in or request more scopes. The remedy is the `advice` " +
    "in the log line.",
    ...Object.entries(sections).flatMap(([section, [heading, about]]) => [
      `## ${heading}`,
      about,
      table(section as Section)
    ])
  ].join("\n\n") + "\n"
