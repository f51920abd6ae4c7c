/**
 * Creates the list of providers, PROVIDERS.md, from the results of `Check` for the recorded facts and for the servers that the
 * tests run.
 *
 * @since 0.1.0
 */
import * as Check from "../../provider/check/Check.ts"
import type { Fact, ObservedDocument } from "../../provider/facts/Facts.ts"
import type { Report } from "../../provider/report/Report.ts"
import { type Revision, revisions } from "../../provider/report/Rule.ts"
import { markdownTable } from "./markdownTable.ts"
import { getProxyUpstream } from "./proxyUpstream.ts"

/**
 * Tells whether a provider supports MCP. `with setup` requires configuration first. `own server only` means that the provider
 * protects its own MCP server and cannot protect another one. `unknown` means that no complete document was observed, or that
 * it is unknown how to set the audience.
 *
 * @category models
 * @since 0.1.0
 */
export type SupportsMcp = "yes" | "with setup" | "no" | "own server only" | "unknown"

/**
 * Describes one row of the list.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly fact: Fact
  readonly supports: Readonly<Record<Revision, SupportsMcp>>
  /** The date of the newest checked document, `run by the tests`, or `no document`. */
  readonly observed: string
  /**
   * Lists the ids of the MUST rules that fail in the newest revision of MCP. If no such rule fails, lists the settings that the
   * operator must configure instead. Rules that fail only because the observed URL is local do not count. If no client can sign
   * in, the list also contains the reason.
   */
  readonly needs: string
}

/**
 * Returns the documents for the check of a provider: those with the same issuer and the same year as the newest document. If a
 * URL was observed several times, returns only its newest document.
 *
 * @category getters
 * @since 0.1.0
 */
export const getDocuments = ({ documents }: Fact): ReadonlyArray<ObservedDocument> => {
  const [last] = [...documents].sort((a, b) => a.observed < b.observed ? 1 : a.observed > b.observed ? -1 : 0)
  if (last === undefined) return []
  return documents.filter((one) =>
    Check.getIssuer(one) === Check.getIssuer(last) && one.observed.slice(0, 4) === last.observed.slice(0, 4) &&
    !documents.some((other) => other.url === one.url && other.observed > one.observed)
  )
}

/**
 * Checks one provider. `live` contains the reports of a running server of the provider, one for each revision of MCP. If `live`
 * is set, the documents of the provider are not checked.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeEntry = (fact: Fact, live?: Readonly<Record<Revision, Report>>): Entry => {
  const documents = getDocuments(fact)
  const reports = live ?? (documents.length === 0 ? undefined : {
    "2026-07-28": Check.checkFact(fact, documents, { now: 0, revision: "2026-07-28" }),
    "2025-11-25": Check.checkFact(fact, documents, { now: 0, revision: "2025-11-25" }),
    "2025-06-18": Check.checkFact(fact, documents, { now: 0, revision: "2025-06-18" })
  })
  const needed = getSetup(fact)
  const supports = (revision: Revision): SupportsMcp => {
    const report = reports?.[revision]
    if (report === undefined || report.outcome === "inconclusive") return "unknown"
    const failures = getFailures(report)
    if (fact.kind === "mcp-server") {
      return failures.every((rule) => rule === "tokens-verifiable") ? "own server only" : "no"
    }
    if (fact.signInFault !== undefined || failures.some((rule) => !isSolvable(fact, rule))) return "no"
    if (fact.resourceAudience === "unknown") return "unknown"
    return failures.length === 0 && needed.length === 0 ? "yes" : "with setup"
  }
  const failed = reports === undefined ? [] : getFailures(reports[revisions[0]])
  const failures = [
    ...failed.filter((rule) => !isSolvable(fact, rule)),
    ...(fact.signInFault === undefined ? [] : [fact.signInFault])
  ]
  return {
    fact,
    supports: {
      "2026-07-28": supports("2026-07-28"),
      "2025-11-25": supports("2025-11-25"),
      "2025-06-18": supports("2025-06-18")
    },
    observed: live !== undefined
      ? "run by the tests"
      : documents.length === 0
      ? "no document"
      : documents.map(({ observed }) => observed).sort().at(-1)!,
    needs: failures.length > 0
      ? failures.join(", ")
      : [...(failed.some((rule) => isPublicUrl(fact, rule)) ? [publicUrl] : []), ...needed].join("; ")
  }
}

/**
 * Tells whether a rule can fail because the observed server has a local URL. The operator of a server configures its public
 * URL, so this is not a failure of the product.
 */
const isPublicUrl = (fact: Fact, rule: string): boolean =>
  fact.kind === "server" && ["issuer-url", "issuer-identical", "endpoints-https"].includes(rule)

/** Tells whether your configuration can make up for a rule that fails. */
const isSolvable = (fact: Fact, rule: string): boolean =>
  isPublicUrl(fact, rule) || (fact.lookUp !== undefined && rule === "tokens-verifiable")

const getFailures = (report: Report): ReadonlyArray<string> =>
  report.findings.filter(({ level, verdict }) => level === "MUST" && verdict === "fail").map(({ rule }) => rule)

const publicUrl = "public URL"

/**
 * Returns what you must configure to use a provider with your own MCP server. The list is empty if the fact is about the
 * provider's own MCP server.
 */
const getSetup = (fact: Fact): ReadonlyArray<string> =>
  fact.kind === "mcp-server" ? [] : [
    ...(fact.resourceIndicators === "yes" ? [] : [getAudienceSetup(fact)]),
    ...(fact.lookUp === undefined ? [] : ["look-up"]),
    ...([fact.dynamicRegistration, fact.clientIdMetadataDocuments].includes("yes") ? [] : ["client id"])
  ]

const getAudienceSetup = ({ profile, resourceAudience }: Fact): string => {
  switch (resourceAudience) {
    case "yes":
      return "audience"
    case "unknown":
      return "how to set the audience is not known"
    case "no":
      // If the provider has a profile, the profile accepts tokens by their client instead of by their audience.
      return profile === null ? "no audience" : "audience by client"
  }
}

/**
 * Writes the list as Markdown.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toMarkdown = (entries: ReadonlyArray<Entry>): string => {
  const groups = [
    ["Services", ["service"]],
    ["Servers and libraries that you run yourself", ["server", "library"]],
    ["MCP servers that are their own authorization servers", ["mcp-server"]]
  ] as const
  return [
    "# Providers",
    "",
    "Which identity providers support MCP, by the rules of `npx effect-mcp-auth check`. `npm run providers` writes this file",
    "from the facts in `src/provider/facts/data` and from the servers that the tests run. A test fails if it is out of date.",
    "",
    "- **yes**: every observed MUST passes, the provider issues tokens for the resource that a client requests, and clients",
    "  without prior registration can sign in.",
    "- **with setup**: the same, after you configure the audience or give each client its client id. _Audience by client_",
    "  means that tokens are bound to clients that you list, not to your server. _Public URL_ means that the operator must",
    "  configure the public https URL of the server. _Look-up_ means that the metadata name no way to verify tokens: your server",
    "  verifies them with `Introspection.lookUp`.",
    "- **no**: a MUST fails, or no official MCP client can sign in. The last column names the rule or the reason.",
    "- **own server only**: the provider serves its own MCP server, and cannot serve yours.",
    "- **unknown**: no complete document was observed, or it is not known how to set the audience. Run the command against",
    "  your tenant.",
    "",
    "_With the proxy_ names the function that describes the provider as an upstream of [the OAuth proxy](docs/oauth-proxy.md).",
    "`Upstream.oidc` follows from an observed OpenID document that names a key set. `Upstream.oauth2` follows from the known",
    "absence of one, and needs an endpoint that returns the user. It is **unknown** if no OpenID document was observed.",
    "",
    "Revision 2025-06-18 requires an RFC 8414 document. Its absence counts only if the provider is known not to serve one.",
    "",
    "Results are as old as the date of the document. The command reports the current state.",
    ...groups.flatMap(([title, kinds]) => {
      const chosen = entries.filter(({ fact }) => (kinds as ReadonlyArray<string>).includes(fact.kind))
      return [
        "",
        `## ${title}`,
        "",
        markdownTable(
          [
            "Provider",
            ...revisions,
            "Observed",
            "DCR",
            "CIMD",
            "`resource`",
            "Profile",
            "With the proxy",
            "Needs, or fails"
          ],
          chosen.map(({ fact, needs, observed, supports }) => [
            fact.name,
            ...revisions.map((revision) => supports[revision]),
            observed,
            fact.dynamicRegistration,
            fact.clientIdMetadataDocuments,
            fact.resourceIndicators,
            fact.profile === null ? "" : `\`Profiles.${fact.profile}\``,
            getProxyUpstream(fact),
            needs
          ]),
          { padded: true }
        ),
        "",
        "How to get the right audience:",
        "",
        ...chosen.map(({ fact }) => `- ${fact.name}: ${escape(fact.audienceSetup)}.`)
      ]
    }),
    ""
  ].join("\n")
}

const escape = (text: string): string => text.replace(/[\\*_<>[\]|]/g, "\\$&").replace(/\.$/, "")
