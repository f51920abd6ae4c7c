/**
 * Whether an authorization server fits MCP: everything that a client and a resource server would ask it, asked once and
 * judged.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as WellKnown from "../../protocol/WellKnown.ts"
import type * as Fact from "../facts/Fact.ts"
import { identify } from "../facts/Identify.ts"
import * as NamedHosts from "../probe/NamedHosts.ts"
import * as Probe from "../probe/Probe.ts"
import { isObject, isShallow, type Json, parseJson, shown, text, toJson } from "../report/Json.ts"
import * as Report from "../report/Report.ts"
import type { Judgement, Revision } from "../report/Rule.ts"
import { checkServer, type Document, type Evidence, isMetadata, type Place } from "./CheckServer.ts"

/**
 * Nothing answered: there is nothing to judge.
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
 * What was given is no issuer, no URL or no document.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotUsable extends Data.TaggedError("NotUsable")<{ readonly detail: string }> {
  override get message(): string {
    return shown(this.detail, 600)
  }
}

/**
 * How an authorization server is checked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default: the newest. */
  readonly revision?: Revision | undefined
  /** Told before each step that may take a while. */
  readonly onStep?: ((step: string) => Effect.Effect<void>) | undefined
}

/**
 * Asks an authorization server as clients do, and judges it.
 *
 * **Details**
 *
 * All well-known URLs are asked, also those behind the one that a client would take; then the key set, and what a browser
 * would need to know about other origins. Nothing is registered and nobody signs in. Redirects are not followed. What a
 * public server names on a loopback or private address is not asked.
 *
 * **Example** (Does it fit?)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { Check } from "effect-mcp-auth/provider"
 * import { FetchHttpClient } from "effect/http"
 *
 * const report = Check.run("https://auth.example.com").pipe(
 *   Effect.map((report) => report.findings.filter((finding) => finding.verdict === "failed")),
 *   Effect.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const run = Effect.fn("Check.run")(function*(
  issuer: string,
  { onStep = () => Effect.void, revision = "2026-07-28" }: Options = {}
): Effect.fn.Return<Report.Report, Unreachable | NotUsable, HttpClient.HttpClient> {
  const url = yield* parseIssuer(issuer)
  yield* onStep(`asking ${url.host} for its metadata`)
  const headers = { "mcp-protocol-version": revision }
  const places = yield* Effect.forEach(
    WellKnown.authorizationServerMetadata(url),
    (place): Effect.Effect<Place, never, HttpClient.HttpClient> =>
      Effect.map(Probe.ask(place, { headers }), (exchange) => ({
        kind: place.includes("/.well-known/oauth-") ? "oauth-authorization-server" : "openid-configuration",
        reading: Probe.read(exchange)
      })),
    { concurrency: "unbounded" }
  )
  const unreached = places.map(({ reading }) => reading).filter((reading) =>
    reading._tag === "NoDocument" && reading.kind === "not-reached"
  )
  if (unreached.length === places.length) {
    const [first] = unreached
    return yield* new Unreachable({ url: issuer, detail: first?._tag === "NoDocument" ? first.detail : "" })
  }
  const documents = places.flatMap(({ kind, reading }): ReadonlyArray<Document> =>
    isMetadata(reading)
      ? [{ kind, url: reading.url, metadata: reading.json, unseen: new Set(), complete: true }]
      : []
  )
  const evidence = yield* NamedHosts.guarded(url)(lookFurther(issuer, places, documents, onStep))
  return report(evidence, checkServer(evidence), revision, yield* Clock.currentTimeMillis)
})

const parseIssuer = (issuer: string): Effect.Effect<URL, NotUsable> => {
  if (!URL.canParse(issuer) || !/^https?:$/.test(new URL(issuer).protocol)) {
    return Effect.fail(
      new NotUsable({ detail: `${shown(issuer)} is no issuer: write a URL such as https://auth.example.com` })
    )
  }
  const url = new URL(issuer)
  if (url.pathname.includes("/.well-known/")) {
    const path = url.pathname.replace(/\/\.well-known\/(?:oauth-authorization-server|openid-configuration)/, "")
    return Effect.fail(
      new NotUsable({ detail: `${shown(issuer)} is the URL of a document; its issuer may be ${url.origin}${path}` })
    )
  }
  if (url.username !== "" || url.password !== "") {
    return Effect.fail(new NotUsable({ detail: "An issuer has no user name and no password in it" }))
  }
  return Effect.succeed(url)
}

const lookFurther = (
  issuer: string,
  places: ReadonlyArray<Place>,
  documents: ReadonlyArray<Document>,
  onStep: (step: string) => Effect.Effect<void>
): Effect.Effect<Evidence, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const provider = identify(issuer)
    const [used] = documents
    if (used === undefined) return { issuer, places, documents, keySet: undefined, cors: {}, provider }
    const { metadata } = used
    const endpoint = (name: string): string | undefined => {
      const value = text(metadata, name)
      return value !== undefined && URL.canParse(value) && WellKnown.isSecure(new URL(value)) ? value : undefined
    }
    yield* onStep("asking for its keys, and for what browsers may do")
    const origin = { origin: Probe.origin }
    const preflight = {
      ...origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "content-type"
    }
    const at = <A>(url: string | undefined, asking: Probe.Asking, then: (exchange: Probe.Exchange) => A) =>
      url === undefined ? Effect.succeed(undefined) : Effect.map(Probe.ask(url, asking), then)
    const [keySet, forMetadata, forToken, forRegistration] = yield* Effect.all([
      at(endpoint("jwks_uri"), { headers: { accept: "application/json, application/jwk-set+json" } }, Probe.read),
      at(used.url, { headers: origin }, (_) => _),
      // A request that is wrong in itself: no code, no client. What its answer allows is what counts.
      at(endpoint("token_endpoint"), {
        method: "POST",
        headers: { ...origin, "content-type": "application/x-www-form-urlencoded" },
        body: "grant_type=authorization_code"
      }, (_) => _),
      at(endpoint("registration_endpoint"), { method: "OPTIONS", headers: preflight }, (_) => _)
    ], { concurrency: "unbounded" })
    return {
      issuer,
      places,
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
  { documents, issuer, provider }: Evidence,
  judgements: ReadonlyArray<Judgement>,
  revision: Revision,
  now: number
): Report.Report =>
  Report.make({
    kind: "authorization-server",
    subject: issuer ?? text(documents[0]?.metadata ?? {}, "issuer") ?? "a document",
    revision,
    now,
    judgements,
    provider: provider?.name,
    notes: provider === undefined ? [] : [
      `For the right audience: ${provider.audienceHow}`,
      ...provider.quirks,
      ...(provider.profile === null ? [] : [`Its profile: Profiles.${provider.profile}`])
    ]
  })

/**
 * How saved documents are checked, without asking the server.
 *
 * @category models
 * @since 0.1.0
 */
export interface DocumentOptions {
  readonly revision?: Revision | undefined
  /** The issuer to which the documents should belong. */
  readonly issuer?: string | undefined
  /** What belongs to `jwks_uri`, if that was saved, too. */
  readonly jwks?: unknown
  /** In milliseconds. */
  readonly now: number
}

/**
 * Judges metadata that were saved, without any network.
 *
 * **When to use**
 *
 * There is no way to the server, but somebody sent what it publishes.
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
 * const report = Check.judgeDocuments([{ name: "metadata.json", text }], { now: Date.now() })
 *
 * assert.ok("findings" in report && Report.exitCode(report) === 1)
 * assert.ok(report.findings.some(({ rule, verdict }) => rule === "pkce-s256" && verdict === "failed"))
 * ```
 *
 * @category checks
 * @since 0.1.0
 */
export const judgeDocuments = (
  texts: ReadonlyArray<{ readonly name: string; readonly text: string }>,
  { issuer, jwks, now, revision = "2026-07-28" }: DocumentOptions
): Report.Report | NotUsable => {
  const documents: Array<Document> = []
  for (const { name, text: content } of texts) {
    const metadata = parseJson(content)
    if (!isObject(metadata)) {
      const page = /^\s*</.test(content) ? "a web page" : "no JSON object"
      return new NotUsable({ detail: `${shown(name)} is ${page}: clients give up at such an answer` })
    }
    if (!isShallow(metadata)) return new NotUsable({ detail: `${shown(name)} nests too deeply for metadata` })
    if (text(metadata, "issuer") === undefined) {
      const resource = text(metadata, "resource") !== undefined
      return new NotUsable({
        detail: `${shown(name)} names no issuer${resource ? ": it is the metadata of a protected resource" : ""}`
      })
    }
    documents.push({ kind: kindOf(name, metadata), url: name, metadata, unseen: new Set(), complete: true })
  }
  const evidence: Evidence = {
    issuer,
    places: undefined,
    // As clients would find them.
    documents: asFound(documents),
    keySet: jwks === undefined ? undefined : Probe.read({
      _tag: "Answered",
      url: "the key set",
      status: 200,
      headers: { "content-type": "application/json" },
      body: toJson(jwks)
    }),
    cors: {},
    provider: identify(issuer ?? text(documents[0]?.metadata ?? {}, "issuer") ?? "")
  }
  return report(evidence, checkServer(evidence), revision, now)
}

/**
 * By its name, or by what it lacks: OpenID Connect requires both members, RFC 8414 knows neither. Servers put them into both
 * documents, so that they tell nothing.
 */
const kindOf = (name: string, metadata: Json): Document["kind"] =>
  /oauth-authorization-server/.test(name)
    ? "oauth-authorization-server"
    : /openid-configuration/.test(name)
    ? "openid-configuration"
    : ["subject_types_supported", "id_token_signing_alg_values_supported"].some((_) => Object.hasOwn(metadata, _))
    ? "either"
    : "oauth-authorization-server"

/** In the order in which clients ask. */
const asFound = (documents: ReadonlyArray<Document>): ReadonlyArray<Document> => {
  const order: ReadonlyArray<Document["kind"]> = ["oauth-authorization-server", "either", "openid-configuration"]
  return [...documents].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind))
}

/**
 * The issuer to which a document belongs by its URL, with placeholders where the document had a tenant.
 *
 * @category getters
 * @since 0.1.0
 */
export const issuerOf = ({ url }: Fact.Document): string => url.replace(/\/\.well-known\/[a-z-]+/, "")

/** Written down of every document in the facts. What is not listed here nobody wrote down. */
const recorded: Readonly<Record<string, (document: Fact.Document) => unknown>> = {
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
 * Judges what is known of a provider's documents, by the same rules: what nobody wrote down is skipped.
 *
 * @category checks
 * @since 0.1.0
 */
export const judgeFact = (
  fact: Fact.Fact,
  facts: ReadonlyArray<Fact.Document>,
  { now, revision = "2026-07-28" }: Pick<DocumentOptions, "now" | "revision">
): Report.Report => {
  const [first] = facts
  const issuer = first === undefined ? "" : issuerOf(first).replace(/\{[a-z]+\}/g, "recorded")
  const named = { same: issuer, template: `${issuer}/{tenantid}`, other: "https://other.invalid" }
  const documents = facts.map((document): Document => ({
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
  const evidence: Evidence = {
    issuer,
    places: undefined,
    documents: asFound(documents),
    keySet: undefined,
    cors: {},
    provider: fact
  }
  const judged = report(evidence, checkServer(evidence), revision, now)
  return { ...judged, subject: fact.name }
}
