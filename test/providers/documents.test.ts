/**
 * Compares the list of providers with the results of `check --document`, for documents that are rebuilt from the facts. If
 * DISCOVERY_DIR names the folder with the JSON files from which the facts were taken, these files are checked as well.
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
  /** The issuer for which a client requests the document. */
  readonly issuer: string
}

/** Runs `check --document` with these files, for each revision. */
const runCheck = (issuer: string, files: ReadonlyArray<string>) => {
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

const getIssuer = (document: Facts.ObservedDocument, metadata: Metadata): string =>
  document.issuer === "same" ? String(metadata["issuer"]) : Check.getIssuer(document).replace("{host}", "localhost")

/** Rules that depend on the URL of a document, which a file does not contain. */
const urlRules = ["rfc8414-document", "openid-document"]
/** Rules that depend on the host name that an operator chooses. */
const deploymentRules = ["issuer-url", "issuer-spelling", "endpoints-https"]
/**
 * Rules that are checked with the facts about a provider and not with its documents. If access tokens are opaque, only the facts
 * show that the keys of the document verify no access tokens.
 */
const getProviderRules = ({ documents, tokens }: Facts.Fact): ReadonlyArray<string> => [
  "resource-indicators",
  "tokens-bound",
  ...tokens.format === "opaque" && documents.some((_) => _.jwksUri) ? ["tokens-verifiable"] : []
]

/**
 * Asserts that each rule with a verdict in the facts has the same verdict for the document, and that a complete document fails
 * no further MUST rule.
 */
const assertSameVerdicts = ({ document, fact, file, issuer }: Saved) =>
  Effect.gen(function*() {
    const reports = yield* runCheck(issuer, [file])
    for (const revision of Rule.revisions) {
      const findings = new Map(reports[revision].findings.map((_) => [_.rule, _]))
      const known = reports[revision].provider === fact.name
      for (const { rule, verdict } of Check.checkFact(fact, [document], { now: 0, revision }).findings) {
        if (verdict === "skipped" || verdict === "inconclusive" || deploymentRules.includes(rule)) continue
        if (!known && getProviderRules(fact).includes(rule)) continue
        if (urlRules.includes(rule) && findings.get(rule)?.verdict === "skipped") continue
        // A file shows neither the provider nor the format of its access tokens.
        if (rule === "tokens-verifiable" && findings.get(rule)?.verdict === "inconclusive") continue
        assert.strictEqual(findings.get(rule)?.verdict, verdict, `${rule} of ${file}, ${revision}`)
        findings.delete(rule)
      }
      // Rules about the host name are left out, because the operator chooses it. Incomplete documents can lack members, so
      // their other failures are not checked.
      const more = [...findings.values()].filter((_) => _.level === "MUST" && _.verdict === "fail").map((_) => _.rule)
      if (document.complete) assert.deepStrictEqual(more.filter((_) => !deploymentRules.includes(_)), [], file)
    }
  })

/** Asserts that the entry of a provider in the list is the same when it is made from these documents instead of the facts. */
const assertSameEntry = (fact: Facts.Fact, saved: ReadonlyArray<Saved>) =>
  Effect.gen(function*() {
    const documents = ProviderList.getDocuments(fact)
    // Documents of several tenants may have been observed. A tenant with all documents is used.
    const tenants = [...new Set(saved.map(({ issuer }) => issuer))].map((issuer) =>
      documents.flatMap((document) => saved.find((_) => _.document === document && _.issuer === issuer) ?? [])
    )
    const tenant = tenants.find(({ length }) => length === documents.length)
    assert.isDefined(tenant, `${fact.id}: no file for a document`)
    const reports = yield* runCheck(tenant![0]!.issuer, tenant!.map(({ file }) => file))
    const listed = ProviderList.makeEntry(fact)
    const checked = ProviderList.makeEntry(fact, reports)
    for (const revision of Rule.revisions) {
      // Files do not show that a provider lacks a document. The facts show it, but `check` uses them only if it recognizes the
      // provider.
      if (fact.absent !== undefined && reports[revision].provider !== fact.name && revision === "2025-06-18") continue
      assert.strictEqual(checked.supports[revision], listed.supports[revision], `${fact.id}, ${revision}`)
    }
    const known = reports[Rule.revisions[0]].provider === fact.name
    const omitted = [...deploymentRules, ...known ? [] : getProviderRules(fact)]
    const reasons = (needs: string) => needs.split(/; |, /).filter((_) => !omitted.includes(_))
    assert.deepStrictEqual(reasons(checked.needs), reasons(listed.needs), fact.id)
  })

const complete = Facts.all.filter((fact) => {
  const documents = ProviderList.getDocuments(fact)
  return documents.length > 0 && documents.every((_) => _.complete)
})

/** Rebuilds a document from the members that the facts record. */
const rebuildDocument = (document: Facts.ObservedDocument): Metadata => {
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

describe("documents that are rebuilt from the facts", () => {
  const withFiles = <A>(fact: Facts.Fact, use: (saved: ReadonlyArray<Saved>) => Effect.Effect<A>) =>
    Effect.acquireUseRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-mcp-auth-documents-"))),
      (folder) =>
        use(fact.documents.map((document, index) => {
          const file = join(folder, `${fact.id}-${index}.json`)
          const metadata = rebuildDocument(document)
          writeFileSync(file, JSON.stringify(metadata))
          return { fact, document, file, issuer: getIssuer(document, metadata) }
        })),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    )

  it.effect.each(Facts.all.filter((_) => _.documents.length > 0))(
    "have the verdicts of the facts: $id",
    (fact) => withFiles(fact, (saved) => Effect.forEach(saved, assertSameVerdicts))
  )

  it.effect.each(complete)(
    "have the result in the list: $id",
    (fact) => withFiles(fact, (saved) => assertSameEntry(fact, saved))
  )
})

const folder = process.env["DISCOVERY_DIR"]

describe.skipIf(folder === undefined)(
  `observed documents${folder === undefined ? ": skipped, DISCOVERY_DIR names no folder" : ""}`,
  () => {
    const files = folder === undefined ? [] : readdirSync(folder).filter((_) => _.endsWith(".json")).map((name) => {
      const file = join(folder, name)
      return { name, file, metadata: JSON.parse(readFileSync(file, "utf8")) as Metadata }
    })
    const servers = files.filter(({ metadata }) => metadata["issuer"] !== undefined)

    /** Tells whether the metadata has the members that the facts record. */
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
          issuer: getIssuer(document, metadata)
        }))
      )
    }))

    it.effect.each(saved)("have the verdicts of the facts: $name", ({ about }) =>
      Effect.gen(function*() {
        assert.isNotEmpty(about)
        for (const one of about) yield* assertSameVerdicts(one)
      }))

    it("exist for every document in the facts", () => {
      const found = new Set(saved.flatMap(({ about }) => about.map((_) => _.document)))
      const documents = Facts.all.flatMap((fact) => fact.documents.map((document) => ({ id: fact.id, document })))
      const missing = documents.filter(({ document }) => !found.has(document) && !document.source.endsWith("run"))
      assert.deepStrictEqual(missing.map(({ document, id }) => `${id} ${document.url} ${document.observed}`), [])
    })

    it.effect.each(complete.filter((fact) => !fact.documents.some((_) => _.source.endsWith("run"))))(
      "have the result in the list: $id",
      (fact) => assertSameEntry(fact, saved.flatMap(({ about }) => about.filter((_) => _.fact === fact)))
    )

    it.effect.each(files.filter(({ metadata }) => metadata["issuer"] === undefined))(
      "are rejected if they are metadata of a protected resource: $name",
      ({ file }) =>
        Effect.gen(function*() {
          const { code, stderr } = yield* run(["check", "--document", file])
          assert.strictEqual(code, 64)
          assert.include(stderr, "it is the metadata of a protected resource")
        })
    )
  }
)
