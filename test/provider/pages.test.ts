import { assert, describe, it } from "@effect/vitest"
import { AuthError, type Profile } from "effect-mcp-auth"
import { Check, Facts } from "effect-mcp-auth/provider"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { markdownTable } from "../../src/cli/format/markdownTable.ts"
import { evaluateCall, folder } from "./pageProfile.ts"
import { rows } from "./rows.ts"

// The pages of examples/providers describe the facts and the profiles, which are data. These tests compare the pages with the
// data. Two sections of each page are generated from the data with this command:
//
//     WRITE_PAGES=1 npx vitest run --project unit test/provider/pages.test.ts && npx dprint fmt

/** The page of each provider. The keys are the ids of the providers in the facts. */
const pages = {
  "auth0": "auth0.md",
  "okta": "okta.md",
  "entra": "entra-id.md",
  "cognito": "cognito.md",
  "keycloak": "keycloak.md",
  "logto": "logto.md",
  "authkit": "workos-authkit.md",
  "google": "google.md",
  "github": "github.md",
  "supabase": "supabase.md",
  "oidc-provider": "oidc-provider.md",
  "better-auth": "better-auth.md",
  "glewlwyd": "glewlwyd.md",
  "kinde": "kinde.md",
  "xsuaa": "xsuaa.md",
  "casdoor": "casdoor.md",
  "dex": "dex.md",
  "oauth2-mock-server": "oauth2-mock-server.md",
  "openauth": "openauth.md",
  "workers-oauth-provider": "workers-oauth-provider.md",
  "mcp-sdk-demo": "mcp-sdk-demo.md",
  "lemonldap": "lemonldap.md",
  "django-oauth-toolkit": "django-oauth-toolkit.md",
  "doorkeeper": "doorkeeper.md"
} as const

/** The issuers on the pages of providers that have no profile. */
const issuers: Partial<Record<string, string>> = {
  "oauth2-mock-server": "http://localhost:8080",
  "workers-oauth-provider": "https://auth.example.com",
  "mcp-sdk-demo": "http://localhost:3001/",
  "django-oauth-toolkit": "http://localhost:8000/o",
  "doorkeeper": "http://localhost:3000"
}

const headings = [
  "The issuer",
  "The audience",
  "The server",
  "Result of `check`",
  "Troubleshooting",
  "Facts"
] as const

const readSections = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text.split(/^## /m).slice(1).map((section) => {
      const end = section.indexOf("\n")
      return [section.slice(0, end).trim(), section.slice(end).trim()]
    })
  )

const supportTexts: Readonly<Record<Facts.Support, string>> = {
  yes: "yes",
  setting: "if enabled",
  guarded: "only with a credential or a prior registration",
  experimental: "experimental",
  no: "no",
  unknown: "not known"
}

/** A provider without a profile can bind its tokens to the resource, or does not bind them to a server at all. */
const getBound = (fact: Facts.Fact, profile: Profile.Profile | undefined): Profile.Profile["boundTo"] =>
  profile?.boundTo ?? (fact.resourceAudience === "no" ? "client" : "resource")

const boundTexts: Readonly<Record<Profile.Profile["boundTo"], string>> = {
  resource: "the resource",
  project: "a project, whose servers all accept it",
  client: "the client that obtained it, at every server"
}

/** Returns the newest complete document of each kind. */
const getNewest = (fact: Facts.Fact): ReadonlyArray<Facts.ObservedDocument> =>
  (["oauth-authorization-server", "openid-configuration"] as const).flatMap((kind) =>
    fact.documents.filter((document) => document.kind === kind && document.complete)
      .sort((a, b) => b.observed.localeCompare(a.observed))
      .slice(0, 1)
  )

/**
 * Returns the section with the result of `check` for the observed documents. For the reader's own server, `check` can give
 * another result.
 */
const writeResult = (fact: Facts.Fact, issuer: string): string => {
  const documents = getNewest(fact)
  const command = `\`\`\`sh\nnpx effect-mcp-auth check ${issuer}\n\`\`\``
  const list = "[the list of providers](../../PROVIDERS.md)"
  if (documents.length === 0) {
    return `${command}\n\nThe command checks your server. No metadata document of this provider was observed; see ${list}.`
  }
  const { observed } = documents[0]!
  const { findings, summary } = Check.checkFact(fact, documents, { now: 0 })
  const failed = findings.filter(({ level, verdict }) => verdict === "fail" && level !== "MAY")
  return [
    command,
    `The command checks your server. For the metadata that were observed ${
      observed.length === 10 ? "on" : "in"
    } ${observed} (see ${list}), the ` +
    `result against MCP 2026-07-28 is: _${summary}._`,
    markdownTable(
      ["", "rule", "finding", "what to change"],
      failed.map(({ change = "", level, rule, why }) => [level, `\`${rule}\``, why, change])
    )
  ].join("\n\n")
}

const kinds: Readonly<Record<Facts.Fact["evidence"][number]["kind"], string>> = {
  run: "run by the tests",
  token: "an observed token",
  documentation: "documentation",
  code: "public code",
  document: "its metadata",
  unconfirmed: "not confirmed"
}

/** Returns the section with the facts. */
const writeFacts = (fact: Facts.Fact, profile: Profile.Profile | undefined): string => {
  const { tokens } = fact
  const format = { jwt: "JWT", opaque: "opaque", both: "JWT or opaque", unknown: "not known" }[tokens.format]
  return [
    markdownTable(["as of", fact.asOf], [
      ["profile", fact.profile === null ? "none" : `\`Profiles.${fact.profile}\``],
      ["confirmed", fact.profile === null ? "no profile" : profile?.confirmed === true ? "yes" : "**no**"],
      ["known from", fact.evidence.map(({ kind, source }) => `${kinds[kind]}: ${source}`).join("; ")],
      ["access tokens", tokens.note === "" ? format : `${format}: ${tokens.note}`],
      ["header `typ`", tokens.typ ?? "none or not known"],
      ["signed with", tokens.algorithms.length === 0 ? "not known" : tokens.algorithms.join(", ")],
      ["`iss`", tokens.issuer ?? "none"],
      ["`aud`", tokens.audience],
      ["bound to", boundTexts[getBound(fact, profile)]],
      ["scopes", tokens.scopes],
      ["client", tokens.clientId ?? "not named"],
      ["`sub` without a user", tokens.machineSubject ?? "not known"],
      ["the parameter `resource`", supportTexts[fact.resourceIndicators]],
      ["dynamic client registration", supportTexts[fact.dynamicRegistration]],
      ["client metadata documents", supportTexts[fact.clientIdMetadataDocuments]],
      ["introspection", supportTexts[fact.introspection]]
    ]),
    [...fact.quirks, ...profile?.notes ?? []].map((line) => `- ${line}`).join("\n")
  ].filter((part) => part !== "").join("\n\n")
}

/** Removes what a formatter can change. */
const withoutFormat = (text: string): string => text.replace(/[ \t]+/g, " ").replace(/-{3,}/g, "---").trim()

/** Evaluates the profile of a page: one of `Profiles`, or one that the page assigns to a constant. */
const evaluatePage = (fact: Facts.Fact, server: string): Profile.Profile | undefined =>
  fact.profile !== null
    ? evaluateCall(server, `Profiles.${fact.profile}`)
    : /^const \w+ = Profile\.make\(/m.test(server)
    ? evaluateCall(server, "Profile.make")
    : undefined

const reasons = new Set<string>([
  AuthError.reasons.MissingCredentials,
  AuthError.reasons.MalformedRequest,
  AuthError.reasons.InvalidToken,
  AuthError.reasons.InsufficientScope,
  AuthError.reasons.AuthorizationServerUnavailable,
  AuthError.reasons.InvalidMetadata
].flat())

// Those rejection reasons that depend on the provider. tokenShapes.test.ts causes such rejections with tokens of each provider.
const providerReasons = new Set(["audience", "token-type", "id-token", "tenant"])

describe.each(Object.entries(pages))("the page of %s", (id, file) => {
  const path = join(folder, file)
  const fact = Facts.get(id)!
  const read = () => readSections(readFileSync(path, "utf8"))
  const profile = evaluatePage(fact, read().get("The server") ?? "")
  const issuer = profile?.issuer ?? issuers[id]!
  const written = { "Result of `check`": writeResult(fact, issuer), "Facts": writeFacts(fact, profile) }

  if (process.env["WRITE_PAGES"] === "1") {
    let text = readFileSync(path, "utf8")
    for (const [heading, content] of Object.entries(written)) {
      const start = text.indexOf(`## ${heading}\n`) + heading.length + 4
      const next = text.indexOf("\n## ", start)
      text = `${text.slice(0, start)}\n${content}\n${next === -1 ? "" : text.slice(next)}`
    }
    writeFileSync(path, text)
  }

  it("has the headings of all pages, in their order", () => {
    const text = readFileSync(path, "utf8")
    assert.isTrue(text.startsWith(`# ${fact.name}\n`))
    const [first, ...others] = [...read().keys()]
    assert.match(first!, /^(?:At|In) /)
    assert.deepStrictEqual(others.filter((heading) => heading !== "With the proxy"), [...headings])
    const place = others.indexOf("With the proxy")
    if (place !== -1) assert.strictEqual(others[place - 1], "The server")
    for (const [heading, content] of read()) assert.notStrictEqual(content, "", heading)
  })

  it("shows the profile, and the issuer that the profile sets", () => {
    assert.deepStrictEqual(profile?.issues ?? [], [])
    if (profile !== undefined) assert.strictEqual(profile.id, fact.id)
    assert.include(read().get("The issuer"), `\`${issuer}\``)
    // A final slash is part of an issuer, so the page must state whether there is one.
    assert.strictEqual(
      issuer.endsWith("/"),
      fact.tokens.issuer !== null && fact.tokens.issuer.endsWith(" with a final slash")
    )
  })

  it("shows its program, which the tests run, as it is", () => {
    for (const [, file = "", code] of readFileSync(path, "utf8").matchAll(/^```ts file=(\S+)\n(.*?)^```$/gms)) {
      assert.strictEqual(code, readFileSync(join(folder, file), "utf8"), file)
    }
  })

  it("contains the current facts, and the current result of the check", () => {
    for (const [heading, content] of Object.entries(written)) {
      assert.strictEqual(withoutFormat(read().get(heading) ?? ""), withoutFormat(content), heading)
    }
  })

  it("states which parts of the profile are not confirmed", () => {
    if (profile?.confirmed !== false) return
    assert.match(readFileSync(path, "utf8").split(/^## /m)[0]!, /No real|bound to your/)
    assert.isTrue(profile.notes.every((note) => read().get("Facts")!.includes(note)))
  })

  it("names reasons that the log contains, and only reasons that tokens of the provider can have", () => {
    const lines = read().get("Troubleshooting")!.split("\n").slice(2)
    const listed = lines.map((line) => line.split("|")[1]!.trim())
    assert.isNotEmpty(listed)
    const rejected = rows.filter((row) => row.profile.id === id).flatMap((row) =>
      Object.values(row.rejects).map(({ reason }) => reason)
    )
    for (const reason of listed) {
      if (reason === "nothing") continue
      assert.isTrue(reasons.has(reason.replaceAll("`", "")), reason)
      if (rejected.length > 0 && providerReasons.has(reason.replaceAll("`", ""))) {
        assert.include(rejected, reason.replaceAll("`", ""))
      }
    }
  })
})

describe("the list of pages", () => {
  const path = join(folder, "README.md")
  const writeList = (): string =>
    markdownTable(
      ["provider", "tokens", "bound to", "registration", "client documents", "confirmed"],
      Object.entries(pages).map(([id, file]) => {
        const fact = Facts.get(id)!
        const server = readSections(readFileSync(join(folder, file), "utf8")).get("The server")!
        const profile = evaluatePage(fact, server)
        return [
          `[${fact.name}](${file})`,
          { jwt: "JWT", opaque: "opaque", both: "JWT or opaque", unknown: "not known" }[fact.tokens.format],
          getBound(fact, profile),
          supportTexts[fact.dynamicRegistration],
          supportTexts[fact.clientIdMetadataDocuments],
          fact.profile === null ? "no profile" : profile?.confirmed === true ? "yes" : "**no**"
        ]
      })
    )

  if (process.env["WRITE_PAGES"] === "1") {
    writeFileSync(path, readFileSync(path, "utf8").replace(/^\| provider.*\n(?:\|.*\n)*/m, () => `${writeList()}\n`))
  }

  it("contains every page", () => {
    const files = readdirSync(folder).filter((file) => file.endsWith(".md") && file !== "README.md")
    assert.deepStrictEqual(Object.values(pages).sort(), files.sort())
  })

  it("contains the current facts of each provider", () => {
    assert.include(withoutFormat(readFileSync(path, "utf8")), withoutFormat(writeList()))
  })
})
