import { assert, describe, it } from "@effect/vitest"
import { extractWWWAuthenticateParams as readWithV2 } from "@modelcontextprotocol/client"
import { extractWWWAuthenticateParams as readWithV1 } from "@modelcontextprotocol/sdk/client/auth.js"
import { Arbitrary, Effect, Result, Schema } from "effect"
import { Challenge } from "effect-mcp-auth/protocol"
import * as oauth from "oauth4webapi"
import * as Hostile from "./Hostile.ts"

type Plain = readonly [scheme: string, parameters: Readonly<Record<string, string>>]

/** Parses a header. Returns its challenges as plain data, or the offset of the first unexpected character. */
const parsed = (header: string): ReadonlyArray<Plain> | number =>
  Result.match(Challenge.parse(header), {
    onSuccess: (challenges) =>
      challenges.map(({ parameters, scheme }) => [scheme, Object.fromEntries(parameters)] as const),
    onFailure: ({ at }) => at
  })

const challenge = (scheme: string, parameters: Readonly<Record<string, string>> = {}): Challenge.Challenge => ({
  scheme,
  parameters: new Map(Object.entries(parameters))
})

const answer = (header: string) => new Response(null, { status: 401, headers: { "www-authenticate": header } })

/** Reads a header with the parser of oauth4webapi, which is independent of this library. */
const readWithOauth4webapi = async (header: string): Promise<ReadonlyArray<oauth.WWWAuthenticateChallenge>> => {
  try {
    await oauth.protectedResourceRequest("token", "GET", new URL("https://server.test"), undefined, undefined, {
      [oauth.customFetch]: () => Promise.resolve(answer(header))
    })
  } catch (error) {
    if (error instanceof oauth.WWWAuthenticateChallengeError) return error.cause
    throw error
  }
  return []
}

/** Matches one Bearer challenge whose parameters are quoted strings of RFC 9110 §5.6.4, without obsolete text. */
const oneLine =
  /^Bearer(?: [a-z_]+="(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"(?:, [a-z_]+="(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*")*)?$/

describe("Challenge.bearer", () => {
  it.each<[title: string, options: Challenge.BearerParameters, header: string]>([
    ["nothing", {}, "Bearer"],
    [
      "HDR-01 no credentials: no error",
      { scope: ["a", "b"], resourceMetadata: "https://h/m" },
      "Bearer scope=\"a b\", resource_metadata=\"https://h/m\""
    ],
    [
      "the order is error, scope, resource_metadata, error_description",
      { errorDescription: "why", resourceMetadata: "https://h/m", scope: ["a"], error: "invalid_token" },
      "Bearer error=\"invalid_token\", scope=\"a\", resource_metadata=\"https://h/m\", error_description=\"why\""
    ],
    ["an empty scope is omitted", { error: "invalid_request", scope: [] }, "Bearer error=\"invalid_request\""],
    ["a scope is named once", { scope: ["a", "b", "a"] }, "Bearer scope=\"a b\""],
    ["an invalid scope token is omitted", { scope: ["a b", "", "\"", "c\\", "é", "ok"] }, "Bearer scope=\"ok\""],
    [
      "CHAL-05 quotes, backslashes and line breaks of a description are replaced",
      { errorDescription: "say \"no\" \\ or\r\nSet-Cookie: a" },
      "Bearer error_description=\"say 'no' ' or Set-Cookie: a\""
    ],
    [
      "CHAL-06 characters outside ASCII are replaced",
      { errorDescription: "für 😀\u0000" },
      "Bearer error_description=\"f?r ???\""
    ],
    [
      "a description contains nothing that looks like a parameter",
      { errorDescription: "scope=\"evil\" error=evil" },
      "Bearer error_description=\"scope''evil' error'evil\""
    ]
  ])("encodes %s", (_, options, header) => {
    assert.strictEqual(Challenge.encode(Challenge.bearer(options)), header)
  })

  it("CHAL-05 a description is cut at a length that every proxy accepts", () => {
    const header = Challenge.encode(Challenge.bearer({ errorDescription: "x".repeat(100_000) }))
    assert.isBelow(header.length, 400)
  })

  const hostile = {
    error: Schema.Literals(["invalid_request", "invalid_token", "insufficient_scope"]),
    scope: Arbitrary.array(Hostile.text),
    description: Hostile.text
  }

  it.prop(
    "CHAL-05 CHAL-06 any scope and any description give one line of allowed characters that the grammar accepts",
    hostile,
    ({ description, error, scope }) => {
      const header = Challenge.encode(Challenge.bearer({
        error,
        scope,
        resourceMetadata: "https://h/m",
        errorDescription: description
      }))
      assert.match(header, oneLine)
      const read = Result.getOrThrow(Challenge.parse(header))
      assert.strictEqual(read.length, 1)
      assert.strictEqual(read[0]!.parameters.get("error"), error)
      assert.strictEqual(read[0]!.parameters.get("resource_metadata"), "https://h/m")
      // `Headers` rejects characters that would split the response, so none of them is in the value.
      assert.strictEqual(answer(header).headers.get("www-authenticate"), header)
    },
    { arbitrary: { runs: 500, size: 20 } }
  )

  const scopeToken = Arbitrary.schema(Schema.String.check(Schema.isPattern(/^[\x21\x23-\x5b\x5d-\x7e]{1,12}$/)))

  it.effect.prop(
    "CHAL-16 both official clients and oauth4webapi read scope, resource_metadata and error back exactly",
    {
      error: Schema.Literals(["invalid_request", "invalid_token", "insufficient_scope"]),
      scope: Arbitrary.array(scopeToken, { minLength: 1 }),
      path: Schema.String.check(Schema.isPattern(/^[a-z0-9._~/-]{0,12}$/)),
      description: Hostile.text
    },
    ({ description, error, path, scope }) =>
      Effect.promise(async () => {
        const resourceMetadata = new URL(`https://h.test/.well-known/oauth-protected-resource/${path}`).href
        const header = Challenge.encode(
          Challenge.bearer({ error, scope, resourceMetadata, errorDescription: description })
        )
        const expected = [...new Set(scope)].join(" ")
        for (const read of [readWithV1, readWithV2]) {
          const { error: found, resourceMetadataUrl, scope } = read(answer(header))
          assert.deepStrictEqual([found, scope, resourceMetadataUrl?.href], [error, expected, resourceMetadata])
        }
        const [challenge, ...others] = await readWithOauth4webapi(header)
        assert.deepStrictEqual(others, [])
        assert.strictEqual(challenge?.scheme, "bearer")
        assert.strictEqual(challenge?.parameters.error, error)
        assert.strictEqual(challenge?.parameters.scope, expected)
        assert.strictEqual(challenge?.parameters.resource_metadata, resourceMetadata)
      }),
    { arbitrary: { runs: 200, size: 12 } }
  )

  it.effect("CHAL-16 all three read the challenge of a request without credentials", () =>
    Effect.promise(async () => {
      const header = Challenge.encode(Challenge.bearer({ scope: ["todos:read"], resourceMetadata: "https://h.test/m" }))
      for (const read of [readWithV1, readWithV2]) {
        const { error, resourceMetadataUrl, scope } = read(answer(header))
        assert.deepStrictEqual([error, scope, resourceMetadataUrl?.href], [undefined, "todos:read", "https://h.test/m"])
      }
      assert.deepStrictEqual(
        (await readWithOauth4webapi(header)).map(({ parameters, scheme }) => ({
          scheme,
          parameters: { ...parameters }
        })),
        [{ scheme: "bearer", parameters: { scope: "todos:read", resource_metadata: "https://h.test/m" } }]
      )
    }))
})

describe("Challenge.encode", () => {
  it.each<[title: string, challenges: Challenge.Challenge | ReadonlyArray<Challenge.Challenge>, header: string]>([
    ["a scheme alone", challenge("Bearer"), "Bearer"],
    ["none", [], ""],
    [
      "two",
      [challenge("Bearer", { scope: "a" }), challenge("DPoP", { algs: "ES256" })],
      "Bearer scope=\"a\", DPoP algs=\"ES256\""
    ],
    [
      "a scheme alone before another",
      [challenge("Negotiate"), challenge("Basic", { realm: "r" })],
      "Negotiate, Basic realm=\"r\""
    ],
    ["quotes and backslashes are escaped", challenge("Basic", { realm: "a\"b\\c" }), "Basic realm=\"a\\\"b\\\\c\""],
    ["CHAL-05 a line break becomes ?", challenge("Basic", { realm: "a\r\nb" }), "Basic realm=\"a??b\""]
  ])("encodes %s", (_, challenges, header) => {
    assert.strictEqual(Challenge.encode(challenges), header)
  })

  const parameters = Arbitrary.map(
    Arbitrary.array(Arbitrary.all([Hostile.token, Hostile.printable])),
    (pairs) => new Map(pairs.map(([name, value]) => [name.toLowerCase(), value]))
  )
  const challenges = Arbitrary.array(
    Arbitrary.map(Arbitrary.all([Hostile.token, parameters]), ([scheme, parameters]) => ({ scheme, parameters })),
    { minLength: 1 }
  )

  it.prop(
    "parse returns what encode wrote, for any schemes, names and printable values",
    { challenges },
    ({ challenges }) => {
      assert.deepStrictEqual(parsed(Challenge.encode(challenges)), challenges.map(plain))
    },
    { arbitrary: { runs: 500, size: 6 } }
  )

  it.prop(
    "CHAL-05 any value gives one line that parses",
    { values: Arbitrary.array(Hostile.text, { minLength: 1 }) },
    ({ values }) => {
      const header = Challenge.encode(
        challenge("Basic", Object.fromEntries(values.map((value, i) => [`p${i}`, value])))
      )
      assert.match(header, /^[\x20-\x7e]*$/)
      assert.isTrue(Result.isSuccess(Challenge.parse(header)))
    },
    { arbitrary: { runs: 500, size: 12 } }
  )
})

const plain = ({ parameters, scheme }: Challenge.Challenge): Plain => [scheme, Object.fromEntries(parameters)]

describe("Challenge.parse", () => {
  it.each<[title: string, header: string, expected: ReadonlyArray<Plain>]>([
    ["RFC 6750 §3", "Bearer realm=\"example\"", [["Bearer", { realm: "example" }]]],
    [
      "RFC 6750 §3, expired",
      "Bearer realm=\"example\", error=\"invalid_token\", error_description=\"The access token expired\"",
      [["Bearer", { realm: "example", error: "invalid_token", error_description: "The access token expired" }]]
    ],
    [
      "RFC 9110 §11.6.1",
      "Basic realm=\"simple\", Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\"",
      [["Basic", { realm: "simple" }], ["Newauth", { realm: "apps", type: "1", title: "Login to \"apps\"" }]]
    ],
    [
      "RFC 7235 §4.1, the same in the other order",
      "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
      [["Newauth", { realm: "apps", type: "1", title: "Login to \"apps\"" }], ["Basic", { realm: "simple" }]]
    ],
    [
      "RFC 9728 §5.1",
      "Bearer resource_metadata=\"https://resource.example.com/.well-known/oauth-protected-resource\"",
      [["Bearer", { resource_metadata: "https://resource.example.com/.well-known/oauth-protected-resource" }]]
    ],
    [
      "RFC 9449 §7.1",
      "DPoP error=\"invalid_token\", error_description=\"Invalid DPoP key binding\", algs=\"ES256\"",
      [["DPoP", { error: "invalid_token", error_description: "Invalid DPoP key binding", algs: "ES256" }]]
    ],
    [
      "RFC 9449 §7.2, two schemes",
      "Bearer error=\"invalid_token\", error_description=\"x\", DPoP algs=\"ES256\"",
      [["Bearer", { error: "invalid_token", error_description: "x" }], ["DPoP", { algs: "ES256" }]]
    ],
    ["RFC 4559, a scheme alone", "Negotiate", [["Negotiate", {}]]],
    ["a token68", "Negotiate abc123+/==", [["Negotiate", { token68: "abc123+/==" }]]],
    ["a token68 that ends like the start of a parameter", "Negotiate abc=", [["Negotiate", { token68: "abc=" }]]],
    ["a name without a value is a token68", "Basic realm=", [["Basic", { token68: "realm=" }]]],
    ["a token68 before another challenge", "NTLM TlRM==, Basic realm=\"r\"", [["NTLM", { token68: "TlRM==" }], [
      "Basic",
      { realm: "r" }
    ]]],
    ["schemes alone, several", "Negotiate, NTLM,Basic", [["Negotiate", {}], ["NTLM", {}], ["Basic", {}]]],
    ["a space before the comma after a scheme", "Negotiate , Basic realm=\"r\"", [["Negotiate", {}], ["Basic", {
      realm: "r"
    }]]],
    ["a scheme and a space at the end", "Negotiate ", [["Negotiate", {}]]],
    ["a comma inside quotes", "Basic realm=\"a, Bearer scope=b\"", [["Basic", { realm: "a, Bearer scope=b" }]]],
    ["escaped quotes and a backslash", "Basic realm=\"a\\\"b\\\\c\\d\"", [["Basic", { realm: "a\"b\\cd" }]]],
    ["an empty value", "Basic realm=\"\"", [["Basic", { realm: "" }]]],
    ["values without quotes", "Bearer error=invalid_token,scope=a", [["Bearer", {
      error: "invalid_token",
      scope: "a"
    }]]],
    ["names in any case", "Bearer Realm=\"r\", ERROR=\"e\"", [["Bearer", { realm: "r", error: "e" }]]],
    ["a repeated name: the first value counts", "Bearer scope=\"a\", scope=\"b\"", [["Bearer", { scope: "a" }]]],
    ["whitespace around = (RFC 9110 §11.2: BWS)", "Bearer scope\t= \"a\"", [["Bearer", { scope: "a" }]]],
    ["empty list elements (RFC 9110 §5.6.1.2)", ", ,Bearer a=b,, c=d, ,", [["Bearer", { a: "b", c: "d" }]]],
    ["several spaces after the scheme", "Bearer   a=b", [["Bearer", { a: "b" }]]],
    ["characters outside ASCII inside quotes", "Basic realm=\"für\"", [["Basic", { realm: "für" }]]],
    ["members of Object.prototype are ordinary names", "Bearer __proto__=\"a\", constructor=\"b\"", [[
      "Bearer",
      Object.fromEntries([["__proto__", "a"], ["constructor", "b"]])
    ]]],
    ["nothing", "", []],
    ["nothing but commas", " , ,", []]
  ])("parses %s", (_, header, expected) => {
    assert.deepStrictEqual(parsed(header), expected)
  })

  it.each<[title: string, header: string, at: number]>([
    ["a parameter without a scheme", "realm=\"r\"", 9],
    ["a quote that is not closed", "Basic realm=\"r", 6],
    ["a quote that ends in a backslash", "Basic realm=\"r\\\"", 6],
    ["no value", "Basic a=b, realm=, Bearer", 11],
    ["two parameters without a comma", "Basic a=\"b\" c=\"d\"", 12],
    ["two challenges without a comma", "Basic Bearer scope=a", 6],
    ["a quoted string instead of a scheme", "\"Basic\"", 0],
    ["a semicolon", "Bearer a=b; c=d", 10],
    ["a line break", "Bearer a=b\r\nX: y", 10],
    ["a character that is not allowed in a scheme", "Bea/rer", 0]
  ])("rejects %s", (_, header, at) => {
    const read = parsed(header)
    assert.isNumber(read, `read as ${JSON.stringify(read)}`)
    assert.strictEqual(read, at)
  })

  it("the error of a malformed header describes the place", () => {
    const read = Challenge.parse("Basic realm=\"r")
    assert.isTrue(Result.isFailure(read))
    if (Result.isFailure(read)) assert.include(read.failure.message, "offset 6")
  })

  it.prop(
    "any text is challenges or an offset inside it",
    { text: Hostile.text },
    ({ text }) => {
      const read = parsed(text)
      return typeof read === "number" ? read >= 0 && read <= text.length : read.every(([scheme]) => scheme !== "")
    },
    { arbitrary: { runs: 1000, size: 20 } }
  )

  it.prop(
    "a parsed header can be written and read again",
    { text: Hostile.fieldValue },
    ({ text }) => {
      const read = Challenge.parse(`Bearer ${text}`)
      if (Result.isFailure(read)) return
      const ascii = read.success.every(({ parameters }) =>
        [...parameters.values()].every((_) => /^[\x20-\x7e]*$/.test(_))
      )
      if (ascii) assert.deepStrictEqual(parsed(Challenge.encode(read.success)), read.success.map(plain))
    },
    { arbitrary: { runs: 1000, size: 12 } }
  )

  it("takes time that grows linearly with the length of the header", () => {
    for (const part of ["a=\"", " ", ",", "a ", "\\", "=", "a=b ", "a,", "\"\\"]) {
      assert.isDefined(parsed(`Bearer ${part.repeat(20_000)}`))
    }
  })
})

describe("Challenge.scopes", () => {
  it.each<[value: string | undefined, scopes: ReadonlyArray<string>]>([
    [undefined, []],
    ["", []],
    ["read write", ["read", "write"]],
    ["  read   write read ", ["read", "write"]],
    ["a\tb", []]
  ])("reads the scopes %j as %j", (value, scopes) => {
    assert.deepStrictEqual(Challenge.scopes(challenge("Bearer", value === undefined ? {} : { scope: value })), scopes)
  })
})
