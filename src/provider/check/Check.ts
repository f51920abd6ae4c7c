/**
 * Checks whether an authorization server supports MCP: fetches its metadata and keys as MCP clients and resource servers do,
 * and checks the responses against the rules.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import type * as ConfigOption from "../../protocol/ConfigOption.ts"
import * as HttpUri from "../../protocol/HttpUri.ts"
import * as WellKnown from "../../protocol/WellKnown.ts"
import type { Fact, ObservedDocument } from "../facts/Facts.ts"
import { identify } from "../facts/Identify.ts"
import * as NamedHosts from "../probe/NamedHosts.ts"
import * as Probe from "../probe/Probe.ts"
import { fetchDocument } from "../probe/Redirect.ts"
import { isObject, isShallow, type Json, parseJson, shown, text, toJson } from "../report/Json.ts"
import * as Report from "../report/Report.ts"
import type { Revision, RuleResult } from "../report/Rule.ts"
import { findProblem, revisionRule } from "./CheckOptions.ts"
import { checkServer } from "./CheckServer.ts"
import { isMetadata, type MetadataDocument, type Observations, type WellKnownUrl } from "./Observations.ts"

/**
 * The server does not respond, so there is nothing to check.
 *
 * @category errors
 * @since 0.1.0
 */
export class Unreachable extends Data.TaggedError("Unreachable")<{ readonly url: string; readonly detail: string }> {
  override get message(): string {
    return `${shown(this.url)} ${shown(this.detail, 600)}`
  }
}

/**
 * The input is not an issuer, a URL or a document.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidInput extends Data.TaggedError("InvalidInput")<{ readonly detail: string }> {
  override get message(): string {
    return shown(this.detail, 600)
  }
}

/**
 * The options of a check.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The revision of MCP to check against. Default: `2026-07-28`, the newest. */
  readonly revision?: Revision | undefined
  /** Called before each step that can take seconds. */
  readonly onStep?: ((step: string) => Effect.Effect<void>) | undefined
}

/**
 * Checks a running authorization server.
 *
 * **Details**
 *
 * Fetches all well-known URLs, even after one of them has returned metadata, and then the key set. Sends requests with a
 * foreign `Origin` to the metadata, the token endpoint and the registration endpoint, to see whether their CORS headers allow
 * browser clients. Registers no client and signs in no user. Follows only redirects of metadata
 * within the origin, as both official clients do. If the server is public, the check does not
 * follow URLs in its documents to loopback or private addresses. This requires a client that connects to the addresses that
 * `AddressGuard.Resolver` returns, as the command does. `FetchHttpClient` resolves names again, so a server can change its
 * address in between (DNS rebinding).
 *
 * **Example** (Rules that fail)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Check } from "effect-mcp-auth/provider"
 * import { FetchHttpClient } from "effect/http"
 *
 * const report = Check.run("https://auth.example.com").pipe(
 *   Effect.map((report) => report.findings.filter((finding) => finding.verdict === "fail")),
 *   Effect.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const run = Effect.fn("Check.run")(function*(
  issuer: string,
  options: Options = {}
): Effect.fn.Return<Report.Report, Unreachable | InvalidInput, HttpClient.HttpClient> {
  const problem = findProblem(options, "Check.run", table)
  if (problem !== undefined) return yield* new InvalidInput({ detail: problem })
  const url = yield* parseIssuer(issuer)
  return yield* NamedHosts.provideGuard(url)(examine(issuer, url, options))
})

const table: ConfigOption.Table<keyof Options> = { revision: revisionRule, onStep: true }

const examine = Effect.fnUntraced(function*(
  issuer: string,
  url: URL,
  { onStep = () => Effect.void, revision = revisionRule.default }: Options
): Effect.fn.Return<Report.Report, Unreachable, HttpClient.HttpClient> {
  yield* onStep(`fetching the metadata of ${url.host}`)
  const headers = { "mcp-protocol-version": revision }
  const wellKnownUrls = yield* Effect.forEach(
    WellKnown.authorizationServerMetadata(url),
    (place): Effect.Effect<WellKnownUrl, never, HttpClient.HttpClient> =>
      Effect.map(fetchDocument(place, headers), (located) => ({
        ...located,
        kind: place.includes("/.well-known/oauth-") ? "oauth-authorization-server" : "openid-configuration"
      })),
    { concurrency: "unbounded" }
  )
  const unreached = wellKnownUrls.map(({ reading }) => reading).filter((reading) =>
    reading._tag === "NoDocument" && reading.kind === "no-response"
  )
  if (unreached.length === wellKnownUrls.length) {
    const [first] = unreached
    return yield* new Unreachable({ url: issuer, detail: first?._tag === "NoDocument" ? first.detail : "" })
  }
  const documents = wellKnownUrls.flatMap(({ kind, reading }): ReadonlyArray<MetadataDocument> =>
    isMetadata(reading)
      ? [{ kind, url: reading.url, metadata: reading.json, unseen: new Set(), complete: true }]
      : []
  )
  const observations = yield* observe(issuer, wellKnownUrls, documents, onStep)
  return report(observations, checkServer(observations), revision, yield* Clock.currentTimeMillis)
})

const parseIssuer = (issuer: string): Effect.Effect<URL, InvalidInput> => {
  if (!URL.canParse(issuer) || !/^https?:$/.test(new URL(issuer).protocol)) {
    return Effect.fail(
      new InvalidInput({ detail: `${shown(issuer)} is not an issuer. Write its URL, such as https://auth.example.com` })
    )
  }
  const url = new URL(issuer)
  // Before the other errors, because these contain the URL.
  if (url.username !== "" || url.password !== "") {
    return Effect.fail(new InvalidInput({ detail: "The issuer contains a user name or a password. Leave them out" }))
  }
  const written = WellKnown.issuerOfMetadata(url)
  if (written !== undefined) {
    return Effect.fail(
      new InvalidInput({
        detail: `${shown(issuer)} is the URL of a document. Write its issuer, which may be ${shown(written)}`
      })
    )
  }
  return Effect.succeed(url)
}

const observe = (
  issuer: string,
  wellKnownUrls: ReadonlyArray<WellKnownUrl>,
  documents: ReadonlyArray<MetadataDocument>,
  onStep: (step: string) => Effect.Effect<void>
): Effect.Effect<Observations, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const provider = identify(issuer)
    const [used] = documents
    if (used === undefined) return { issuer, wellKnownUrls, documents, keySet: undefined, cors: {}, provider }
    const { metadata } = used
    const endpoint = (name: string): string | undefined => {
      const value = text(metadata, name)
      return value !== undefined && URL.canParse(value) && HttpUri.isSecure(new URL(value)) ? value : undefined
    }
    yield* onStep("fetching its keys and its CORS headers")
    const origin = { origin: Probe.origin }
    const preflight = {
      ...origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type"
    }
    const at = <A>(url: string | undefined, request: Probe.ProbeRequest, then: (exchange: Probe.Exchange) => A) =>
      url === undefined ? Effect.succeed(undefined) : Effect.map(Probe.send(url, request), then)
    const [keySet, forMetadata, forToken, forRegistration] = yield* Effect.all([
      at(endpoint("jwks_uri"), { headers: { accept: "application/json, application/jwk-set+json" } }, Probe.read),
      at(used.url, { headers: origin }, (_) => _),
      // This request is deliberately invalid: it has no code and names no client. The check uses only the CORS headers of the
      // response.
      at(endpoint("token_endpoint"), {
        method: "POST",
        headers: { ...origin, "content-type": "application/x-www-form-urlencoded" },
        body: "grant_type=authorization_code"
      }, (_) => _),
      at(endpoint("registration_endpoint"), { method: "OPTIONS", headers: preflight }, (_) => _)
    ], { concurrency: "unbounded" })
    return {
      issuer,
      wellKnownUrls,
      documents,
      keySet,
      cors: {
        ...(forMetadata === undefined ? {} : { metadata: forMetadata }),
        ...(forToken === undefined ? {} : { token: forToken }),
        ...(forRegistration === undefined ? {} : { registration: forRegistration })
      },
      provider
    }
  })

const report = (
  { documents, issuer, provider }: Observations,
  results: ReadonlyArray<RuleResult>,
  revision: Revision,
  now: number
): Report.Report =>
  Report.make({
    kind: "authorization-server",
    subject: issuer ?? text(documents[0]?.metadata ?? {}, "issuer") ?? "a document",
    revision,
    now,
    results,
    provider: provider?.name,
    notes: provider === undefined ? [] : [
      `How to get the right audience: ${provider.audienceSetup}`,
      ...provider.quirks,
      ...(provider.profile === null ? [] : [`Its profile is Profiles.${provider.profile}`])
    ]
  })

/**
 * The options of a check of saved documents.
 *
 * @category models
 * @since 0.1.0
 */
export interface DocumentOptions {
  /** The revision of MCP to check against. Default: `2026-07-28`, the newest. */
  readonly revision?: Revision | undefined
  /** The issuer that the documents should name. Default: the issuer in the first document. */
  readonly issuer?: string | undefined
  /** The saved content of `jwks_uri`. If it is missing, the rules for keys are skipped. */
  readonly jwks?: unknown
  /** The time of the report, in milliseconds since 1970. */
  readonly now: number
}

/**
 * Checks saved metadata documents, without a network.
 *
 * **When to use**
 *
 * Use it if this machine cannot reach the server, but you have its documents.
 *
 * **Example** (Metadata without PKCE)
 *
 * ```ts
 * import { Check, Report } from "effect-mcp-auth/provider"
 * import assert from "node:assert/strict"
 *
 * const text = JSON.stringify({
 *   issuer: "https://auth.example.com",
 *   authorization_endpoint: "https://auth.example.com/authorize",
 *   token_endpoint: "https://auth.example.com/token",
 *   jwks_uri: "https://auth.example.com/keys",
 *   response_types_supported: ["code"]
 * })
 * const report = Check.checkDocuments([{ name: "metadata.json", text }], { now: Date.now() })
 *
 * assert.ok("findings" in report && Report.toExitCode(report) === 1)
 * assert.ok(report.findings.some(({ rule, verdict }) => rule === "pkce-s256" && verdict === "fail"))
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const checkDocuments = (
  texts: ReadonlyArray<{ readonly name: string; readonly text: string }>,
  options: DocumentOptions
): Report.Report | InvalidInput => {
  const problem = findProblem(options, "Check.checkDocuments", documentTable)
  if (problem !== undefined) return new InvalidInput({ detail: problem })
  const { issuer, jwks, now, revision = revisionRule.default } = options
  const documents: Array<MetadataDocument> = []
  for (const { name, text: content } of texts) {
    const metadata = parseJson(content)
    if (!isObject(metadata)) {
      const page = /^\s*</.test(content) ? "a web page" : "not a JSON object"
      return new InvalidInput({
        detail: `${shown(name)} is ${page}, and clients stop at such a response. Save the metadata as JSON`
      })
    }
    if (!isShallow(metadata)) {
      return new InvalidInput({ detail: `${shown(name)} nests too deeply for a metadata document` })
    }
    if (text(metadata, "issuer") === undefined) {
      const resource = text(metadata, "resource") !== undefined
      return new InvalidInput({
        detail: `${shown(name)} names no issuer${
          resource ? ": it is the metadata of a protected resource. Run doctor for an MCP server" : ""
        }`
      })
    }
    documents.push({ kind: detectKind(name, metadata), url: name, metadata, unseen: new Set(), complete: true })
  }
  const observations: Observations = {
    issuer,
    wellKnownUrls: undefined,
    documents: inDiscoveryOrder(documents),
    keySet: jwks === undefined ? undefined : Probe.read({
      _tag: "Response",
      url: "the key set",
      status: 200,
      headers: { "content-type": "application/json" },
      body: toJson(jwks)
    }),
    cors: {},
    provider: identify(issuer ?? text(documents[0]?.metadata ?? {}, "issuer") ?? "")
  }
  return report(observations, checkServer(observations), revision, now)
}

const documentTable: ConfigOption.Table<keyof DocumentOptions> = {
  revision: revisionRule,
  issuer: true,
  jwks: true,
  now: true
}

/**
 * Detects the kind of a saved document by its name, or else by its members. OpenID Connect requires two members that RFC 8414
 * does not define. A document without them is an RFC 8414 document. A document with them can be of either kind, because servers
 * put these members into both documents.
 */
const detectKind = (name: string, metadata: Json): MetadataDocument["kind"] =>
  /oauth-authorization-server/.test(name)
    ? "oauth-authorization-server"
    : /openid-configuration/.test(name)
    ? "openid-configuration"
    : ["subject_types_supported", "id_token_signing_alg_values_supported"].some((_) => Object.hasOwn(metadata, _))
    ? "either"
    : "oauth-authorization-server"

/** Sorts documents in the order in which clients request them. */
const inDiscoveryOrder = (documents: ReadonlyArray<MetadataDocument>): ReadonlyArray<MetadataDocument> => {
  const order: ReadonlyArray<MetadataDocument["kind"]> = [
    "oauth-authorization-server",
    "either",
    "openid-configuration"
  ]
  return [...documents].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
}

/**
 * Returns the issuer that the URL of an observed document implies. Does not replace placeholders for tenants, such as
 * `{tenant}`.
 *
 * @category getters
 * @since 0.1.0
 */
export const getIssuer = ({ url }: ObservedDocument): string => url.replace(/\/\.well-known\/[a-z-]+/, "")

/**
 * The metadata members that an `ObservedDocument` records. For a member that is a URL, it records only whether the member
 * exists, so the URLs here are placeholders.
 */
const recorded: Readonly<Record<string, (document: ObservedDocument) => unknown>> = {
  jwks_uri: (_) => _.jwksUri ? "https://recorded.invalid/jwks" : undefined,
  registration_endpoint: (_) => _.registrationEndpoint ? "https://recorded.invalid/register" : undefined,
  introspection_endpoint: (_) => _.introspectionEndpoint ? "https://recorded.invalid/introspect" : undefined,
  code_challenge_methods_supported: (_) => _.codeChallengeMethods,
  token_endpoint_auth_methods_supported: (_) => _.tokenEndpointAuthMethods,
  client_id_metadata_document_supported: (_) => _.clientIdMetadataDocuments,
  authorization_response_iss_parameter_supported: (_) => _.issParameter,
  dpop_signing_alg_values_supported: (_) => _.dpopAlgorithms
}

/**
 * Checks the observed documents of a provider against the rules of `run`. Skips rules for members that the facts do not record.
 *
 * @category checks
 * @since 0.1.0
 */
export const checkFact = (
  fact: Fact,
  facts: ReadonlyArray<ObservedDocument>,
  { now, revision = revisionRule.default }: Pick<DocumentOptions, "now" | "revision">
): Report.Report => {
  const [first] = facts
  const issuer = first === undefined ? "" : getIssuer(first).replace(/\{[a-z]+\}/g, "recorded")
  const named = { same: issuer, template: `${issuer}/{tenantid}`, other: "https://other.invalid" }
  const documents = facts.map((document): MetadataDocument => ({
    kind: document.kind,
    url: document.url,
    metadata: Object.fromEntries(
      [
        ["issuer", named[document.issuer]] as const,
        ...Object.entries(recorded).map(([name, value]) => [name, value(document)] as const),
        ["scopes_supported", document.offlineAccess ? ["offline_access"] : undefined] as const
      ].filter(([, value]) => value !== undefined)
    ),
    unseen: new Set([
      "authorization_endpoint",
      "token_endpoint",
      "response_types_supported",
      "grant_types_supported",
      "scopes_supported"
    ]),
    complete: document.complete
  }))
  const observations: Observations = {
    issuer,
    wellKnownUrls: undefined,
    documents: inDiscoveryOrder(documents),
    keySet: undefined,
    cors: {},
    provider: fact
  }
  const checked = report(observations, checkServer(observations), revision, now)
  return { ...checked, subject: fact.name }
}
