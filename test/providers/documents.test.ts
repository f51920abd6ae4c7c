/**
 * The list, held against what `check --document` says of documents: of those that the facts describe, rebuilt from them, and
 * of the real ones where DISCOVERY_DIR names a folder that has them: the JSON files from which the facts were taken.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Check, Facts, type Report, Rule } from "effect-mcp-auth/provider"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as ProviderList from "../../src/cli/format/providerList.ts"
import { run } from "../cli/run.ts"

type Metadata = Readonly<Record<string, unknown>>

interface Saved {
  readonly fact: Facts.Fact
  readonly document: Facts.ObservedDocument
  readonly file: string
  /** By which a client would have come to it. */
  readonly issuer: string
}

/** What the command says of files, by each revision. */
const reports = (issuer: string, files: ReadonlyArray<string>) => {
  const report = (revision: Rule.Revision) =>
    Effect.map(
      run(["check", issuer, ...files.flatMap((file) => ["--document", file]), "--spec", revision, "--format", "json"]),
      ({ code, stderr, stdout }): Report.Report => {
        assert.include([0, 1, 2], code, stderr)
        return JSON.parse(stdout)
      }
    )
  return Effect.all({
    "2026-07-28": report("2026-07-28"),
    "2025-11-25": report("2025-11-25"),
    "2025-06-18": report("2025-06-18")
  })
}

const issuerOf = (document: Facts.ObservedDocument, metadata: Metadata): string =>
  document.issuer === "same" ? String(metadata["issuer"]) : Check.getIssuer(document).replace("{host}", "localhost")

/** By the URL at which it stood, of which a file says nothing. */
const ofPlace = ["rfc8414-document", "openid-document"]
const deployed = ["issuer-url", "issuer-spelling", "endpoints-https"]
const ofProvider = ["resource-indicators", "tokens-bound"]

/** Rule by rule: what the facts say holds for the document, and nothing else is amiss. */
const agrees = ({ document, fact, file, issuer }: Saved) =>
  Effect.gen(function*() {
    const told = yield* reports(issuer, [file])
    for (const revision of Rule.revisions) {
      const findings = new Map(told[revision].findings.map((_) => [_.rule, _]))
      const known = told[revision].provider === fact.name
      for (const { rule, verdict } of Check.checkFact(fact, [document], { now: 0, revision }).findings) {
        if (verdict === "skipped" || verdict === "inconclusive" || deployed.includes(rule)) continue
        if (!known && ofProvider.includes(rule)) continue
        if (ofPlace.includes(rule) && findings.get(rule)?.verdict === "skipped") continue
        assert.strictEqual(findings.get(rule)?.verdict, verdict, `${rule} of ${file}, ${revision}`)
        findings.delete(rule)
      }
      // Whoever runs a server says what it is called; an excerpt lacks what is not in it.
      const more = [...findings.values()].filter((_) => _.level === "MUST" && _.verdict === "fail").map((_) => _.rule)
      if (document.complete) assert.deepStrictEqual(more.filter((_) => !deployed.includes(_)), [], file)
    }
  })

/** All documents of a provider that the list goes by: the verdict is the list's. */
const fits = (fact: Facts.Fact, saved: ReadonlyArray<Saved>) =>
  Effect.gen(function*() {
    const documents = ProviderList.getDocuments(fact)
    // Of several tenants that were seen, one of which there is every document.
    const tenants = [...new Set(saved.map(({ issuer }) => issuer))].map((issuer) =>
      documents.flatMap((document) => saved.find((_) => _.document === document && _.issuer === issuer) ?? [])
    )
    const tenant = tenants.find(({ length }) => length === documents.length)
    assert.isDefined(tenant, `${fact.id}: no file for a document`)
    const told = yield* reports(tenant![0]!.issuer, tenant!.map(({ file }) => file))
    const listed = ProviderList.makeEntry(fact)
    const checked = ProviderList.makeEntry(fact, told)
    for (const revision of Rule.revisions) {
      // Which documents a provider does not have, files cannot tell: only who is recognized is known for it.
      if (fact.absent !== undefined && told[revision].provider !== fact.name && revision === "2025-06-18") continue
      assert.strictEqual(checked.supports[revision], listed.supports[revision], `${fact.id}, ${revision}`)
    }
    const reasons = (needs: string) => needs.split(/; |, /).filter((_) => !deployed.includes(_))
    assert.deepStrictEqual(reasons(checked.needs), reasons(listed.needs), fact.id)
  })

const whole = Facts.all.filter((fact) => {
  const documents = ProviderList.getDocuments(fact)
  return documents.length > 0 && documents.every((_) => _.complete)
})

/** A document of which the fact would be written down as it is. */
const rebuilt = (document: Facts.ObservedDocument): Metadata => {
  const own = Check.getIssuer(document).replace(/\{[a-z]+\}/g, "acme")
  const issuer = { same: own, template: own.replace("common", "{tenantid}"), other: "https://auth.example.com" }
  const members = {
    issuer: issuer[document.issuer],
    authorization_endpoint: `${own}/authorize`,
    token_endpoint: `${own}/token`,
    jwks_uri: document.jwksUri ? `${own}/keys` : undefined,
    registration_endpoint: document.registrationEndpoint ? `${own}/register` : undefined,
    introspection_endpoint: document.introspectionEndpoint ? `${own}/introspect` : undefined,
    response_types_supported: ["code"],
    scopes_supported: ["openid", ...document.offlineAccess ? ["offline_access"] : []],
    code_challenge_methods_supported: document.codeChallengeMethods,
    token_endpoint_auth_methods_supported: document.tokenEndpointAuthMethods,
    client_id_metadata_document_supported: document.clientIdMetadataDocuments,
    authorization_response_iss_parameter_supported: document.issParameter,
    dpop_signing_alg_values_supported: document.dpopAlgorithms,
    subject_types_supported: document.kind === "openid-configuration" ? ["public"] : undefined
  }
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))
}

describe("documents as the facts describe them", () => {
  const withFiles = <A>(fact: Facts.Fact, use: (saved: ReadonlyArray<Saved>) => Effect.Effect<A>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-mcp-auth-documents-"))),
      (folder) =>
        use(fact.documents.map((document, index) => {
          const file = join(folder, `${fact.id}-${index}.json`)
          const metadata = rebuilt(document)
          writeFileSync(file, JSON.stringify(metadata))
          return { fact, document, file, issuer: issuerOf(document, metadata) }
        })),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    )

  it.effect.each(Facts.all.filter((_) => _.documents.length > 0))(
    "$id, rule by rule",
    (fact) => withFiles(fact, (saved) => Effect.forEach(saved, agrees))
  )

  it.effect.each(whole)("$id fits as the list says", (fact) => withFiles(fact, (saved) => fits(fact, saved)))
})

const folder = process.env["DISCOVERY_DIR"]

describe.skipIf(folder === undefined)(
  `the documents themselves${folder === undefined ? ": skipped, DISCOVERY_DIR names no folder" : ""}`,
  () => {
    const files = folder === undefined ? [] : readdirSync(folder).filter((_) => _.endsWith(".json")).map((name) => {
      const file = join(folder, name)
      return { name, file, metadata: JSON.parse(readFileSync(file, "utf8")) as Metadata }
    })
    const servers = files.filter(({ metadata }) => metadata["issuer"] !== undefined)

    /** A fact is about a document if all that was written down is so. */
    const isAbout = (document: Facts.ObservedDocument, metadata: Metadata): boolean => {
      const pattern = Check.getIssuer(document).replace(/[.*+?^$()|[\]\\]/g, "\\$&").replace(/\{[a-z]+\}/g, "[^/]+")
      const scopes = metadata["scopes_supported"]
      return (document.issuer !== "same" || new RegExp(`^${pattern}/?$`).test(String(metadata["issuer"]))) &&
        (document.issuer === "template") === String(metadata["issuer"]).includes("{") &&
        document.jwksUri === (metadata["jwks_uri"] !== undefined) &&
        document.registrationEndpoint === (metadata["registration_endpoint"] !== undefined) &&
        document.introspectionEndpoint === (metadata["introspection_endpoint"] !== undefined) &&
        document.offlineAccess === (Array.isArray(scopes) && scopes.includes("offline_access")) &&
        ([
          ["code_challenge_methods_supported", document.codeChallengeMethods],
          ["token_endpoint_auth_methods_supported", document.tokenEndpointAuthMethods],
          ["client_id_metadata_document_supported", document.clientIdMetadataDocuments],
          ["authorization_response_iss_parameter_supported", document.issParameter],
          ["dpop_signing_alg_values_supported", document.dpopAlgorithms]
        ] as const).every(([name, value]) => JSON.stringify(metadata[name]) === JSON.stringify(value))
    }

    const saved = servers.map(({ file, metadata, name }) => ({
      name,
      about: Facts.all.flatMap((fact) =>
        fact.documents.filter((_) => isAbout(_, metadata)).map((document): Saved => ({
          fact,
          document,
          file,
          issuer: issuerOf(document, metadata)
        }))
      )
    }))

    it.effect.each(saved)("$name is as a fact says, rule by rule", ({ about }) =>
      Effect.gen(function*() {
        assert.isNotEmpty(about)
        for (const one of about) yield* agrees(one)
      }))

    it("no fact is about a document that nobody has", () => {
      const found = new Set(saved.flatMap(({ about }) => about.map((_) => _.document)))
      const documents = Facts.all.flatMap((fact) => fact.documents.map((document) => ({ id: fact.id, document })))
      const missing = documents.filter(({ document }) => !found.has(document) && !document.source.endsWith("run"))
      assert.deepStrictEqual(missing.map(({ document, id }) => `${id} ${document.url} ${document.observed}`), [])
    })

    it.effect.each(whole.filter((fact) => !fact.documents.some((_) => _.source.endsWith("run"))))(
      "$id fits as the list says",
      (fact) => fits(fact, saved.flatMap(({ about }) => about.filter((_) => _.fact === fact)))
    )

    it.effect.each(files.filter(({ metadata }) => metadata["issuer"] === undefined))(
      "$name is the document of a protected resource, and told as such",
      ({ file }) =>
        Effect.gen(function*() {
          const { code, stderr } = yield* run(["check", "--document", file])
          assert.strictEqual(code, 64)
          assert.include(stderr, "it is the metadata of a protected resource")
        })
    )
  }
)
