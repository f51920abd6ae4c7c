/** Tests how the constructors reject options that are not a plain object. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { Dpop } from "effect-mcp-auth/dpop"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { Gate, Host } from "effect-mcp-auth/host"
import { Introspection } from "effect-mcp-auth/introspection"
import { McpAuthNode } from "effect-mcp-auth/node"
import { McpAuthSdk as SdkV1 } from "effect-mcp-auth/sdk-v1"
import { McpAuthSdk as SdkV2 } from "effect-mcp-auth/sdk-v2"
import { HttpRouter } from "effect/http"

const resource = "https://server.test/mcp"
const options = { resource, authorizationServers: ["https://issuer.test"], scopes: ["todos:read"] }

class Settings {
  resource = resource
  authorizationServers = ["https://issuer.test"]
  scopes = ["todos:read"]
  get allowedHosts() {
    return ["server.test"]
  }
}

type Make = (options: never) => Promise<unknown>

const build = (options: never) =>
  Effect.runPromise(Effect.scoped(Layer.build(AuthLayer.make(options).pipe(Layer.provide(HttpRouter.layer)))))

const makes: ReadonlyArray<readonly [string, Make]> = [
  ["AuthLayer.make", build],
  ["McpAuthFetch.make", McpAuthFetch.make],
  ["McpAuthNode.make", McpAuthNode.make],
  ["McpAuthSdk.make of v1", SdkV1.make as Make],
  ["McpAuthSdk.make of v2", SdkV2.make as Make]
]

const mocks: ReadonlyArray<readonly [string, Make]> = [
  ["AuthLayer.mock", async (options) => AuthLayer.mock(options)],
  ["McpAuthFetch.mock", McpAuthFetch.mock],
  ["McpAuthNode.mock", McpAuthNode.mock],
  ["McpAuthSdk.mock of v1", SdkV1.mock as Make],
  ["McpAuthSdk.mock of v2", SdkV2.mock as Make]
]

const problemOf = async (make: Make, options: unknown) => {
  const error = await make(options as never).then(() => undefined, (error: unknown) => error)
  assert.deepInclude(error as object, { _tag: "AuthConfigError" })
  const { fix, option } = error as { readonly option: string; readonly fix: string }
  return `${option}: ${fix}`
}

const values: ReadonlyArray<readonly [unknown, RegExp]> = [
  [undefined, /^\S+: the value is missing; expected an object\./],
  ["text", /^\S+: "text" is not an object\./],
  [() => options, /^\S+: a function is not an object\./],
  [Promise.resolve(options), /^\S+: a promise is not an object\./],
  [new Settings(), /^\S+: the value is an instance of Settings\./],
  [Object.create(options), /^\S+: the value is an object that inherits options\./]
]

describe("options that are not a plain object", () => {
  it.each([...makes, ...mocks])("are rejected by %s", async (_, make) => {
    for (const [options, problem] of values) assert.match(await problemOf(make, options), problem)
  })

  it("are rejected by Gate.layer", async () => {
    for (const [options, problem] of values) {
      assert.match(await problemOf((options) => Host.make(Gate.layer(options)), options), problem)
    }
  })

  const introspection = Introspection.make(
    new (class Client {
      clientId = "client"
      clientSecret = Redacted.make("secret")
      get cacheFor() {
        return "30 days" as const
      }
    })()
  )
  it.each<readonly [string, object]>([
    ["tokenCache", { tokenCache: Object.create({ jwt: "2 days" }) }],
    ["requestState", { requestState: Object.create({ secret: "short" }) }],
    ["dpop", { dpop: Dpop.required(Object.create({ nonce: "bogus" })) }],
    ["dpop", { dpop: Dpop.required(Object.create({ algorithms: ["none"] })) }],
    ["authorizationServers[0].introspection", {
      authorizationServers: [{ issuer: "https://issuer.test", introspection }]
    }],
    ["authorizationServers[0]", {
      authorizationServers: [Object.assign(Object.create({ audience: 5 }), { issuer: "https://issuer.test" })]
    }]
  ])("are rejected as the value of %s", async (option, changes) => {
    assert.include(await problemOf(McpAuthFetch.make, { ...options, ...changes }), `${option}: the value is an`)
  })
})

describe("the error of options that lack a required one", () => {
  it.each<readonly [string, Make]>(makes)("names all of them if %s has no options", async (_, make) => {
    assert.strictEqual(
      await problemOf(make, undefined),
      "options: the value is missing; expected an object. Give one with resource, authorizationServers and scopes"
    )
  })

  it.each(makes.flatMap(([name, make]) => Object.keys(options).map((option) => [option, name, make] as const)))(
    "names the option %s of %s",
    async (option, _, make) => {
      const { [option as "scopes"]: __, ...others } = options
      assert.match(await problemOf(make, others), new RegExp(`^${option}: the value is missing; expected `))
    }
  )

  it.each(mocks)("names scopes if %s has no options", async (name, mock) => {
    for (const given of [undefined, {}]) assert.match(await problemOf(mock, given), /\bscopes\b/, name)
  })
})

describe("the error of a URL as the option audience", () => {
  it.each(makes)("suggests the option resource in %s", async (_, make) => {
    assert.match(
      await problemOf(make, { ...options, audience: resource }),
      /^audience: "https:\/\/server\.test\/mcp" is not a rule of Audience .* Write the URL of the server as resource/
    )
  })
})

describe("the options that the error of a misspelled option lists", () => {
  it.each<readonly [string, Make, ReadonlyArray<string>]>(makes.map(([name, make]) => [
    name,
    make,
    name === "AuthLayer.make" ? ["httpClient"] : ["fetch", "layer"]
  ]))("include those of %s itself", async (_, make, names) => {
    const problem = await problemOf(make, { ...options, scope: [] })
    for (const name of ["resource", ...names]) assert.match(problem, new RegExp(`The options are .*\\b${name}\\b`))
  })
})

describe("the options of a mock", () => {
  it.each(mocks)("have the types that %s declares", async (_, mock) => {
    for (
      const [name, value] of [
        ["subject", 5],
        ["issuer", null],
        ["clientId", {}],
        ["tenant", 1],
        ["granted", "a"],
        ["granted", [1]],
        ["claims", null],
        ["claims", []]
      ] as const
    ) {
      assert.include(await problemOf(mock, { scopes: ["a"], [name]: value }), `.mock.${name}: `)
    }
  })
})

describe("the arguments of a wrapped handler", () => {
  it.each([["true"], [0], [null]])("protect of McpAuthFetch rejects metadata: %j", async (metadata) => {
    await using auth = await McpAuthFetch.mock({ scopes: ["a"] })
    assert.throws(
      () => auth.protect(() => new Response(), { metadata: metadata as never }),
      /protect\.metadata: .* is not false or true/
    )
  })

  it("createMcpHandler rejects a server instead of a function, and unknown options", async () => {
    await using auth = await SdkV2.mock({ scopes: ["a"] })
    const problem = /createMcpHandler: an object is not a function/
    assert.throws(() => auth.createMcpHandler({} as never), problem)
    assert.throws(
      () => auth.createMcpHandler(() => ({}) as never, { maxBody: 5 } as never),
      /createMcpHandler\.maxBody: there is no such option/
    )
  })
})

describe("authorizationServers", () => {
  it("are rejected if the list has a hole", async () => {
    const problem = await problemOf(McpAuthFetch.make, { ...options, authorizationServers: Array(1) })
    assert.match(problem, /^authorizationServers\[0\]\.issuer: the value is missing/)
  })
})
