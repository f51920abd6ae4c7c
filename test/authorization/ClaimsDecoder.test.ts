import { assert, describe, it } from "@effect/vitest"
import { Context, Result, Schema } from "effect"
import * as ClaimsDecoder from "../../src/authorization/ClaimsDecoder.ts"
import * as ConfigOption from "../../src/protocol/ConfigOption.ts"

class Tenant extends Context.Service<Tenant, { readonly tenant: string }>()("test/Tenant") {}

const schema = Schema.Struct({ tenant: Schema.String })
const problem = (claims: unknown) => {
  const checked = ConfigOption.attempt(() => ClaimsDecoder.check(claims, "claims"))
  return Result.isFailure(checked) ? [checked.failure.option, checked.failure.fix] : undefined
}

describe("the option claims", () => {
  it("decodes nothing if it is omitted", () => {
    assert.isUndefined(ClaimsDecoder.reader(undefined))
  })

  it("decodes the service of a principal", () => {
    const claims = { service: Tenant, decode: Schema.decodeUnknownResult(schema) }
    assert.isUndefined(problem(claims))
    const read = ClaimsDecoder.reader(claims)!
    const principal = { claims: { tenant: "acme", sub: "alice" } }
    assert.deepStrictEqual(
      Result.map(
        read(principal as never) as Result.Result<Context.Context<never>>,
        (context) => Context.get(context as Context.Context<Tenant>, Tenant)
      ),
      Result.succeed({ tenant: "acme" })
    )
    assert.isTrue(Result.isFailure(read({ claims: {} } as never) as Result.Result<never>))
  })

  it.each<readonly [string, unknown, string, RegExp]>([
    ["a string", "tenant", "claims", /"tenant" is not \{ service, decode \}/],
    ["a decoder without a service", { decode: () => Result.succeed(1) }, "claims.service", /Context\.Service class/],
    ["a service without a decoder", { service: Tenant }, "claims.decode", /the value is missing/],
    ["a schema", { service: Tenant, schema }, "claims.decode", /Schema\.decodeUnknownResult\(schema\)/],
    // A schema is also a function, so a check with `typeof` would accept it. Called with claims, it would not return a
    // `Result`.
    ["a schema instead of its decoder", { service: Tenant, decode: schema }, "claims.decode", /a schema is not/]
  ])("rejects %s, and says what to write", (_, claims, option, fix) => {
    const [name, text] = problem(claims) ?? []
    assert.strictEqual(name, option)
    assert.match(text ?? "", fix)
  })

  it("distinguishes schemas from other functions", () => {
    class Org extends Schema.Class<Org>("Org")({ id: Schema.String }) {}
    for (const value of [schema, Org, Schema.String]) assert.isTrue(ClaimsDecoder.isSchema(value))
    for (const value of [() => 1, {}, null, undefined]) assert.isFalse(ClaimsDecoder.isSchema(value))
  })
})
