import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import type { Profile } from "effect-mcp-auth"
import { Facts, Profiles } from "effect-mcp-auth/provider"
import { TokenShape } from "effect-mcp-auth/testing"
import { existsSync, readFileSync } from "node:fs"
import * as Fact from "../../../src/provider/facts/Fact.ts"
import { identify } from "../../../src/provider/facts/Identify.ts"

const one = "https://auth.example.com"
const guid = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"

/** One profile of each function of `Profiles`. */
const profiles: Readonly<Record<Exclude<keyof typeof Profiles, "anyTenant">, Profile.Profile>> = {
  adfs: Profiles.adfs({ issuer: one, accessTokenIssuer: one }),
  auth0: Profiles.auth0({ domain: "acme.eu.auth0.com" }),
  authentik: Profiles.authentik({ url: one, slug: "todos", clientId: "c" }),
  authkit: Profiles.authkit({ domain: "acme.authkit.app" }),
  betterAuth: Profiles.betterAuth({ issuer: one }),
  clerk: Profiles.clerk({ frontendApi: "clerk.example.com", clientIds: ["c"] }),
  cloudflareAccess: Profiles.cloudflareAccess({ team: "acme", audience: "0".repeat(64) }),
  cognito: Profiles.cognito({ region: "eu-west-1", userPoolId: "p", clientIds: ["c"] }),
  descope: Profiles.descope({ projectId: "P" }),
  duende: Profiles.duende({ issuer: one }),
  entra: Profiles.entra({ tenant: guid, applicationId: guid }),
  entraMultiTenant: Profiles.entraMultiTenant({ tenants: Profiles.anyTenant, applicationId: guid }),
  github: Profiles.github({ clientId: "c", clientSecret: Redacted.make("s") }),
  glewlwyd: Profiles.glewlwyd({ issuer: one }),
  google: Profiles.google({ clientIds: ["c"] }),
  googleIap: Profiles.googleIap({ audience: "/projects/1/apps/todos" }),
  hydra: Profiles.hydra({ url: one }),
  keycloak: Profiles.keycloak({ url: one, realm: "r" }),
  lemonldap: Profiles.lemonldap({ issuer: one }),
  logto: Profiles.logto({ endpoint: one }),
  oidcProvider: Profiles.oidcProvider({ issuer: one }),
  okta: Profiles.okta({ domain: "acme.okta.com", server: "s" }),
  openauth: Profiles.openauth({ issuer: one, clientIds: ["c"] }),
  pingone: Profiles.pingone({ environmentId: guid }),
  scalekit: Profiles.scalekit({ environment: one, resourceId: "res_1" }),
  springAuthorizationServer: Profiles.springAuthorizationServer({ issuer: one, clientIds: ["c"] }),
  stytch: Profiles.stytch({ domain: "acme.example", projectId: "p" }),
  supabase: Profiles.supabase({ url: one, clientIds: ["c"] }),
  zitadel: Profiles.zitadel({ url: one, projectId: "1" })
}

describe("the facts", () => {
  it("decode with their schema", () => {
    const decoded = Fact.decode(JSON.parse(JSON.stringify(Facts.all)))
    assert.deepStrictEqual(Result.getOrThrow(decoded), Facts.all)
  })

  it("have one entry for each provider", () => {
    const ids = Facts.all.map((fact) => fact.id)
    assert.deepStrictEqual(ids.filter((id, index) => ids.indexOf(id) !== index), [])
    for (const fact of Facts.all) assert.strictEqual(Facts.get(fact.id), fact)
    assert.isUndefined(Facts.get("unknown-provider"))
  })

  it("name only profiles that exist", () => {
    const named = Facts.all.flatMap((fact) => fact.profile ?? [])
    assert.deepStrictEqual(named.filter((name) => !Object.hasOwn(profiles, name)), [])
  })

  it.each(Facts.all)("$id: every fact has a source, and every document has a well-known URL", (fact) => {
    assert.isNotEmpty(fact.evidence)
    for (const { source } of fact.evidence) assert.notStrictEqual(source, "")
    // The URLs of documents contain no names of tenants.
    for (const { url } of fact.documents) assert.match(url, /^https?:\/\/[^ ]+\/\.well-known\//)
  })

  it.each(Facts.all)("$id: the setup of the audience agrees with whether it is possible", (fact) => {
    assert.strictEqual(fact.audienceSetup.startsWith("not possible"), fact.resourceAudience === "no")
    assert.strictEqual(fact.audienceSetup === "not known", fact.resourceAudience === "unknown")
  })

  it.each(Facts.all.filter((fact) => fact.documents.some((_) => _.complete)))(
    "$id: the facts agree with the newest documents",
    (fact) => {
      const newest = fact.documents.map((_) => _.observed.slice(0, 4)).sort().at(-1)!
      const documents = fact.documents.filter((_) => _.observed.startsWith(newest))
      const some = (holds: (document: Facts.ObservedDocument) => boolean | undefined) =>
        documents.some((_) => holds(_) === true)
      if (some((_) => _.registrationEndpoint)) assert.notInclude(["no", "unknown"], fact.dynamicRegistration)
      if (some((_) => _.introspectionEndpoint)) assert.notInclude(["no", "unknown"], fact.introspection)
      if (some((_) => _.clientIdMetadataDocuments)) assert.strictEqual(fact.clientIdMetadataDocuments, "yes")
    }
  )
})

describe("opaque tokens", () => {
  it.each(
    Facts.all.filter(({ introspection, kind, profile, tokens }) =>
      tokens.format === "opaque" && introspection === "yes" && profile === null && kind !== "mcp-server"
    )
  )("$id: the metadata or the facts name how a server verifies them", ({ documents, lookUp }) => {
    assert.isTrue(lookUp !== undefined || documents.some((_) => _.introspectionEndpoint))
  })
})

describe("the support of registration", () => {
  // The first draft of client ID metadata documents is of October 2024. Older documents of a provider cannot show its support.
  const answers = ({ complete, observed }: Facts.ObservedDocument) => complete && observed >= "2025"

  it.each(Facts.all.filter((fact) => fact.documents.some(answers)))(
    "$id: is known, because a complete document of 2025 or later shows it",
    ({ clientIdMetadataDocuments, dynamicRegistration }) => {
      assert.notStrictEqual(clientIdMetadataDocuments, "unknown")
      assert.notStrictEqual(dynamicRegistration, "unknown")
    }
  )
})

describe("identify", () => {
  it.each([
    ["https://fs.example.com/adfs", "adfs"],
    ["http://fs.example.com/adfs/services/trust", "adfs"],
    ["http://FS.EXAMPLE.COM/adfs/services/trust", "adfs"],
    ["http://fs.example.com/adfs/services/trust/", "adfs"],
    ["https://fs.example.com/adfs/services/trust/2005", undefined],
    ["https://fs.example.com/adfs/other", undefined]
  ])("the issuer %s belongs to the provider %s", (issuer, id) => {
    assert.strictEqual(identify(issuer)?.id, id)
  })
})

describe("every confirmed profile", () => {
  const root = new URL("../../../", import.meta.url)

  it.each(Object.entries(profiles).filter(([, profile]) => profile.confirmed))(
    "%s has a server that a test runs, or a recorded token",
    (name, profile) => {
      const proofs = Facts.get(profile.id)!.evidence.filter(({ issued, kind, shape, test }) => {
        if (kind === "run") {
          if (test === undefined) return false
          const file = new URL(test, root)
          assert.isTrue(existsSync(file), `${test} does not exist`)
          // The test passes the profile to a gate that verifies tokens of the server.
          assert.include(readFileSync(file, "utf8"), `Profiles.${name}(`, test)
          return true
        }
        if (kind !== "token" || issued === undefined || shape === undefined) return false
        assert.isTrue(Object.hasOwn(TokenShape.shapes, shape), `unknown shape ${shape}`)
        // testingShapes.test.ts verifies tokens of this shape with the profile.
        assert.strictEqual(TokenShape.shapes[shape as TokenShape.Provider].confidence, "seen", shape)
        return true
      })
      assert.isNotEmpty(proofs, `${profile.id}: the facts name neither a test nor a dated shape`)
      // One token without a user does not confirm the claims of users.
      assert.strictEqual(
        profile.notes.some((note) => note.includes("No token of a user was seen")),
        proofs.every(({ source }) => source.startsWith("a token without a user"))
      )
    }
  )

  it("is not one of those whose tokens were never seen", () => {
    const unseen = Object.values(profiles).filter(({ id }) =>
      !Facts.get(id)!.evidence.some(({ kind }) => kind === "run" || kind === "token")
    )
    assert.isNotEmpty(unseen)
    for (const { confirmed, id } of unseen) assert.isFalse(confirmed, id)
  })
})

describe("every profile", () => {
  it.each(Object.entries(profiles))("%s has facts and agrees with them", (name, profile) => {
    assert.deepStrictEqual(profile.issues, [])
    const fact = Facts.get(profile.id)
    assert.isDefined(fact, `no facts about ${profile.id}`)
    assert.strictEqual(fact!.name, profile.name)
    assert.strictEqual(fact!.profile, name === "entraMultiTenant" ? "entra" : name)
    assert.strictEqual(
      fact!.tokens.format,
      ({ never: "jwt", sometimes: "both", always: "opaque" })[profile.opaque.issued]
    )
    if (profile.opaque.issued !== "never") assert.notStrictEqual(profile.opaque.hint, "")
    // The notes state which part is not confirmed.
    if (!profile.confirmed) assert.isTrue(profile.notes.some((_) => /not confirmed|was seen/.test(_)), profile.id)
  })
})
