/** Edits that remove the checks of grants and keys, for `npm run mutations:proxy`. */
import type { Mutation } from "../../../tools/mutations/Mutation.ts"

const codes = "test/proxy/grants/codes.test.ts"
const refresh = "test/proxy/grants/refresh.test.ts"
const administration = "test/proxy/grants/administration.test.ts"
const keys = "test/proxy/keys/ProxyKeys.test.ts"

const use = "src/proxy/grants/CodeUse.ts"
const service = "src/proxy/grants/GrantService.ts"
const rotation = "src/proxy/grants/Rotation.ts"
const token = "src/proxy/grants/RefreshToken.ts"

export const mutations: ReadonlyArray<Mutation> = [
  {
    attack: "26",
    file: use,
    find: "if (record.redirectUri !== redirectUri) return \"redirect\"",
    replace: "",
    test: codes
  },
  {
    attack: "29",
    file: use,
    find: "if (challenge === undefined || !constantTime.isEqual(record.challenge, challenge)) return \"verifier\"",
    replace: "",
    test: codes
  },
  { attack: "29", file: service, find: "{43,128}$/", replace: "{1,999}$/", test: codes },
  {
    attack: "29",
    file: service,
    find: "const verifierFormat = /^[A-Za-z0-9\\-._~]",
    replace: "const verifierFormat = /^[^]",
    test: codes
  },
  { attack: "31", file: use, find: "? \"replayed\" : \"end\"", replace: "? \"replayed\" : \"replayed\"", test: codes },
  {
    attack: "31",
    file: use,
    find: "now - record.usedAt < raceWindow",
    replace: "now - record.usedAt < 0",
    test: codes
  },
  { attack: "31", file: use, find: "if (record.clientId !== clientId) return \"client\"", replace: "", test: codes },
  {
    attack: "31",
    file: service,
    find: "const usedCodeLifetime = 600_000",
    replace: "const usedCodeLifetime = 60_000",
    test: codes
  },
  {
    attack: "31",
    file: service,
    find: "if (grant !== undefined) yield* end(\"code-replayed\", id, grant.record)",
    replace: "",
    test: codes
  },
  {
    attack: "32",
    file: service,
    find: "if (!(yield* codes.put(name, { ...record, usedAt: at }, usedCodeLifetime, version))) continue",
    replace: "yield* codes.put(name, { ...record, usedAt: at }, usedCodeLifetime, version)",
    test: codes
  },
  {
    attack: "32",
    file: use,
    find: "now - record.usedAt < raceWindow",
    replace: "now - record.usedAt < 0",
    test: codes
  },
  { attack: "33", file: use, find: "if (record.clientId !== clientId) return \"client\"", replace: "", test: codes },
  {
    attack: "43",
    file: use,
    find: "resource === undefined || resource === record.resource",
    replace: "true",
    test: codes
  },
  {
    attack: "43",
    file: service,
    find:
      "if (request.resource !== undefined && request.resource !== record.resource) return yield* reject(\"resource\")",
    replace: "",
    test: refresh
  },
  {
    attack: "44",
    file: "src/proxy/grants/AccessToken.ts",
    find: "aud: resource,",
    replace: "aud: [resource, \"https://todos.example.com/mcp\"],",
    test: refresh
  },
  {
    attack: "45",
    file: "src/proxy/keys/SigningKey.ts",
    find: "\"ES256\", \"at+jwt\")",
    replace: "\"ES256\")",
    test: refresh
  },
  {
    attack: "48",
    file: service,
    find: "known.every((scope) => granted.includes(scope))",
    replace: "true",
    test: refresh
  },
  {
    attack: "48",
    file: service,
    find: "if (known.length === 0) return granted",
    replace: "return granted",
    test: refresh
  },
  {
    attack: "49",
    file: service,
    find: "next.scopes.filter((scope) => scopes.includes(scope))",
    replace: "scopes",
    test: refresh
  },
  {
    attack: "49",
    file: service,
    find: "const scopes = requested.filter((scope) => next.scopes.includes(scope))",
    replace: "const scopes = requested",
    test: refresh
  },
  {
    attack: "50",
    file: rotation,
    find: "now - retired[1] < retryWindow ? \"retry\" : \"end\"",
    replace: "true ? \"retry\" : \"end\"",
    test: refresh
  },
  { attack: "50", file: service, find: "yield* end(\"token-reused\", id, record)", replace: "", test: refresh },
  {
    attack: "50",
    file: service,
    find: "return report(type, id, record).pipe(",
    replace: "return Effect.void.pipe(",
    test: refresh
  },
  {
    attack: "51",
    file: rotation,
    find: "now - retired[1] < retryWindow ? \"retry\" : \"end\"",
    replace: "false ? \"retry\" : \"end\"",
    test: refresh
  },
  { attack: "51", file: rotation, find: "[...record.retired, ...replaced]", replace: "[...replaced]", test: refresh },
  {
    attack: "51",
    file: service,
    find: "requested, retryLifetime(record, before), before)",
    replace: "requested, limits.accessTokenLifetime, before)",
    test: refresh
  },
  {
    attack: "52",
    file: service,
    find: "if (!(yield* put(id, { ...next, sealedBy }, at, version))) continue",
    replace: "yield* put(id, { ...next, sealedBy }, at, version)",
    test: refresh
  },
  {
    attack: "53",
    file: service,
    find: "if (record.clientId !== request.clientId) return yield* reject(\"client\")",
    replace: "",
    test: refresh
  },
  {
    attack: "55",
    file: service,
    find: "owner === undefined || owner.record.clientId !== clientId",
    replace: "owner === undefined",
    test: administration
  },
  {
    attack: "55",
    file: service,
    find: "yield* refreshTokens.verify(mac, presented, found.record.seed)\n",
    replace: "true\n",
    test: administration
  },
  {
    attack: "55",
    file: service,
    find: "? read!.clientId === found.record.clientId",
    replace: "? true",
    test: administration
  },
  {
    attack: "55",
    file: "src/proxy/grants/AccessToken.ts",
    find: "if (key === undefined || !(yield* key.verify(token))) return undefined",
    replace: "",
    test: administration
  },
  {
    attack: "55",
    file: "src/proxy/grants/AccessToken.ts",
    find: "iss === issuer && ",
    replace: "",
    test: administration
  },
  { attack: "55", file: "src/proxy/grants/AccessToken.ts", find: " && now < exp", replace: "", test: administration },
  {
    attack: "56",
    file: service,
    find: "verdict ??= yield* check(toView(id, record, limits.idleLifetime))",
    replace: "verdict ??= { outcome: \"alive\" } as UpstreamVerdict",
    test: refresh
  },
  {
    attack: "56",
    file: service,
    find: "Effect.andThen(end(\"upstream-rejected\", id, record), reject(\"rejected\"))",
    replace: "reject(\"rejected\")",
    test: refresh
  },
  {
    attack: "57",
    file: service,
    find: "verdict.outcome === \"unavailable\" && at - record.checkedAt >= limits.upstreamOutage",
    replace: "verdict.outcome === \"unavailable\"",
    test: refresh
  },
  {
    attack: "57",
    file: service,
    find: "verdict.outcome === \"unavailable\" && at - record.checkedAt >= limits.upstreamOutage",
    replace: "verdict.outcome === \"rejected\"",
    test: refresh
  },
  {
    attack: "57",
    file: service,
    find: "Math.min(limits.accessTokenLifetime, uncheckedLifetime)",
    replace: "limits.accessTokenLifetime",
    test: refresh
  },
  {
    attack: "59",
    file: "src/proxy/grants/AccessToken.ts",
    find: "Redacted.make(token, { label: \"access-token\" })",
    replace: "Redacted.make(token, { label: token })",
    test: administration
  },
  {
    attack: "60",
    file: use,
    find: "if (record.clientId !== clientId) return \"client\"",
    replace:
      "if (resource !== record.resource) return \"resource\"\n  if (record.clientId !== clientId) return \"client\"",
    test: codes
  },
  {
    attack: "61",
    file: "src/proxy/keys/RecordKeys.ts",
    find: "sha256([issuer, kind, name].join(separator))",
    replace: "Effect.succeed(name)",
    test: "test/proxy/keys/ProxyKeys.test.ts"
  },
  {
    attack: "63",
    file: token,
    find: "mac.verify(kid, textOf",
    replace: "mac.verify(mac.kid, textOf",
    test: refresh
  },
  {
    attack: "64",
    file: "src/proxy/keys/SecretStrength.ts",
    find: "if (bytes < minimumBytes)",
    replace: "if (bytes < 1)",
    test: keys
  },
  {
    attack: "64",
    file: "src/proxy/keys/SecretStrength.ts",
    find: "if (placeholders.test(secret))",
    replace: "if (secret === \"\")",
    test: keys
  },
  { attack: "64", file: "src/proxy/keys/SecretStrength.ts", find: "isRepeated(secret) ||", replace: "", test: keys },
  {
    attack: "64",
    file: "src/proxy/keys/SecretStrength.ts",
    find: "|| countSteps(secret) < 8",
    replace: "",
    test: keys
  },
  {
    attack: "64",
    file: "src/proxy/keys/SecretStrength.ts",
    find: "new Set(secret).size < 8 ||",
    replace: "",
    test: keys
  },
  {
    attack: "64",
    file: "src/proxy/keys/ProxyKeys.ts",
    find: "if (new Set(texts).size < texts.length) {",
    replace: "if (texts.length > 100) {",
    test: keys
  },
  {
    attack: "65",
    file: "src/proxy/keys/RecordKeys.ts",
    find: "Effect.map(sha256(issuer), (hash)",
    replace: "Effect.map(sha256(\"\"), (hash)",
    test: keys
  },
  {
    attack: "87",
    file: token,
    find: "mac.verify(kid, textOf(grant, generation, seed), tag)",
    replace:
      "Effect.map(mac.sign(kid, textOf(grant, generation, seed)), (right) => right?.slice(0, 8) === tag.slice(0, 8))",
    test: refresh
  },
  {
    attack: "A5",
    file: service,
    find: "refresh: (request, check) => Effect.uninterruptible(refresh(request, check))",
    replace: "refresh",
    test: refresh
  },
  {
    attack: "A6",
    file: rotation,
    find: "if (generation >= record.generation) return",
    replace: "if (generation === record.generation) return",
    test: refresh
  },
  {
    attack: "A6",
    file: rotation,
    find: "Math.max(record.generation, generation - mostRetired + 1)",
    replace: "generation",
    test: refresh
  },
  {
    attack: "A7",
    file: service,
    find: "if (!(yield* refreshTokens.verify(mac, presented, record.seed))) return yield* reject(\"unknown\")",
    replace: "",
    test: refresh
  },
  {
    attack: "A7",
    file: token,
    find: "[\"rt\", grant, generation, seed]",
    replace: "[\"rt\", grant, seed]",
    test: refresh
  },
  {
    attack: "A14",
    file: service,
    find: "yield* refreshTokens.make(mac, id, record)",
    replace: "yield* refreshTokens.make(mac, id, { ...record, kid: mac.kid })",
    test: refresh
  },
  {
    attack: "A15",
    file: "src/proxy/grants/Liveness.ts",
    find: "Effect.tap(read,",
    replace: "Effect.tap(Effect.catch(read, () => Effect.succeed(true)) as typeof read,",
    test: refresh
  },
  {
    attack: "66",
    file: service,
    find: "const decision = codeUse.decide(record, request, challenge, at)",
    replace: "const decision = codeUse.decide(record, request, challenge, at)\n        yield* listGrant(record, id)",
    test: codes
  },
  {
    attack: "55",
    file: "src/proxy/grants/Liveness.ts",
    find: "&& evictions === before",
    replace: "",
    test: administration
  }
]
