import { assert, describe, it } from "@effect/vitest"
import { Redacted, Result } from "effect"
import type { AuthError } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { Algorithm, AuthorizationServer } from "effect-mcp-auth/verification"

const option = "authorizationServers[1]"

const make = (input: unknown) => AuthorizationServer.make(input as AuthorizationServer.Input, option)

/** Returns the error for an input. The types forbid such inputs, but they can come from a file or from JavaScript. */
const rejected = (input: unknown): AuthError.AuthConfigError => {
  const made = make(input)
  if (Result.isSuccess(made)) assert.fail(`accepted ${JSON.stringify(input)}`)
  return made.failure
}

const issuer = "https://auth.test"

describe("the issuer", () => {
  it.each([
    "https://auth.test",
    "https://auth.test/",
    "https://auth.test/tenant",
    "https://auth.test/tenant/",
    "https://auth.test:8443/a/b",
    "https://AUTH.test"
  ])("%s is kept exactly", (input) => {
    const server = Result.getOrThrow(make(input))
    assert.strictEqual(server.issuer, input)
    assert.deepStrictEqual(server.tokenIssuers, [input])
    assert.deepStrictEqual([...server.algorithms], [...Algorithm.all])
    assert.isFalse(server.allowInsecureHttp)
    assert.deepStrictEqual(Result.getOrThrow(make({ issuer: input })), server)
  })

  it.each([
    ["CFG-08 issuer \"not a valid url\": construction fails", "not a valid url"],
    ["CFG-08 issuer 123: construction fails", 123],
    ["issuer empty", ""],
    ["issuer without a scheme", "auth.test"],
    ["issuer as a path", "/auth"],
    ["issuer null", null],
    ["issuer a list", [issuer]]
  ])("%s", (_, input) => {
    const error = rejected({ issuer: input })
    assert.strictEqual(error.reason, "malformed")
    assert.strictEqual(error.option, `${option}.issuer`)
    assert.match(error.fix, /is not an absolute URL\. Write one such as https:/)
  })

  it.each([123, null, undefined, [], true, {}])("CFG-08 %j instead of a server: construction fails", (input) => {
    const error = rejected(input)
    assert.strictEqual(error.reason, "malformed")
    assert.strictEqual(error.option, Array.isArray(input) ? option : `${option}.issuer`)
  })

  it.each([
    "https://auth.test?tenant=1",
    "https://auth.test#x",
    "https://user@auth.test",
    "https://user:password@auth.test"
  ])("%s contains what RFC 8414 §2 forbids", (input) => {
    const error = rejected(input)
    assert.strictEqual(error.reason, "malformed")
    assert.include(error.fix, "without user, query or fragment")
  })
})

/** Invalid spellings of an issuer or endpoint that a URL parser accepts and corrects. */
const repaired: ReadonlyArray<string> = [
  "https://auth.test/#",
  "https://auth.test#",
  "https://@auth.test",
  "https://:@auth.test",
  "https://:secret@auth.test/",
  "https://auth.test:/",
  "https:auth.test",
  "https:/auth.test",
  "https:///auth.test",
  "https:\\\\auth.test",
  "https://auth.test\\tenant",
  " https://auth.test",
  "https://auth.test ",
  "https://auth.test/\n",
  "https://au\tth.test",
  "\u0000https://auth.test",
  "https://auth.test/%2e%2e/x",
  "https://auth.test/a/../b",
  "https://auth.test/./",
  "https://auth.test/a b",
  "https://auth.test/ä",
  "https://äuth.test",
  "https://2130706433",
  "https://127.1",
  "https://auth.test:0443"
]

describe("the URL of a metadata document in place of an issuer", () => {
  it.each<[url: string, issuer: string]>([
    ["https://auth.test/.well-known/openid-configuration", "https://auth.test"],
    ["https://auth.test/.well-known/oauth-authorization-server", "https://auth.test"],
    ["https://auth.test/realms/x/.well-known/openid-configuration", "https://auth.test/realms/x"],
    ["https://auth.test/.well-known/oauth-authorization-server/realms/x", "https://auth.test/realms/x"],
    ["https://auth.test/.well-known/openid-configuration/realms/x", "https://auth.test/realms/x"],
    ["https://auth.test/tenant/v2.0/.well-known/openid-configuration?appid=1", "https://auth.test/tenant/v2.0"],
    ["http://keycloak:8080/realms/x/.well-known/openid-configuration", "http://keycloak:8080/realms/x"]
  ])("%s: the error names the issuer %s", (url, written) => {
    for (const input of [url, { issuer: url }]) {
      const error = rejected(input)
      assert.deepStrictEqual([error.option, error.reason], [`${option}.issuer`, "malformed"])
      assert.include(error.fix, ` which is usually ${written}. `)
      assert.include(error.fix, "metadataUrl")
    }
  })

  it("the error contains no password", () => {
    const { message } = rejected("https://user:hunter2@auth.test/.well-known/openid-configuration")
    assert.notInclude(message, "hunter2")
    assert.include(message, "usually https://auth.test. ")
  })

  it("other paths are part of an issuer", () => {
    for (const path of ["/.well-known", "/well-known/openid-configuration", "/x/.well-known/"]) {
      assert.isTrue(Result.isSuccess(make(`https://auth.test${path}`)), path)
    }
  })
})

describe("[T-AUD-31] identifiers that a URL parser would repair", () => {
  it.each([...repaired, "https://auth.test/?", "https://auth.test?", "https://auth.test/?#"])(
    "[T-AUD-31] %j is not accepted as an issuer",
    (input) => {
      const error = rejected(input)
      assert.strictEqual(error.reason, "malformed")
      assert.strictEqual(error.option, `${option}.issuer`)
      assert.include(error.fix, "without user, query or fragment")
    }
  )

  it.each(repaired)("[T-AUD-31] %j is not accepted as the URL of an endpoint", (url) => {
    for (const name of ["metadataUrl", "jwksUri"]) {
      const error = rejected({ issuer: "https://auth.test", [name]: url })
      assert.strictEqual(error.reason, "malformed")
      assert.strictEqual(error.option, `${option}.${name}`)
    }
    const introspection = Introspection.make({ clientId: "a", clientSecret: Redacted.make("b"), endpoint: url })
    assert.strictEqual(
      rejected({ issuer: "https://auth.test", introspection }).option,
      `${option}.introspection.endpoint`
    )
  })

  it.each([
    "https://auth.test",
    "https://auth.test/",
    "https://auth.test:443/openam/oauth2",
    "https://AUTH.test/adfs",
    "https://auth.test./x",
    "https://auth.test:8443/tenant/",
    "https://auth.test/realms/a%20b",
    "https://auth.test/a|b",
    "https://xn--uth-pla.test"
  ])("[T-AUD-31] %s is accepted", (input) => {
    assert.isTrue(Result.isSuccess(make(input)))
    assert.isTrue(Result.isSuccess(make({ issuer: "https://auth.test", jwksUri: `${input}?p=1` })))
  })
})

describe("plain http", () => {
  it.each([
    "http://localhost",
    "http://localhost:9000/tenant",
    "http://auth.localhost",
    "http://127.0.0.1:9000",
    "http://127.8.9.1",
    "http://[::1]:9000"
  ])("CFG-07 http issuer on loopback: %s is accepted", (input) => assert.isTrue(Result.isSuccess(make(input))))

  it.each([
    "http://auth.test",
    "http://localhost.evil.test",
    "http://127.0.0.1.evil.test",
    "http://10.0.0.1",
    "http://0.0.0.0",
    "http://[::]",
    "http://[::ffff:127.0.0.1]",
    "http://128.0.0.1",
    "ftp://localhost",
    "ws://localhost",
    "file:///etc/passwd",
    "data:application/json,{}",
    "javascript:alert(1)"
  ])("CFG-07 http issuer outside localhost: %s, construction fails", (input) => {
    const error = rejected(input)
    assert.strictEqual(error.reason, "insecure")
    assert.strictEqual(error.option, `${option}.issuer`)
    assert.include(error.fix, "must be https")
    assert.include(error.fix, "allowInsecureHttp")
  })

  it("CFG-07 http issuer outside localhost: the option that allows it admits it", () => {
    const input = {
      issuer: "http://keycloak:8080/realms/todos",
      [AuthorizationServer.allowInsecureHttp]: true as const
    }
    assert.isTrue(Result.getOrThrow(make(input)).allowInsecureHttp)
    // The option allows only http in addition to https. Its value must be `true`, and its key must be the symbol.
    assert.strictEqual(rejected({ ...input, issuer: "ftp://keycloak" }).reason, "insecure")
    assert.strictEqual(rejected({ ...input, [AuthorizationServer.allowInsecureHttp]: "true" }).reason, "insecure")
    assert.strictEqual(rejected({ issuer: input.issuer, allowInsecureHttp: true }).reason, "insecure")
  })

  it.each(["metadataUrl", "jwksUri"])("%s is checked in the same way", (name) => {
    for (const url of ["http://auth.test/x", "file:///x"]) {
      const error = rejected({ issuer, [name]: url })
      assert.deepStrictEqual([error.reason, error.option], ["insecure", `${option}.${name}`])
    }
    for (const url of ["x", "", 1]) {
      const error = rejected({ issuer, [name]: url })
      assert.deepStrictEqual([error.reason, error.option], ["malformed", `${option}.${name}`])
    }
    assert.isTrue(Result.isSuccess(make({ issuer, [name]: "https://elsewhere.test/x" })))
  })
})

describe("the URLs of the documents", () => {
  it("DISC-01 issuer without path: both well-known URLs at the origin", () => {
    for (const input of [issuer, `${issuer}/`]) {
      assert.deepStrictEqual(Result.getOrThrow(make(input)).metadataUrls, [
        "https://auth.test/.well-known/oauth-authorization-server",
        "https://auth.test/.well-known/openid-configuration"
      ])
    }
  })

  it("DISC-03 issuer with a path: RFC 8414 insertion, OpenID insertion, OpenID appending", () => {
    assert.deepStrictEqual(Result.getOrThrow(make("https://auth.test/tenant/1")).metadataUrls, [
      "https://auth.test/.well-known/oauth-authorization-server/tenant/1",
      "https://auth.test/.well-known/openid-configuration/tenant/1",
      "https://auth.test/tenant/1/.well-known/openid-configuration"
    ])
  })

  it("DISC-04 issuer with a path, OpenID style: no doubled slash when the issuer ends in one", () => {
    assert.deepStrictEqual(
      Result.getOrThrow(make("https://auth.test/tenant/")).metadataUrls,
      Result.getOrThrow(make("https://auth.test/tenant")).metadataUrls
    )
  })

  it("metadataUrl replaces them, and given metadata needs none", () => {
    const metadataUrl = "https://elsewhere.test/metadata"
    assert.deepStrictEqual(Result.getOrThrow(make({ issuer, metadataUrl })).metadataUrls, [metadataUrl])
    assert.deepStrictEqual(Result.getOrThrow(make({ issuer, metadata: { issuer } })).metadataUrls, [])
  })

  it("CFG-05 both metadata and metadataUrl: construction fails", () => {
    const error = rejected({ issuer, metadata: { issuer }, metadataUrl: "https://auth.test/metadata" })
    assert.deepStrictEqual([error.reason, error.option], ["conflict", `${option}.metadata`])
    assert.include(error.fix, "metadata or metadataUrl, not both")
  })

  it("CFG-05 both keys and the URI of keys: construction fails", () => {
    const error = rejected({ issuer, jwks: { keys: [] }, jwksUri: "https://auth.test/jwks" })
    assert.deepStrictEqual([error.reason, error.option], ["conflict", `${option}.jwks`])
    assert.include(error.fix, "jwks or jwksUri, not both")
  })

  it("given metadata must be metadata of exactly this issuer", () => {
    for (const metadata of [null, 1, "x", [], {}, { issuer: 1 }, { issuer, jwks_uri: 1 }]) {
      const error = rejected({ issuer, metadata })
      assert.deepStrictEqual([error.reason, error.option], ["malformed", `${option}.metadata`])
    }
    for (const other of [`${issuer}/`, "https://AUTH.test", "https://auth.test:443"]) {
      const error = rejected({ issuer, metadata: { issuer: other } })
      assert.deepStrictEqual([error.reason, error.option], ["conflict", `${option}.metadata`])
      assert.include(error.fix, issuer)
    }
  })
})

describe("algorithms", () => {
  it.each([
    ["CFG-01 HS256 together with a JWKS URI: construction fails", { jwksUri: "https://auth.test/jwks" }, "HS256"],
    ["CFG-01 HS512 together with a JWKS URI: construction fails", { jwksUri: "https://auth.test/jwks" }, "HS512"],
    ["CFG-02 HS256 with a PEM public key: construction fails", { jwks: "-----BEGIN PUBLIC KEY-----" }, "HS256"],
    ["none", {}, "none"],
    ["a name in lower case", {}, "rs256"],
    ["an encryption algorithm", {}, "RSA-OAEP"],
    ["a name that every object has", {}, "constructor"],
    ["a number", {}, 256]
  ])("%s", (_, rest, algorithm) => {
    for (const algorithms of [[algorithm], ["RS256", algorithm]]) {
      const error = rejected({ issuer, ...rest, algorithms })
      assert.deepStrictEqual([error.reason, error.option], ["insecure", `${option}.algorithms`])
      assert.include(error.fix, "RS256")
      assert.include(error.fix, `${JSON.stringify(algorithm)} is not an accepted algorithm`)
    }
  })

  it.each([[[]], ["RS256"], [{ 0: "RS256", length: 1 }]])("rejects %j as a list of algorithms", (algorithms) => {
    const error = rejected({ issuer, algorithms })
    assert.strictEqual(error.option, `${option}.algorithms`)
  })

  it("accepts fewer than all, and either name of Ed25519", () => {
    assert.deepStrictEqual([...Result.getOrThrow(make({ issuer, algorithms: ["ES256"] })).algorithms], ["ES256"])
    for (const name of ["EdDSA", "Ed25519"]) {
      const server = Result.getOrThrow(make({ issuer, algorithms: [name] }))
      assert.deepStrictEqual([...server.algorithms], ["EdDSA", "Ed25519"])
    }
  })
})

describe("tokenIssuers", () => {
  it.each([[[]], [[""]], [[issuer, ""]], [[1]], ["https://sts.test"], [{ length: 1, 0: "x" }]])(
    "rejects %j as a list of iss values",
    (tokenIssuers) => {
      const error = rejected({ issuer, tokenIssuers })
      assert.deepStrictEqual([error.reason, error.option], ["malformed", `${option}.tokenIssuers`])
      assert.include(error.fix, "at least one iss value")
    }
  )

  it("are kept exactly, and need not be URLs", () => {
    const tokenIssuers = ["https://sts.test/1/", "accounts.test"]
    assert.deepStrictEqual(Result.getOrThrow(make({ issuer, tokenIssuers })).tokenIssuers, tokenIssuers)
  })
})

describe("values that no type checked", () => {
  it.each([null, 1, "auth0", true, [], {}, { issues: "x" }])("rejects profile %j", (profile) => {
    for (const input of [{ issuer, profile }, { profile }]) {
      const error = rejected(input)
      assert.deepStrictEqual([error.reason, error.option], ["malformed", `${option}.profile`])
      assert.include(error.fix, "Profiles")
    }
  })

  it.each([null, 1, "https://auth.test/introspect", true, { clientId: "a" }])(
    "rejects introspection %j",
    (introspection) => {
      const error = rejected({ issuer, introspection })
      assert.deepStrictEqual([error.reason, error.option], ["malformed", `${option}.introspection`])
      assert.include(error.fix, "clientId")
    }
  )
})
