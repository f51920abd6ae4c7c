/** Edits that remove a check of the upstream leg. `npm run mutations:proxy` applies them one by one. */
import type { Mutation } from "../../../tools/mutations/Mutation.ts"

const folder = "src/proxy/upstream"
const signIn = "test/proxy/upstream/SignIn.test.ts"
const tokens = "test/proxy/upstream/Tokens.test.ts"

export const mutations: ReadonlyArray<Mutation> = [
  {
    attack: "17",
    file: `${folder}/SignIn.ts`,
    find: "if (!(yield* Effect.mapError(identification.admit(candidate, \"sign-in\"), toFailure))) {",
    replace: "if (!(yield* Effect.mapError(identification.admit(candidate, \"sign-in\"), toFailure)) && false) {",
    test: signIn
  },
  {
    attack: "17",
    file: "src/proxy/Admit.ts",
    find: "own(claims, \"hd\") === domain",
    replace: "String(own(claims, \"email\")).endsWith(domain)",
    test: "test/proxy/Admit.test.ts"
  },
  {
    attack: "18",
    file: `${folder}/OAuth2.ts`,
    find: "found === undefined || found.id.includes(\"@\")",
    replace: "found === undefined",
    test: signIn
  },
  {
    attack: "18",
    file: `${folder}/GitHub.ts`,
    find: "{ id: String(id), display",
    replace: "{ id: String(login), display",
    test: signIn
  },
  {
    attack: "18",
    file: `${folder}/Preset.ts`,
    find: "const names = /^[a-z][a-z0-9-]{0,31}$/",
    replace: "const names = /^[a-z][a-z0-9|-]{0,31}$/",
    test: signIn
  },
  {
    attack: "18",
    file: `${folder}/Identification.ts`,
    find: "[name, hash, id].join(separator)",
    replace: "[name, hash.slice(8), id].join(separator)",
    test: signIn
  },
  {
    attack: "37",
    file: `${folder}/SignIn.ts`,
    find: "if (!isEqual(state, flow.state)) ",
    replace: "if (state === \"\") ",
    test: signIn
  },
  {
    attack: "37",
    file: `${folder}/IdToken.ts`,
    find: "if (typeof given !== \"string\" || !isEqual(given, nonce)) return yield* reject(\"nonce\")",
    replace: "if (given === null) return yield* reject(\"nonce\")",
    test: signIn
  },
  {
    attack: "37",
    file: `${folder}/SignIn.ts`,
    find: "[\"code_challenge\", yield* Pkce.challengeOf(verifier)] as const,",
    replace: "",
    test: signIn
  },
  {
    attack: "38",
    file: `${folder}/SignIn.ts`,
    find: "      yield* spend\n",
    replace: "",
    test: signIn
  },
  {
    attack: "39",
    file: `${folder}/SignIn.ts`,
    find: "if (issuer !== undefined && !AuthorizationResponse.hasIssuer(sender, issuer, sendsIssuer)) {",
    replace: "if (issuer === \"\" && sender === issuer && sendsIssuer) {",
    test: signIn
  },
  {
    attack: "39",
    file: `${folder}/UpstreamRequests.ts`,
    find: "sendsIssuer: metadata.authorization_response_iss_parameter_supported === true",
    replace: "sendsIssuer: false",
    test: signIn
  },
  {
    attack: "40",
    file: `${folder}/SignIn.ts`,
    find: "if (issuer !== undefined && !AuthorizationResponse.hasIssuer(sender, issuer, sendsIssuer)) {",
    replace: "if (issuer !== undefined && sendsIssuer && sender === undefined) {",
    test: signIn
  },
  ...[
    ["if (!isAddressed(claims, clientId)) return yield* reject(\"aud\")", ""],
    [
      "if (authorizedParty !== undefined && authorizedParty !== clientId) return yield* reject(\"azp\")",
      "if (authorizedParty === null) return yield* reject(\"azp\")"
    ],
    ["if (Result.isFailure(times)) return yield* reject(times.failure.reason)", "if (Result.isFailure(times)) {}"],
    ["hash !== undefined && hash !== ", "hash === null && hash !== "],
    ["if (Claims.own(claims, \"iss\") !== server.issuer) return yield* reject(\"iss\")", ""],
    ["!server.algorithms.has(algorithm)", "algorithm === \"\""],
    ["kind === \"access\" || kind === \"other\" || Object.hasOwn(claims, \"events\")", "kind === \"other\""],
    ["(audience.length === 1 || Claims.own(claims, \"azp\") === clientId)", "audience.length > 0"]
  ].map(([find, replace]) => ({
    attack: "41",
    file: `${folder}/IdToken.ts`,
    find: find!,
    replace: replace!,
    test: signIn
  })),
  {
    attack: "46",
    file: `${folder}/UpstreamRequests.ts`,
    find: "[\"refresh_token\", Redacted.value(refreshToken)]\n      ]),",
    replace:
      "[\"refresh_token\", Redacted.value(refreshToken)]\n      ]).pipe(Effect.tap(() => fetcher.send({ method: \"GET\", url: \"https://upstream.test/log\", headers: { authorization: Redacted.value(refreshToken) }, maximumBytes: 1, readsBody: () => false }).pipe(Effect.ignore))),",
    test: tokens
  },
  {
    attack: "49",
    file: `${folder}/SignIn.ts`,
    find: "grantedScopes(granted, flow.scopes)",
    replace: "flow.scopes",
    test: signIn
  },
  {
    attack: "49",
    file: `${folder}/GitHub.ts`,
    find: "baseScopes: [\"read:user\"]",
    replace: "baseScopes: []",
    test: signIn
  },
  {
    attack: "49",
    file: `${folder}/SignIn.ts`,
    find: "requested.filter((scope) => quirks.isGranted(scope, all))",
    replace: "[...all]",
    test: signIn
  },
  {
    attack: "49",
    file: `${folder}/GitHub.ts`,
    find: "contained[wider]!.includes(scope)",
    replace: "scope === \"\"",
    test: signIn
  },
  {
    attack: "56",
    file: `${folder}/UpstreamTokens.ts`,
    find: "if (!admitted.success) return yield* end(key, version)",
    replace: "",
    test: tokens
  },
  {
    attack: "56",
    file: `${folder}/UpstreamTokens.ts`,
    find: "const isDue = upstream.quirks.check === \"refresh\" || isExpiring(tokens, now, margin)",
    replace: "const isDue = isExpiring(tokens, now, margin)",
    test: tokens
  },
  {
    attack: "56",
    file: `${folder}/UpstreamTokens.ts`,
    find: "if (now >= endsAt) return end(key, found.version)",
    replace: "if (now < 0) return end(key, found.version)",
    test: tokens
  },
  {
    attack: "56",
    file: `${folder}/UpstreamTokens.ts`,
    find: "return yield* checkKnown(key, found, now)",
    replace: "",
    test: tokens
  },
  {
    attack: "57",
    file: `${folder}/UpstreamRequests.ts`,
    find: "return status >= 500 || status === 429 || (status === 403 && isLimited)",
    replace: "return status >= 300 ? Effect.fail(new Rejected({ code: String(isLimited) })) : status === 0",
    test: tokens
  },
  {
    attack: "57",
    file: `${folder}/UpstreamRequests.ts`,
    find: "if (error !== undefined && rejections.has(error)) return Effect.fail",
    replace: "if (answered.status === 400) return Effect.fail",
    test: tokens
  },
  {
    attack: "57",
    file: `${folder}/Identification.ts`,
    find: "Effect.catchDefect(() => Effect.fail(new Undecided())),",
    replace: "Effect.catchDefect(() => Effect.succeed(true)),",
    test: tokens
  },
  {
    attack: "58",
    file: `${folder}/UpstreamTokens.ts`,
    find: "withLease(store, lease, { lifetime: times.lease })(work)",
    replace: "work",
    test: tokens
  },
  {
    attack: "58",
    file: `${folder}/UpstreamTimes.ts`,
    find: "export const lease = Duration.seconds(55)",
    replace: "export const lease = Duration.seconds(50)",
    test: tokens
  },
  {
    attack: "58",
    file: `${folder}/UpstreamTokens.ts`,
    find: "(shares ? flights.join(name) : undefined) ?? Effect.flatten(flights.start(name, work))",
    replace: "Effect.flatten(flights.start(name, work))",
    test: tokens
  },
  {
    attack: "58",
    file: `${folder}/UpstreamTokens.ts`,
    find: "if (found.tokens.refreshToken === undefined || Redacted.value(found.tokens.refreshToken) !== used) {",
    replace: "if (used === \"\") {",
    test: tokens
  },
  {
    attack: "61",
    file: "src/proxy/keys/RecordSeal.ts",
    find: "const contextOf = (record: string) => `record\\n${record}\\n${issuer}`",
    replace: "const contextOf = (record: string) => `record${record.slice(999)}`",
    test: tokens
  },
  {
    attack: "61",
    file: `${folder}/UpstreamRecord.ts`,
    find: "(yield* keyOf(tokens.subject, tokens.granted)) === key ?",
    replace: "(yield* keyOf(tokens.subject, tokens.granted)) !== \"\" ?",
    test: tokens
  },
  {
    attack: "A5",
    file: `${folder}/UpstreamTokens.ts`,
    find: "Effect.uninterruptible(Effect.gen(function*(): Effect.fn.Return<Refreshed, RecordStoreUnavailable> {",
    replace: "Effect.interruptible(Effect.gen(function*(): Effect.fn.Return<Refreshed, RecordStoreUnavailable> {",
    test: tokens
  },
  {
    attack: "A5",
    file: `${folder}/UpstreamTokens.ts`,
    find: "{ times: attempts, schedule: Schedule.spaced(\"200 millis\") }",
    replace: "{ times: 0, schedule: Schedule.spaced(\"200 millis\") }",
    test: tokens
  },
  {
    attack: "A8",
    file: `${folder}/UpstreamRecord.ts`,
    find: "recordKeys(\"upstream\", [subject, ...[...new Set(granted)].sort()].join(\"\\n\"))",
    replace:
      "recordKeys(\"upstream\", [subject, String(crypto.getRandomValues(new Uint32Array(1))), ...granted].join(\"\\n\"))",
    test: tokens
  },
  {
    attack: "A9",
    file: "src/proxy/Admit.ts",
    find: " && own(claims, \"acct\") === 0 ||",
    replace: " && own(claims, \"acct\") !== 1 ||",
    test: tokens
  },
  {
    attack: "A10",
    file: `${folder}/UpstreamRequests.ts`,
    find: "return yield* tokenGuard.protect(tokenStatus, Effect.flatMap(send, readTokens(tokenStatus)))",
    replace:
      "return yield* tokenStatus === \"verified\" ? tokenGuard.protect(tokenStatus, Effect.flatMap(send, readTokens(tokenStatus))) : Effect.flatMap(send, readTokens(tokenStatus))",
    test: signIn
  },
  {
    attack: "A10",
    file: `${folder}/UpstreamRequests.ts`,
    find: "if (tokenStatus === \"unverified\" && error !== undefined && !outages.has(error)) {",
    replace: "if (error === \"\") {",
    test: signIn
  },
  {
    attack: "A12",
    file: "src/client/sign-in/AuthorizationResponse.ts",
    find: "const codes = /^[\\x20-\\x7e]{1,8192}$/",
    replace: "const codes = /^[\\x20-\\x7e]{1,2048}$/",
    test: signIn
  },
  {
    attack: "A12",
    file: "src/client/sign-in/AuthorizationResponse.ts",
    find:
      "for (const name of [\"state\", \"code\", \"error\", \"iss\"]) if (searchParams.getAll(name).length > 1) return malformed",
    replace: "",
    test: signIn
  }
]
