import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { AuthorizationServerMetadata, ProtectedResourceMetadata } from "effect-mcp-auth/protocol"

/*
 * The decoders are written by hand. These schemas describe the same documents. A decoder and its schema must accept and reject
 * the same documents.
 */

const Strings = Schema.optionalKey(Schema.Array(Schema.String))
const Text = Schema.optionalKey(Schema.String)
const Flag = Schema.optionalKey(Schema.Boolean)

const server = {
  issuer: Schema.String,
  authorization_endpoint: Text,
  token_endpoint: Text,
  jwks_uri: Text,
  registration_endpoint: Text,
  introspection_endpoint: Text,
  revocation_endpoint: Text,
  userinfo_endpoint: Text,
  scopes_supported: Strings,
  response_types_supported: Strings,
  grant_types_supported: Strings,
  token_endpoint_auth_methods_supported: Strings,
  introspection_endpoint_auth_methods_supported: Strings,
  code_challenge_methods_supported: Strings,
  dpop_signing_alg_values_supported: Strings,
  authorization_response_iss_parameter_supported: Flag,
  client_id_metadata_document_supported: Flag
}

const resource = {
  resource: Schema.String,
  authorization_servers: Schema.NonEmptyArray(Schema.String),
  scopes_supported: Strings,
  bearer_methods_supported: Strings,
  resource_name: Text,
  resource_documentation: Text,
  resource_policy_uri: Text,
  resource_tos_uri: Text,
  dpop_signing_alg_values_supported: Strings,
  dpop_bound_access_tokens_required: Flag
}

const schemaOf = (fields: Schema.Struct.Fields) =>
  Schema.decodeUnknownResult(
    Schema.StructWithRest(Schema.Struct(fields), [
      Schema.Record(Schema.String, Schema.Unknown)
    ]) as unknown as Schema.ConstraintDecoder<unknown>
  )

/** The values are JSON texts, so that each document is parsed separately and `__proto__` becomes an own member. */
const values = [
  "null",
  "true",
  "false",
  "0",
  "1e400",
  "\"\"",
  "\"https://a.test\"",
  "[]",
  "[\"a\"]",
  "[\"a\",\"b\"]",
  "[\"a\",1]",
  "[null]",
  "[[\"a\"]]",
  "{}",
  "{\"issuer\":\"https://a.test\",\"length\":1}"
]
const otherNames = ["__proto__", "constructor", "toString", "x-vendor", "issuer", "resource", "0", ""]

/** Creates a random generator with the same sequence in every run (the generator of Numerical Recipes). */
const makeRandom = () => {
  let state = 1
  return (below: number): number => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return Math.floor(state / 2 ** 32 * below)
  }
}

const documentsOf = (names: ReadonlyArray<string>, required: string): ReadonlyArray<string> => {
  const all = [...names, ...otherNames]
  const member = (name: string, value: string) => `${JSON.stringify(name)}:${value}`
  const one = all.flatMap((name) => values.map((value) => member(name, value)))
  const random = makeRandom()
  const many = Array.from(
    { length: 20_000 },
    () =>
      Array.from({ length: random(6) }, () => member(all[random(all.length)]!, values[random(values.length)]!)).join(
        ","
      )
  )
  return [
    ...values,
    ...one.map((text) => `{${text}}`),
    ...[...one, ...many].map((text) => `{${[required, text].filter((_) => _ !== "").join(",")}}`)
  ]
}

describe.each([
  {
    name: "AuthorizationServerMetadata",
    fields: server as Schema.Struct.Fields,
    decode: AuthorizationServerMetadata.decode as (document: unknown) => Result.Result<unknown, string>,
    required: "\"issuer\":\"https://a.test\""
  },
  {
    name: "ProtectedResourceMetadata",
    fields: resource as Schema.Struct.Fields,
    decode: ProtectedResourceMetadata.decode as (document: unknown) => Result.Result<unknown, string>,
    required: "\"resource\":\"https://r.test\",\"authorization_servers\":[\"https://a.test\"]"
  }
])("the decoder of $name", ({ decode, fields, required }) => {
  it("accepts and returns the same as a schema of the document", () => {
    const schema = schemaOf(fields)
    let accepted = 0
    for (const text of documentsOf(Object.keys(fields), required)) {
      const expected = schema(JSON.parse(text))
      const found = decode(JSON.parse(text))
      assert.strictEqual(Result.isSuccess(found), Result.isSuccess(expected), text)
      if (Result.isSuccess(found) && Result.isSuccess(expected)) {
        accepted++
        assert.deepStrictEqual(found.success, expected.success, text)
      }
    }
    assert.isAbove(accepted, 500)
  })

  it("returns a copy, so that later changes of the document have no effect", () => {
    const document: Record<string, unknown> = JSON.parse(`{${required}}`)
    const metadata = Result.getOrThrow(decode(document))
    for (const name of Object.keys(document)) delete document[name]
    assert.deepStrictEqual(metadata, JSON.parse(`{${required}}`))
  })

  it("names the member that is wrong and its type", () => {
    const document: object = JSON.parse(`{${required}}`)
    assert.deepStrictEqual(
      decode({ ...document, scopes_supported: "a b" }),
      Result.fail("The member scopes_supported of the document must be a list of strings")
    )
    assert.deepStrictEqual(decode([document]), Result.fail("The document must be a JSON object"))
  })
})
