import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { AuthError, type Profile } from "effect-mcp-auth"
import { Check, Facts, Profiles } from "effect-mcp-auth/provider"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { markdownTable } from "../../src/cli/format/markdownTable.ts"
import { rows } from "./rows.ts"

// The pages of examples/providers say in prose what the facts and the profiles say as data. What can be compared is
// compared here, and two sections are written from the data:
//
//     WRITE_PAGES=1 npx vitest run --project unit test/provider/pages.test.ts && npx dprint fmt

const folder = join(import.meta.dirname, "../../examples/providers")

/** The page of each provider, by the id of its facts. */
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
  "oauth2-mock-server": "oauth2-mock-server.md"
} as const

const headings = [
  "The issuer",
  "The audience",
  "The server",
  "What `check` says",
  "What goes wrong",
  "What is known"
] as const

const sections = (text: string): ReadonlyMap<string, string> =>
  new Map(
    text.split(/^## /m).slice(1).map((section) => {
      const end = section.indexOf("\n")
      return [section.slice(0, end).trim(), section.slice(end).trim()]
    })
  )

const answers: Readonly<Record<Facts.Support, string>> = {
  yes: "yes",
  setting: "if enabled",
  guarded: "only with a credential or a prior registration",
  experimental: "experimental",
  no: "no",
  unknown: "not known"
}

const bounds: Readonly<Record<Profile.Profile["boundTo"], string>> = {
  resource: "the resource",
  project: "a project, whose servers all accept it",
  client: "the client that obtained it, at every server"
}

/** The newest document of each kind. */
const newest = (fact: Facts.Fact): ReadonlyArray<Facts.ObservedDocument> =>
  (["oauth-authorization-server", "openid-configuration"] as const).flatMap((kind) =>
    fact.documents.filter((document) => document.kind === kind && document.complete)
      .sort((a, b) => b.observed.localeCompare(a.observed))
      .slice(0, 1)
  )

/** What the command says of an own server nobody knows; this is what it says of the documents that others saw. */
const verdict = (fact: Facts.Fact, issuer: string): string => {
  const documents = newest(fact)
  const command = `\`\`\`sh\nnpx effect-mcp-auth check ${issuer}\n\`\`\``
  const list = "[the list of providers](../../PROVIDERS.md)"
  if (documents.length === 0) {
    return `${command}\n\nThe command checks your server. No metadata document of this provider was observed; see ${list}.`
  }
  const { findings, summary } = Check.checkFact(fact, documents, { now: 0 })
  const failed = findings.filter(({ level, verdict }) => verdict === "fail" && level !== "MAY")
  return [
    command,
    `The command checks your server. For the metadata that were observed in ${
      documents[0]!.observed
    } (see ${list}), the ` +
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

const known = (fact: Facts.Fact, profile: Profile.Profile | undefined): string => {
  const { tokens } = fact
  const format = { jwt: "JWT", opaque: "opaque", both: "JWT or opaque", unknown: "not known" }[tokens.format]
  return [
    markdownTable(["as of", fact.asOf], [
      ["profile", fact.profile === null ? "none" : `\`Profiles.${fact.profile}\``],
      ["confirmed", profile === undefined ? "no profile" : profile.confirmed ? "yes" : "**no**"],
      ["known from", fact.evidence.map(({ kind, source }) => `${kinds[kind]}: ${source}`).join("; ")],
      ["access tokens", tokens.note === "" ? format : `${format}: ${tokens.note}`],
      ["header `typ`", tokens.typ ?? "none or not known"],
      ["signed with", tokens.algorithms.length === 0 ? "not known" : tokens.algorithms.join(", ")],
      ["`iss`", tokens.issuer ?? "none"],
      ["`aud`", tokens.audience],
      ["bound to", profile === undefined ? bounds.resource : bounds[profile.boundTo]],
      ["scopes", tokens.scopes],
      ["client", tokens.clientId ?? "not named"],
      ["`sub` without a user", tokens.machineSubject ?? "not known"],
      ["the parameter `resource`", answers[fact.resourceIndicators]],
      ["dynamic client registration", answers[fact.dynamicRegistration]],
      ["client metadata documents", answers[fact.clientIdMetadataDocuments]],
      ["introspection", answers[fact.introspection]]
    ]),
    [...fact.quirks, ...profile?.notes ?? []].map((line) => `- ${line}`).join("\n")
  ].filter((part) => part !== "").join("\n\n")
}

/** What a formatter may change is left out. */
const plain = (text: string): string => text.replace(/[ \t]+/g, " ").replace(/-{3,}/g, "---").trim()

/** The first call of a profile in the text, made. */
const profileIn = (text: string, name: string): Profile.Profile => {
  const start = text.indexOf(`Profiles.${name}(`)
  assert.notStrictEqual(start, -1, `Profiles.${name} is not in it`)
  let depth = 0
  let end = text.indexOf("(", start)
  do {
    depth += text[end] === "(" ? 1 : text[end] === ")" ? -1 : 0
    end++
  } while (depth > 0 && end < text.length)
  // The whole block is compiled by test/documents.test.ts.
  const make = new Function("Profiles", "Redacted", "process", `return ${text.slice(start, end)}`)
  const environment = { GITHUB_CLIENT_SECRET: "secret", CLIENT_SECRET: "secret" }
  return make(Profiles, Redacted, { env: environment }) as Profile.Profile
}

const reasons = new Set<string>([
  AuthError.reasons.MissingCredentials,
  AuthError.reasons.MalformedRequest,
  AuthError.reasons.InvalidToken,
  AuthError.reasons.InsufficientScope,
  AuthError.reasons.AuthorizationServerUnavailable,
  AuthError.reasons.InvalidMetadata
].flat())

// The rows of tokenShapes.test.ts make these of a token of each provider; others are the same everywhere.
const shown = new Set(["audience", "token-type", "id-token", "tenant"])

describe.each(Object.entries(pages))("the page of %s", (id, file) => {
  const path = join(folder, file)
  const fact = Facts.get(id)!
  const read = () => sections(readFileSync(path, "utf8"))
  const profile = fact.profile === null ? undefined : profileIn(read().get("The server") ?? "", fact.profile)
  const issuer = profile?.issuer ?? "http://localhost:8080"
  const written = { "What `check` says": verdict(fact, issuer), "What is known": known(fact, profile) }

  if (process.env["WRITE_PAGES"] === "1") {
    let text = readFileSync(path, "utf8")
    for (const [heading, content] of Object.entries(written)) {
      const start = text.indexOf(`## ${heading}\n`) + heading.length + 4
      const next = text.indexOf("\n## ", start)
      text = `${text.slice(0, start)}\n${content}\n${next === -1 ? "" : text.slice(next)}`
    }
    writeFileSync(path, text)
  }

  it("has the shape of all pages", () => {
    const text = readFileSync(path, "utf8")
    assert.isTrue(text.startsWith(`# ${fact.name}\n`))
    const [first, ...others] = [...read().keys()]
    assert.match(first!, /^(?:At|In) /)
    assert.deepStrictEqual(others, [...headings])
    for (const [heading, content] of read()) assert.notStrictEqual(content, "", heading)
  })

  it("shows its profile, and the issuer that comes out", () => {
    assert.deepStrictEqual(profile?.issues ?? [], [])
    if (profile !== undefined) assert.strictEqual(profile.id, fact.id)
    assert.include(read().get("The issuer"), `\`${issuer}\``)
    // A final slash is part of an issuer, and a page has to say which it is.
    assert.strictEqual(
      issuer.endsWith("/"),
      fact.tokens.issuer !== null && fact.tokens.issuer.endsWith(" with a final slash")
    )
  })

  it("says what the facts say", () => {
    for (const [heading, content] of Object.entries(written)) {
      assert.strictEqual(plain(read().get(heading) ?? ""), plain(content), heading)
    }
  })

  it("does not promise what is not confirmed", () => {
    if (profile?.confirmed !== false) return
    assert.match(readFileSync(path, "utf8").split(/^## /m)[0]!, /No real|bound to your/)
    assert.isTrue(profile.notes.some((note) => read().get("What is known")!.includes(note)))
  })

  it("knows the reasons of the log, and those that its tokens are rejected for", () => {
    const lines = read().get("What goes wrong")!.split("\n").slice(2)
    const told = lines.map((line) => line.split("|")[1]!.trim())
    assert.isNotEmpty(told)
    const rejected = rows.filter((row) => row.profile.id === id).flatMap((row) =>
      Object.values(row.rejects).map(({ reason }) => reason)
    )
    for (const reason of told) {
      if (reason === "nothing") continue
      assert.isTrue(reasons.has(reason.replaceAll("`", "")), reason)
      if (rejected.length > 0 && shown.has(reason.replaceAll("`", ""))) {
        assert.include(rejected, reason.replaceAll("`", ""))
      }
    }
  })
})

describe("the list of pages", () => {
  const path = join(folder, "README.md")
  const list = (): string =>
    markdownTable(
      ["provider", "tokens", "bound to", "registration", "client documents", "confirmed"],
      Object.entries(pages).map(([id, file]) => {
        const fact = Facts.get(id)!
        const server = sections(readFileSync(join(folder, file), "utf8")).get("The server")!
        const profile = fact.profile === null ? undefined : profileIn(server, fact.profile)
        return [
          `[${fact.name}](${file})`,
          { jwt: "JWT", opaque: "opaque", both: "JWT or opaque", unknown: "not known" }[fact.tokens.format],
          profile?.boundTo ?? "resource",
          answers[fact.dynamicRegistration],
          answers[fact.clientIdMetadataDocuments],
          profile === undefined ? "no profile" : profile.confirmed ? "yes" : "**no**"
        ]
      })
    )

  if (process.env["WRITE_PAGES"] === "1") {
    writeFileSync(path, readFileSync(path, "utf8").replace(/^\| provider.*\n(?:\|.*\n)*/m, () => `${list()}\n`))
  }

  it("has every page", () => {
    const files = readdirSync(folder).filter((file) => file.endsWith(".md") && file !== "README.md")
    assert.deepStrictEqual(Object.values(pages).sort(), files.sort())
  })

  it("says of each what the facts say", () => {
    assert.include(plain(readFileSync(path, "utf8")), plain(list()))
  })
})
