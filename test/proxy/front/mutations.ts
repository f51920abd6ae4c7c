/** Edits that remove the checks of the pages and endpoints, for `npm run mutations:proxy`. */
import type { Mutation } from "../../../tools/mutations/Mutation.ts"

const folder = "src/proxy/front"
const consent = "test/proxy/front/consent.test.ts"
const clients = "test/proxy/front/clients.test.ts"
const documents = "test/proxy/front/documents.test.ts"
const redirects = "test/proxy/front/RedirectUri.test.ts"
const token = "test/proxy/front/token.test.ts"
const hosts = "test/proxy/hosts.test.ts"
const layer = "test/proxy/layer.test.ts"
const records = "test/proxy/records.test.ts"

export const mutations: ReadonlyArray<Mutation> = [
  {
    attack: "2",
    file: `${folder}/Callback.ts`,
    find: "if (typeof cookie === \"string\") return invalid",
    replace: "if (typeof cookie === \"string\") return redirect(\"https://app.example.com\")",
    test: consent
  },
  {
    attack: "4",
    file: `${folder}/Consent.ts`,
    find: "if (site.length > 0) return site.length === 1 && site[0] === \"same-origin\"",
    replace: "if (site.length > 0) return true",
    test: consent
  },
  {
    attack: "4",
    file: `${folder}/Consent.ts`,
    find: "return origin.length === 1 && origin[0] === new URL(front.issuer).origin",
    replace: "return true",
    test: consent
  },
  {
    attack: "4",
    file: `${folder}/Consent.ts`,
    find: "(hash) => isEqual(hash, browser)",
    replace: "() => true",
    test: consent
  },
  { attack: "5", file: `${folder}/Pages.ts`, find: "\"frame-ancestors 'none'\",", replace: "", test: consent },
  { attack: "5", file: `${folder}/Pages.ts`, find: "\"x-frame-options\": \"DENY\",", replace: "", test: consent },
  {
    attack: "9",
    file: `${folder}/ClientName.ts`,
    find: "if (index === maximumGraphemes || ",
    replace: "if (",
    test: consent
  },
  { attack: "9", file: `${folder}/ClientName.ts`, find: "\\p{Cf}", replace: "", test: consent },
  {
    attack: "10",
    file: `${folder}/Pages.ts`,
    find: "host !== undefined && title !== \"consentTitle\"",
    replace: "host === \"\"",
    test: documents
  },
  { attack: "11", file: `${folder}/Html.ts`, find: "? escape(value)", replace: "? value", test: consent },
  {
    attack: "14",
    file: `${folder}/Callback.ts`,
    find: "if ((yield* front.store.get(spent)) !== undefined) return yield* new Spent()",
    replace: "yield* front.store.remove(spent)",
    test: consent
  },
  {
    attack: "38",
    file: `${folder}/Callback.ts`,
    find: "(version) => version === undefined ? Effect.fail(new Spent()) : Effect.void",
    replace: "() => Effect.void as Effect.Effect<void, Spent>",
    test: consent
  },
  {
    attack: "19",
    file: `${folder}/DynamicClient.ts`,
    find: "if (!isOurs) return undefined",
    replace: "",
    test: clients
  },
  {
    attack: "19",
    file: `${folder}/ClientDocument.ts`,
    find: "uris.some((registered) => redirectUris.matches(registered, uri))",
    replace: "uris.length > 0",
    test: documents
  },
  {
    attack: "20",
    file: `${folder}/RedirectUri.ts`,
    find: "if (!isSame || url.username !== \"\" || url.password !== \"\") return undefined",
    replace: "",
    test: redirects
  },
  {
    attack: "20",
    file: `${folder}/RedirectUri.ts`,
    find: "publicHost.test(url.hostname) ? \"https\" : undefined",
    replace: "\"https\"",
    test: redirects
  },
  {
    attack: "20",
    file: `${folder}/RedirectUri.ts`,
    find: "if (/%(?:2f|5c|00)/i.test(url.pathname)) return undefined",
    replace: "",
    test: redirects
  },
  {
    attack: "21",
    file: `${folder}/RedirectUri.ts`,
    find: "return loopback.test(uri) ? \"loopback\" : undefined",
    replace: "return url.protocol === \"http:\" && !loopback.test(uri) ? undefined : \"loopback\"",
    test: redirects
  },
  {
    attack: "22",
    file: `${folder}/RedirectUri.ts`,
    find: "return loopback.test(uri) ? \"loopback\" : undefined",
    replace: "return url.protocol === \"http:\" ? \"loopback\" : undefined",
    test: redirects
  },
  {
    attack: "23",
    file: `${folder}/RedirectUri.ts`,
    find: " && one[3] === other[3]",
    replace: "",
    test: redirects
  },
  {
    attack: "24",
    file: `${folder}/RedirectUri.ts`,
    find: " || uri.includes(\"#\")",
    replace: "",
    test: redirects
  },
  {
    attack: "28",
    file: `${folder}/Authorize.ts`,
    find: "if (get(\"code_challenge_method\") !== \"S256\") return",
    replace: "if (get(\"code_challenge_method\") === \"\") return",
    test: consent
  },
  {
    attack: "28",
    file: `${folder}/Authorize.ts`,
    find: "challenge === undefined || !/^[\\w-]{43}$/.test(challenge)",
    replace: "challenge === undefined",
    test: consent
  },
  {
    attack: "34",
    file: `${folder}/Authorize.ts`,
    find: "headers: { location, \"cache-control\": \"no-store\", \"referrer-policy\": \"no-referrer\" }",
    replace: "headers: { location }",
    test: consent
  },
  {
    attack: "35",
    file: `${folder}/Parameters.ts`,
    find: "if (values.has(name)) return Result.fail(\"repeats a parameter\")",
    replace: "",
    test: token
  },
  {
    attack: "40",
    file: `${folder}/Callback.ts`,
    find: "{ code, state, iss: front.issuer }",
    replace: "{ code, state }",
    test: consent
  },
  {
    attack: "42",
    file: `${folder}/ResourceParameter.ts`,
    find: "one.origin === resource.origin && ",
    replace: "",
    test: redirects
  },
  {
    attack: "49",
    file: `${folder}/Callback.ts`,
    find: "approved.scopes.filter((scope) => granted.includes(scope))",
    replace: "approved.scopes.filter((scope) => granted.length > 0 || scope === \"\")",
    test: consent
  },
  {
    attack: "57",
    file: `${folder}/Answers.ts`,
    find: "error(503, \"temporarily_unavailable\"",
    replace: "error(503, \"server_error\"",
    test: token
  },
  {
    attack: "60",
    file: `${folder}/Answers.ts`,
    find: "\"The code or the refresh token is not valid\"",
    replace: "error_.reason",
    test: token
  },
  {
    attack: "68",
    file: `${folder}/DynamicClient.ts`,
    find: "token_endpoint_auth_method: \"none\",\n        grant_types",
    replace:
      "token_endpoint_auth_method: (metadata[\"token_endpoint_auth_method\"] ?? \"none\") as \"none\",\n        grant_types",
    test: clients
  },
  {
    attack: "70",
    file: `${folder}/internal/documentFetcher.ts`,
    find: " && AddressGuard.isPublicHost(hostname)",
    replace: "",
    test: documents
  },
  {
    attack: "72",
    file: `${folder}/ClientDocuments.ts`,
    find: "if (Fetcher.isRedirect(status)) return yield* reject(\"redirects\")\n        if (status !== 200)",
    replace: "if (status !== 200 && status !== 302)",
    test: documents
  },
  {
    attack: "73",
    file: `${folder}/ClientDocuments.ts`,
    find: "const timeLimit = Duration.seconds(5)",
    replace: "const timeLimit = Duration.hours(5)",
    test: documents
  },
  {
    attack: "74",
    file: `${folder}/ClientDocuments.ts`,
    find: "running >= maximumAtOnce || (!isKnown && runningOfUnknown >= maximumAtOnceOfUnknown)",
    replace: "running >= maximumAtOnce",
    test: documents
  },
  {
    attack: "74",
    file: `${folder}/ClientDocuments.ts`,
    find: "counter.running >= atOnce ||",
    replace: "",
    test: documents
  },
  {
    attack: "74",
    file: `${folder}/ClientDocuments.ts`,
    find: " || counter.times.length >= perMinute",
    replace: "",
    test: documents
  },
  {
    attack: "74",
    file: `${folder}/ClientDocuments.ts`,
    find: "[[host, limitsOfHost], [`*.${siteOf(host)}`, limitsOfSite]]",
    replace: "[[host, limitsOfHost]]",
    test: documents
  },
  {
    attack: "74",
    file: `${folder}/ClientDocuments.ts`,
    find: "const { hostname } = new URL(url)",
    replace: "const { host: hostname } = new URL(url)",
    test: documents
  },
  {
    attack: "74",
    file: `${folder}/ClientDocuments.ts`,
    find: "known.delete(hostname)",
    replace: "",
    test: documents
  },
  {
    attack: "74",
    file: `${folder}/ClientDocuments.ts`,
    find: "const counter = counters.use(name) ??",
    replace:
      "if (counters.size >= 2 * maximumCached && !counters.has(name)) return undefined\n        const counter = counters.use(name) ??",
    test: documents
  },
  {
    attack: "70",
    file: `${folder}/ClientDocuments.ts`,
    find: "Effect.fail(unavailable(\"cannot be fetched\"))",
    replace: "Effect.fail(unavailable(cause))",
    test: documents
  },
  {
    attack: "75",
    file: `${folder}/ClientDocumentUrl.ts`,
    find: " && parsed.success.href === id",
    replace: "",
    test: documents
  },
  {
    attack: "76",
    file: `${folder}/ClientDocument.ts`,
    find: "if (document[\"client_id\"] !== url) return Result.fail(\"has another client_id than its URL\")",
    replace: "",
    test: documents
  },
  {
    attack: "77",
    file: `${folder}/ClientDocument.ts`,
    find: "if (secrets.some((name) => Object.hasOwn(document, name))) return Result.fail(\"contains a client secret\")",
    replace: "",
    test: documents
  },
  {
    attack: "79",
    file: `${folder}/ClientDocuments.ts`,
    find: "if (status === 403 || status === 429 || status >= 500)",
    replace: "if (status === 429 || status >= 500)",
    test: documents
  },
  {
    attack: "83",
    file: `${folder}/Answers.ts`,
    find: "headers: { allow: methods, \"cache-control\": \"no-store\" }",
    replace: "headers: { ...open, allow: methods }",
    test: token
  },
  {
    attack: "84",
    file: `${folder}/Cookies.ts`,
    find: "part.replace(/^[ \\t]+/, \"\")",
    replace: "part.trim()",
    test: consent
  },
  {
    attack: "84",
    file: `${folder}/Cookies.ts`,
    find: "pairs.length > 1 ? \"repeated\" : { value: pairs[0]!.value }",
    replace: "{ value: pairs.at(-1)!.value }",
    test: consent
  },
  {
    attack: "83",
    file: `${folder}/NodeRouter.ts`,
    find: "for (const name of foreignHeaders) res.removeHeader?.(name)",
    replace: "",
    test: hosts
  },
  {
    attack: "83",
    file: `${folder}/EffectRoutes.ts`,
    find: "foreignHeaders.reduce((rest, name) => HttpServerResponse.removeHeader(rest, name), sent)",
    replace: "sent",
    test: hosts
  },
  {
    attack: "59",
    file: `${folder}/EffectRoutes.ts`,
    find: "if (name === \"url.query\") return",
    replace: "",
    test: hosts
  },
  {
    attack: "59",
    file: `${folder}/EffectRoutes.ts`,
    find: "String(value).split(\"?\", 1)[0]",
    replace: "value",
    test: hosts
  },
  {
    attack: "59",
    file: `${folder}/EffectRoutes.ts`,
    find: "Exit.isFailure(exit) ?",
    replace: "Exit.isSuccess(exit) ?",
    test: hosts
  },
  {
    attack: "73",
    file: `${folder}/Body.ts`,
    find: "const timeLimit = Duration.seconds(10)",
    replace: "const timeLimit = Duration.hours(10)",
    test: token
  },
  {
    attack: "73",
    file: `${folder}/WebHandler.ts`,
    find: "signal.addEventListener(\"abort\", () => void reader.cancel().catch(() => {}))",
    replace: "",
    test: hosts
  },
  {
    attack: "21",
    file: `${folder}/RegisteredClients.ts`,
    find: "URL.canParse(uri)",
    replace: "true",
    test: layer
  },
  {
    attack: "61",
    file: "src/proxy/makeProxy.ts",
    find: "sealedStore.make(yield* storeFor(issuer), recordSeal.make(keys, issuer))",
    replace: "yield* storeFor(issuer)",
    test: records
  },
  {
    attack: "63",
    file: "src/proxy/grants/GrantService.ts",
    find: "if (record.sealedBy !== sealedBy) yield* people.renew(record.subject, id)",
    replace: "",
    test: records
  },
  {
    attack: "A10",
    file: "src/proxy/grants/Code.ts",
    find: "(isOurs) => isOurs ? name : undefined",
    replace: "() => name",
    test: "test/proxy/grants/codes.test.ts"
  },
  {
    attack: "A10",
    file: `${folder}/Callback.ts`,
    find: "error.reason === \"code\" ? budget.use(browser) : Effect.void",
    replace: "error.reason === \"state\" ? budget.use(browser) : Effect.void",
    test: consent
  },
  {
    attack: "A10",
    file: `${folder}/Cookies.ts`,
    find: "(isOurs) => isOurs ? id : undefined",
    replace: "() => id",
    test: consent
  },
  {
    attack: "A10",
    file: `${folder}/TokenEndpoint.ts`,
    find: "if (retryAfter > 0) return yield* new TooManyRefreshes({ retryAfter })",
    replace: "",
    test: token
  },
  {
    attack: "A1",
    file: `${folder}/Pages.ts`,
    find: "{ headers: { \"referrer-policy\": \"same-origin\" } }",
    replace: "{}",
    test: consent
  },
  {
    attack: "A3",
    file: `${folder}/Authorize.ts`,
    find: "return kind === \"loopback\"",
    replace: "return kind !== \"private-use\"",
    test: consent
  },
  {
    attack: "A12",
    file: `${folder}/Authorize.ts`,
    find: "if (state !== shortState) return",
    replace: "if (state === \"\") return",
    test: consent
  },
  {
    attack: "A13",
    file: `${folder}/Authorize.ts`,
    find: "(get(\"prompt\") ?? \"\").split(\" \").includes(\"none\")",
    replace: "get(\"prompt\") === \"\"",
    test: consent
  },
  {
    attack: "A16",
    file: `${folder}/Cookies.ts`,
    find: "pairs.length > 1 ? \"repeated\" : { value: pairs[0]!.value }",
    replace: "{ value: pairs[0]!.value }",
    test: consent
  },
  {
    attack: "1",
    file: `${folder}/Authorize.ts`,
    find: "return yield* consentPage(front, request, found, kind, requested)",
    replace: "return front.pages.moveOn(\"https://upstream.test/authorize\")",
    test: consent
  },
  {
    attack: "3",
    file: `${folder}/Authorize.ts`,
    find: "return yield* consentPage(front, request, found, kind, requested)",
    replace:
      "const page = yield* consentPage(front, request, found, kind, requested)\n    const more = yield* front.cookies.store(request, \"k\".repeat(22), \"sealed\")\n    return { ...page, cookies: [...page.cookies, ...more] }",
    test: consent
  },
  {
    attack: "12",
    file: `${folder}/Pages.ts`,
    find: "\"default-src 'none'\",",
    replace: "\"default-src *\",",
    test: documents
  },
  {
    attack: "15",
    file: `${folder}/Pages.ts`,
    find: "upstreamScopes.length === 0 ? undefined",
    replace: "upstreamScopes.length >= 0 ? undefined",
    test: consent
  },
  {
    attack: "16",
    file: `${folder}/Pages.ts`,
    find: "${signedIn(person)}<p>${fill(\"closeWindow\")}",
    replace: "<p>${fill(\"closeWindow\")}",
    test: consent
  },
  {
    attack: "27",
    file: `${folder}/Authorize.ts`,
    find: "  status: 303,",
    replace: "  status: 307,",
    test: consent
  },
  {
    attack: "A2",
    file: `${folder}/Consent.ts`,
    find: "return { ...front.pages.moveOn(url), cookies }",
    replace: "return { status: 303, headers: { location: url }, cookies, body: \"\" }",
    test: consent
  },
  {
    attack: "A4",
    file: `${folder}/Style.ts`,
    find: ".late{visibility:hidden;",
    replace: ".late{",
    test: consent
  },
  {
    attack: "A11",
    file: `${folder}/Pages.ts`,
    find: "\"x-frame-options\": \"DENY\",",
    replace: "\"x-frame-options\": \"DENY\", \"cross-origin-opener-policy\": \"same-origin\",",
    test: consent
  }
]
