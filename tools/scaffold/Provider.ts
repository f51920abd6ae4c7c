/** `npm run new:provider -- <id> <name>`: a profile, a fact, a row of tokens for the tests, and their places in the lists. */
import { camel, type Files, pascal, ScaffoldError, wordsOf } from "./Files.ts"

const profileOf = (id: string, name: string, title: string, options: string): string =>
  `/**
 * The profile of ${title}.
 *
 * @since 0.1.0
 */
import * as TokenType from "../../verification/claims/TokenType.ts"
import * as Profile from "../../verification/issuers/Profile.ts"
import { type Audiences, readOptions, toAudience } from "./internal/readOptions.ts"

/**
 * The options of \`Profiles.${name}\`.
 *
 * @category models
 * @since 0.1.0
 */
export interface ${options} {
  /** The issuer, exactly as in its metadata, such as \`https://auth.example.com\`. */
  readonly issuer: string
  /** The audience of tokens for your server. Default: the resource identifier of your server. */
  readonly audience?: Audiences | undefined
}

/**
 * Creates the profile of ${title}.
 *
 * **Example** (Its issuer)
 *
 * \`\`\`ts
 * import { Profiles } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const profile = Profiles.${name}({ issuer: "https://auth.example.com" })
 *
 * assert.strictEqual(profile.issuer, "https://auth.example.com")
 * \`\`\`
 *
 * @category profiles
 * @since 0.1.0
 */
export const ${name} = (options: ${options}): Profile.Profile => {
  const reader = readOptions("${name}", options, { issuer: true, audience: true })
  return Profile.make({
    id: "${id}",
    name: "${title}",
    issuer: reader.url("issuer", options.issuer, "https://auth.example.com"),
    audience: toAudience(options.audience),
    // Only tokens with the \`typ\` of RFC 9068 are accepted. Widen this if a real token shows another one.
    tokenType: TokenType.strict,
    clientIdClaims: ["client_id"],
    confirmed: false,
    notes: ["No real token was seen."],
    issues: reader.issues
  })
}
`

const factOf = (id: string, name: string, title: string, month: string): string =>
  `import type { Fact } from "../Fact.ts"

export const ${name}: Fact = {
  id: "${id}",
  name: "${title}",
  kind: "server",
  profile: "${name}",
  asOf: "${month}",
  tokens: {
    format: "jwt",
    note: "",
    typ: null,
    algorithms: [],
    issuer: null,
    audience: "not known",
    scopes: "not known",
    clientId: null,
    machineSubject: null
  },
  resourceAudience: "unknown",
  audienceSetup: "not known",
  resourceIndicators: "unknown",
  dynamicRegistration: "unknown",
  clientIdMetadataDocuments: "unknown",
  introspection: "unknown",
  evidence: [{ kind: "documentation", source: "TODO: name the page that states these facts" }],
  quirks: [],
  documents: []
}
`

const rowOf = (name: string, title: string): string =>
  `const ${name}: Row = {
  row: "${title}",
  profile: Profiles.${name}({ issuer: "https://auth.example.com" }),
  header: { typ: "at+jwt" },
  claims: { ...times, iss: "https://auth.example.com", sub: "alice", aud: resource, client_id: "client-1", scope: both },
  admits: { subject: "alice", clientId: "client-1", scopes: ["todos:read", "todos:write"] },
  rejects: {
    ...rejectAudiences("https://other.example.com"),
    "an ID token (T-CLAIM-05)": { header: { typ: "JWT" }, claims: { nonce: "n", scope: undefined }, reason: "token-type" }
  }
}

`

/** Adds the provider, and returns what remains to do. */
export const addProvider = (
  files: Files,
  [id, title]: ReadonlyArray<string>,
  month = new Date().toISOString().slice(0, 7)
): ReadonlyArray<string> => {
  const words = wordsOf(id, "acme-id")
  if (title === undefined || !/^[\w .&+-]+$/.test(title)) {
    throw new ScaffoldError(
      `The display name is ${JSON.stringify(title)}. Give it as the second argument, such as "Acme ID"`
    )
  }
  const name = camel(words)
  const options = `${pascal(words)}Options`
  const profiles = "src/provider/profiles"
  files.add(`${profiles}/${pascal(words)}.ts`, profileOf(id!, name, title, options))
  files.append(`${profiles}/Profiles.ts`, `export { ${name}, type ${options} } from "./${pascal(words)}.ts"\n`)
  files.add(`src/provider/facts/data/${id}.ts`, factOf(id!, name, title, month))
  const facts = "src/provider/facts/Facts.ts"
  files.insertBefore(
    facts,
    `import type * as Schemas from "./Fact.ts"\n`,
    `import { ${name} } from "./data/${id}.ts"\n`
  )
  files.insertBefore(facts, "  // MCP servers that are their own authorization servers.\n", `  ${name},\n`)
  const rows = "test/provider/rows.ts"
  files.insertBefore(rows, "export const rows: ReadonlyArray<Row> = [\n", rowOf(name, title))
  files.replace(
    rows,
    "export const rows: ReadonlyArray<Row> = [\n",
    `export const rows: ReadonlyArray<Row> = [\n  ${name},\n`
  )
  files.insertBefore(
    "test/provider/facts/Facts.test.ts",
    "  cloudflareAccess: Profiles.cloudflareAccess(",
    `  ${name}: Profiles.${name}({ issuer: one }),\n`
  )
  return [
    `Fill in src/provider/facts/data/${id}.ts from the documentation and a real token. An unknown value stays "unknown".`,
    `State in ${profiles}/${pascal(words)}.ts the values with which a check compares. A profile disables no check.`,
    `Extend the row in ${rows}: a token as the provider issues it, and the tokens that the profile must reject.`,
    "Add the shape to src/testing/internal/selfHostedShapes.ts or hostedShapes.ts, the entry to src/provider/token/ServerEntry.ts,",
    "  and the name to the list in the README.",
    "Run npm run providers, npm run docs, npm run format and npm run change."
  ]
}
