import { Context, Effect, Layer, Schema } from "effect"
import { AuthLayer, Principal, requireScopes } from "effect-mcp-auth"
import { McpAuth } from "effect-mcp-auth/mcp"
import { expectAdmitted, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { McpProtocol, Tool, Toolkit } from "effect/ai"
import { describe, expect, test } from "tstyche"

class Tenant extends Context.Service<Tenant, string>()("test/Tenant") {}

const Write = requireScopes("write")(Tool.make("write", { success: Schema.Void, dependencies: [Tenant] }))
const Tools = Toolkit.make(Write)
const Server = McpAuth.layerHttp({
  name: "test",
  version: "1.0.0",
  path: "/mcp",
  protocols: [McpProtocol.v2026_07_28],
  registrations: McpAuth.toolkit(Tools).pipe(Layer.provide(Tools.toLayer({ write: () => Effect.void })))
})
const claims = { service: Tenant, schema: Schema.String }

describe("AuthLayer.mock", () => {
  const scopes = { baseline: ["read"], stepUp: ["write"] } as const

  test("satisfies the requirements that the real layer satisfies", () => {
    const Mocked = Server.pipe(Layer.provide(AuthLayer.mock({ scopes, claimsService: claims })))
    expect<Layer.Services<ReturnType<typeof TestClient.layer<never, never, Layer.Services<typeof Mocked>>>>>()
      .type.toBe<TestIssuer.TestIssuer>()
  })

  test("grants no scope that it does not offer", () => {
    AuthLayer.mock({ scopes, granted: ["read"] })
    // @ts-expect-error Type '"admin"' is not assignable
    AuthLayer.mock({ scopes, granted: ["admin"] })
  })

  test("rejects the wide type string", () => {
    const wide: readonly [string, ...ReadonlyArray<string>] = ["read"]
    // @ts-expect-error scopes must be literals
    AuthLayer.mock({ scopes: wide })
  })

  test("does not compile without the claims of the real layer", () => {
    const program = requireScopes("read")(Effect.andThen(Tenant, Principal))
    Effect.runSync(Effect.ignore(program).pipe(Effect.provide(AuthLayer.mock({ scopes, claimsService: claims }))))
    // @ts-expect-error Type 'Tenant' is not assignable to type 'never'
    Effect.runSync(Effect.ignore(program).pipe(Effect.provide(AuthLayer.mock({ scopes }))))
  })
})

describe("TestClient", () => {
  test("rejects a server with a scope that is not offered", () => {
    const Auth = AuthLayer.mock({ scopes: ["read"], claimsService: claims })
    const client = TestClient.TestClient.pipe(
      Effect.provide(TestClient.layer(Server.pipe(Layer.provide(Auth)))),
      Effect.provide(TestIssuer.layer()),
      Effect.scoped
    )
    // @ts-expect-error Type 'RequiredScope<"write">' is not assignable
    Effect.runSync(client)
  })

  test("rejects a server without a gate", () => {
    const client = TestClient.TestClient.pipe(
      Effect.provide(TestClient.layer(Server)),
      Effect.provide(TestIssuer.layer()),
      Effect.scoped
    )
    // @ts-expect-error AuthLayer' is not assignable to type 'never'
    Effect.runSync(client)
  })
})

describe("assertions", () => {
  test("keep the type of the value", () => {
    const answer: Effect.Effect<TestClient.TestResponse, "e", "r"> = Effect.never
    expect(expectAdmitted(answer)).type.toBe<typeof answer>()
    expect(expectAdmitted(Promise.resolve(new Response()))).type.toBe<Promise<Response>>()
  })
})
