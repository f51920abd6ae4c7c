/** The pure parts of a sign-in. Numbers in titles are those of the faults that clients of MCP servers had. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as AuthorizationRequest from "../../src/client/sign-in/AuthorizationRequest.ts"
import * as AuthorizationResponse from "../../src/client/sign-in/AuthorizationResponse.ts"
import * as Pkce from "../../src/client/sign-in/Pkce.ts"

const request = (endpoint: string) =>
  AuthorizationRequest.toUrl({
    endpoint,
    clientId: "client",
    redirectUri: "http://127.0.0.1:13316/callback",
    state: "state",
    challenge: "challenge",
    scopes: ["a", "b"],
    resource: "https://todos.example.com/mcp",
    thumbprint: undefined
  })

describe("the URL of an authorization request", () => {
  it.each([
    "https://auth.example.com/$(calc)/authorize",
    "https://auth.example.com/a&calc/authorize",
    "https://auth.example.com/%COMSPEC%/authorize",
    "https://auth.example.com/a;calc/authorize?x=$(calc)&y=%COMSPEC%",
    "https://auth.example.com/authorize?x=`calc`|calc!"
  ])("17: has no characters that a shell expands for %s", (endpoint) => {
    const url = Result.getOrThrow(request(endpoint))
    const [address, query = ""] = url.split("?") as [string, string?]
    assert.notMatch(address, /[$&'();!`|<>^"\\]|%(?![0-9A-F]{2})/i)
    assert.notMatch(query, /[$'();!`|<>^"\\]|%(?![0-9A-F]{2})/i)
  })

  it.each([
    "javascript:alert(1)",
    "file:///etc/passwd",
    "data:text/html,x",
    "vscode://run",
    "http://auth.example.com/authorize",
    "https://user@auth.example.com/authorize",
    "https://auth.example.com/authorize#fragment",
    "https://auth.example.com\\@evil.example.com/authorize",
    "https://auth.example.com/auth\norize",
    "//auth.example.com/authorize",
    `https://auth.example.com/${"x".repeat(3_000)}`
  ])("15, 17: is not written for the endpoint %j", (endpoint) => {
    assert.isTrue(Result.isFailure(request(endpoint)))
  })

  it("keeps the query of the endpoint, and replaces parameters of the same name", () => {
    const url = new URL(
      Result.getOrThrow(request("https://auth.example.com/authorize?tenant=a&state=evil&client_id=evil"))
    )
    assert.strictEqual(url.searchParams.get("tenant"), "a")
    assert.deepStrictEqual(url.searchParams.getAll("state"), ["state"])
    assert.deepStrictEqual(url.searchParams.getAll("client_id"), ["client"])
    assert.strictEqual(url.searchParams.get("scope"), "a b")
    assert.strictEqual(url.searchParams.get("resource"), "https://todos.example.com/mcp")
  })
})

describe("the issuer of an authorization response", () => {
  it.each(
    [
      ["the same", "https://a.test", true, true],
      ["the same, not advertised", "https://a.test", false, true],
      ["another", "https://b.test", true, false],
      ["another, not advertised", "https://b.test", false, false],
      ["the same with a slash", "https://a.test/", false, false],
      ["none, but advertised", undefined, true, false],
      ["none, not advertised", undefined, false, true]
    ] as const
  )("12: %s", (_, issuer, isAdvertised, isAccepted) => {
    assert.strictEqual(AuthorizationResponse.hasIssuer(issuer, "https://a.test", isAdvertised), isAccepted)
  })
})

describe("PKCE", () => {
  it.each(
    [
      [["S256"], false, true],
      [["plain", "S256"], false, true],
      [["plain"], true, false],
      [[], true, false],
      [undefined, false, false],
      [undefined, true, true]
    ] as const
  )("with the methods %j and assumeS256 %j: %j", (methods, assumes, isSupported) => {
    assert.strictEqual(Pkce.isSupported(methods, assumes), isSupported)
  })
})
