/** Generates the data of the list of providers, and a page for each provider that has none in `examples/providers`. */
import { Effect } from "effect"
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { markdownTable } from "../../src/cli/format/markdownTable.ts"
import { type Entry, getDocuments } from "../../src/cli/format/providerList.ts"
import * as Check from "../../src/provider/check/Check.ts"
import type { Fact, Support } from "../../src/provider/facts/Facts.ts"
import { revisions } from "../../src/provider/report/Rule.ts"
import { entries } from "../../test/providers/list.ts"
import { linkTo } from "./Navigation.ts"
import { generated, root } from "./Pages.ts"

/** One provider, as the list on the site shows it. */
export interface Provider {
  readonly id: string
  readonly name: string
  readonly kind: string
  /** The page of the provider on the site. */
  readonly link: string
  /** For each revision of MCP, whether the provider supports it. */
  readonly supports: Entry["supports"]
  readonly registration: string
  readonly clientDocuments: string
  readonly resource: string
  readonly profile: string | null
  readonly needs: string
  readonly observed: string
}

const kinds: Readonly<Record<Fact["kind"], string>> = {
  "service": "service",
  "server": "self-hosted",
  "library": "self-hosted",
  "mcp-server": "MCP server"
}

const supportTexts: Readonly<Record<Support, string>> = {
  yes: "yes",
  setting: "if enabled",
  guarded: "only with a credential or a prior registration",
  experimental: "experimental",
  no: "no",
  unknown: "not known"
}

const formats: Readonly<Record<Fact["tokens"]["format"], string>> = {
  jwt: "JWT",
  opaque: "opaque",
  both: "JWT or opaque",
  unknown: "not known"
}

const folder = "examples/providers"

/** Escapes text of a fact, so that it is not Markdown or HTML. */
const plain = (text: string): string => text.replace(/[\\*_<>[\]`|]/g, "\\$&")

/** Returns the pages of providers that the repository has, by the name in their first heading. */
const writtenPages = (): ReadonlyMap<string, string> =>
  new Map(
    readdirSync(join(root, folder)).filter((name) => name.endsWith(".md") && name !== "README.md").map((name) => [
      /^# (.+)$/m.exec(readFileSync(join(root, folder, name), "utf8"))![1]!,
      `${folder}/${name}`
    ])
  )

const resultOf = (fact: Fact): string => {
  const documents = getDocuments(fact)
  if (documents.length === 0) {
    return "No metadata document of this provider was observed. Run the command against your tenant."
  }
  const { findings, summary } = Check.checkFact(fact, documents, { now: 0, revision: revisions[0] })
  const failed = findings.filter(({ level, verdict }) => verdict === "fail" && level !== "MAY")
  return [
    `The result for the observed metadata against MCP ${revisions[0]}: _${plain(summary)}._`,
    ...(failed.length === 0 ? [] : [markdownTable(
      ["", "rule", "finding", "what to change"],
      failed.map(({ change = "", level, rule, why }) => [level, `\`${rule}\``, plain(why), plain(change)])
    )]),
    markdownTable(
      ["document", "observed", "source"],
      documents.map(({ observed, source, url }) => [
        `\`${url}\``,
        observed,
        plain(source)
      ])
    )
  ].join("\n\n")
}

/** Writes the page of a provider from its facts. */
const pageFor = ({ fact, needs, observed, supports }: Entry): string => {
  const { tokens } = fact
  return [
    `# ${fact.name}`,
    `This page contains what is known of this provider, as of ${fact.asOf}. [The list](../../PROVIDERS.md) explains the words, and ` +
    `[the pages of other providers](README.md) show settings step by step.`,
    "## MCP",
    markdownTable(["revision", "supported"], revisions.map((revision) => [revision, supports[revision]])),
    needs === "" ? "" : `Needs, or fails: ${plain(needs)}. Newest document: ${observed}.`,
    "## The audience",
    `How to get tokens for your server: ${plain(fact.audienceSetup).replace(/\.$/, "")}.`,
    "## Result of `check`",
    "```sh\nnpx effect-mcp-auth check https://auth.example.com\n```",
    resultOf(fact),
    "## Facts",
    markdownTable(["as of", fact.asOf], [
      [
        "profile",
        fact.profile === null ? "none" : `[\`Profiles.${fact.profile}\`](../../reference/provider/Profiles.md)`
      ],
      [
        "access tokens",
        plain(tokens.note === "" ? formats[tokens.format] : `${formats[tokens.format]}: ${tokens.note}`)
      ],
      ["header `typ`", plain(tokens.typ ?? "none or not known")],
      ["signed with", tokens.algorithms.length === 0 ? "not known" : tokens.algorithms.join(", ")],
      ["`iss`", plain(tokens.issuer ?? "none")],
      ["`aud`", plain(tokens.audience)],
      ["scopes", plain(tokens.scopes)],
      ["client", plain(tokens.clientId ?? "not named")],
      ["the parameter `resource`", supportTexts[fact.resourceIndicators]],
      ["dynamic client registration", supportTexts[fact.dynamicRegistration]],
      ["client metadata documents", supportTexts[fact.clientIdMetadataDocuments]],
      ["introspection", supportTexts[fact.introspection]],
      ["known from", plain(fact.evidence.map(({ source }) => source).join("; "))]
    ]),
    fact.quirks.map((quirk) => `- ${plain(quirk)}`).join("\n")
  ].filter((part) => part !== "").join("\n\n") + "\n"
}

/** Writes the pages and `providers.json` into the generated folder, and returns the providers. */
export const generate: Effect.Effect<ReadonlyArray<Provider>> = Effect.gen(function*() {
  const all = yield* entries
  const written = writtenPages()
  const target = join(root, generated)
  rmSync(target, { recursive: true, force: true })
  mkdirSync(join(target, folder), { recursive: true })
  const providers = all.map((entry): Provider => {
    const { fact, needs, observed, supports } = entry
    const page = written.get(fact.name)
    if (page === undefined) writeFileSync(join(target, folder, `${fact.id}.md`), pageFor(entry))
    return {
      id: fact.id,
      name: fact.name,
      kind: kinds[fact.kind],
      link: linkTo(page ?? `${folder}/${fact.id}.md`),
      supports,
      registration: supportTexts[fact.dynamicRegistration],
      clientDocuments: supportTexts[fact.clientIdMetadataDocuments],
      resource: supportTexts[fact.resourceIndicators],
      profile: fact.profile,
      needs,
      observed
    }
  })
  writeFileSync(join(target, "providers.json"), JSON.stringify(providers))
  return providers
})
