/**
 * The list of providers: what the rules of `Check` say of each, as far as facts and running servers tell.
 *
 * @since 0.1.0
 */
import * as Check from "../../provider/check/Check.ts"
import type { Document, Fact } from "../../provider/facts/Fact.ts"
import type { Report } from "../../provider/report/Report.ts"
import { type Revision, revisions } from "../../provider/report/Rule.ts"

/**
 * Whether a provider fits: as it is, once something is set, not; only the MCP server that it belongs to; or nobody has
 * seen a document of it.
 *
 * @category models
 * @since 0.1.0
 */
export type Fit = "fits" | "with a setting" | "does not" | "for itself" | "not seen"

/**
 * One line of the list.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly fact: Fact
  readonly fit: Readonly<Record<Revision, Fit>>
  /** What was judged, and when it was seen. */
  readonly seen: string
  /** Why it does not fit, or what has to be set. */
  readonly because: string
}

/**
 * The documents by which a provider is judged: those of one issuer that were seen last.
 *
 * @category getters
 * @since 0.1.0
 */
export const documentsOf = ({ documents }: Fact): ReadonlyArray<Document> => {
  const [last] = [...documents].sort((a, b) => a.observed < b.observed ? 1 : a.observed > b.observed ? -1 : 0)
  if (last === undefined) return []
  return documents.filter((one) =>
    Check.issuerOf(one) === Check.issuerOf(last) && one.observed.slice(0, 4) === last.observed.slice(0, 4) &&
    !documents.some((other) => other.url === one.url && other.observed > one.observed)
  )
}

/**
 * Judges one provider. `live` are reports of a server of it that was run, one for each revision.
 *
 * @category constructors
 * @since 0.1.0
 */
export const entryOf = (fact: Fact, live?: Readonly<Record<Revision, Report>>): Entry => {
  const documents = documentsOf(fact)
  const reports = live ?? (documents.length === 0 ? undefined : {
    "2026-07-28": Check.judgeFact(fact, documents, { now: 0, revision: "2026-07-28" }),
    "2025-11-25": Check.judgeFact(fact, documents, { now: 0, revision: "2025-11-25" }),
    "2025-06-18": Check.judgeFact(fact, documents, { now: 0, revision: "2025-06-18" })
  })
  const needed = settingsOf(fact)
  const fit = (revision: Revision): Fit => {
    const report = reports?.[revision]
    if (report === undefined || report.outcome === "cannot-tell") return "not seen"
    const failures = failuresOf(report)
    if (fact.kind === "mcp-server") {
      return failures.every((rule) => rule === "tokens-verifiable") ? "for itself" : "does not"
    }
    if (failures.some((rule) => !isNaming(fact, rule))) return "does not"
    if (fact.audienceHow === notKnown) return "not seen"
    return failures.length === 0 && needed.length === 0 ? "fits" : "with a setting"
  }
  const failed = reports === undefined ? [] : failuresOf(reports[revisions[0]])
  const failures = failed.filter((rule) => !isNaming(fact, rule))
  return {
    fact,
    fit: { "2026-07-28": fit("2026-07-28"), "2025-11-25": fit("2025-11-25"), "2025-06-18": fit("2025-06-18") },
    seen: live !== undefined
      ? "run by the tests"
      : documents.length === 0
      ? "no document"
      : documents.map(({ observed }) => observed).sort().at(-1)!,
    because: failures.length > 0
      ? failures.join(", ")
      : [...(failed.length === 0 ? [] : [publicUrl]), ...needed].join("; ")
  }
}

/** Whoever runs a server says by which URL it is called. */
const isNaming = (fact: Fact, rule: string): boolean =>
  fact.kind === "server" && ["issuer-url", "issuer-identical", "endpoints-https"].includes(rule)

const failuresOf = (report: Report): ReadonlyArray<string> =>
  report.findings.filter(({ level, verdict }) => level === "MUST" && verdict === "failed").map(({ rule }) => rule)

const notKnown = "not known"

const publicUrl = "public URL"

const settingsOf = (fact: Fact): ReadonlyArray<string> => [
  ...(fact.resourceIndicators === "yes"
    ? []
    : fact.audienceHow.startsWith("cannot be")
    // A profile then lists the clients whose tokens are taken.
    ? [fact.profile === null ? "no audience" : "audience by client"]
    : [fact.audienceHow === notKnown ? "how its audience is set is not known" : "audience"]),
  ...([fact.dynamicRegistration, fact.clientIdMetadataDocuments].includes("yes") ? [] : ["client id"])
]

/**
 * The list as Markdown.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toMarkdown = (entries: ReadonlyArray<Entry>): string => {
  const groups = [
    ["Services", ["service"]],
    ["Servers and libraries to run oneself", ["server", "library"]],
    ["MCP servers that are their own authorization servers", ["mcp-server"]]
  ] as const
  return [
    "# Providers",
    "",
    "Which identity provider fits MCP, by the rules of `npx effect-mcp-auth check`. Written by `npm run providers` from the",
    "facts in `src/provider/facts` and from the servers that the tests run; a test fails when this file and they differ.",
    "",
    "- **fits**: every MUST that was seen is kept, tokens are made for the resource that a client asks for, and clients that",
    "  nobody announced can sign in.",
    "- **with a setting**: the same, once the audience is configured, or each client has its client id. _Audience by client_",
    "  means that tokens are bound to clients that you list, not to your server; _public URL_, that whoever runs the server",
    "  has to tell it the https URL by which others know it.",
    "- **does not**: a MUST is not kept; the last column names the rule.",
    "- **for itself**: for the MCP server that it belongs to, not for yours.",
    "- **not seen**: nobody has seen a whole document, or how its tokens come by an audience. Run the command against your",
    "  tenant.",
    "",
    "2025-06-18 demands an RFC 8414 document. Where nobody looked for one its absence is not counted.",
    "",
    "A document is as old as its date says: the command tells what is true today.",
    ...groups.flatMap(([title, kinds]) => {
      const chosen = entries.filter(({ fact }) => (kinds as ReadonlyArray<string>).includes(fact.kind))
      return [
        "",
        `## ${title}`,
        "",
        ...table(
          ["Provider", ...revisions, "Seen", "DCR", "CIMD", "`resource`", "Profile", "Needs, or fails"],
          chosen.map(({ because, fact, fit, seen }) => [
            fact.name,
            ...revisions.map((revision) => fit[revision]),
            seen,
            fact.dynamicRegistration,
            fact.clientIdMetadataDocuments,
            fact.resourceIndicators,
            fact.profile === null ? "" : `\`Profiles.${fact.profile}\``,
            because
          ])
        ),
        "",
        "How to get the right audience:",
        "",
        ...chosen.map(({ fact }) => `- ${fact.name}: ${escaped(fact.audienceHow)}.`)
      ]
    }),
    ""
  ].join("\n")
}

const escaped = (text: string): string => text.replace(/[\\*_<>[\]|]/g, "\\$&").replace(/\.$/, "")

/** Padded as the formatter pads it. */
const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): ReadonlyArray<string> => {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)))
  const line = (cells: ReadonlyArray<string>) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`
  return [line(head), `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...rows.map(line)]
}
