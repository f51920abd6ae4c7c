import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { kindOf, matches, privateUseDefaults } from "../../../src/proxy/front/RedirectUri.ts"
import { isPrivateUse } from "../../../src/proxy/front/RegisteredClients.ts"
import { find } from "../../../src/proxy/front/ResourceParameter.ts"

const kind = (uri: string) => kindOf(uri, privateUseDefaults)

describe("redirect URIs", () => {
  it.each([
    ["https://claude.ai/api/mcp/auth_callback", "https"],
    ["https://chatgpt.com/connector/oauth/abc?tenant=1", "https"],
    ["https://app.example.com", "https"],
    ["https://app.example.com:8443/callback", "https"],
    ["http://localhost/callback", "loopback"],
    ["http://localhost:6274/oauth/callback", "loopback"],
    ["http://127.0.0.1:33418/", "loopback"],
    ["http://127.0.0.1:33418", "loopback"],
    ["http://[::1]:8080/callback", "loopback"],
    ["cursor://anysphere.cursor-mcp/oauth/callback", "private-use"]
  ])("%s is usable", (uri, expected) => {
    assert.strictEqual(kind(uri), expected)
  })

  it.each([
    ["attack 20: a prefix of a host with a user name", "https://claude.ai@evil.example/callback"],
    ["attack 20: a wildcard", "https://*.example.com/callback"],
    ["attack 20: a dot segment", "https://app.example.com/a/../callback"],
    ["attack 20: an escaped dot segment", "https://app.example.com/a/%2e%2e/callback"],
    ["attack 20: an encoded slash", "https://app.example.com/a%2Fcallback"],
    ["attack 20: an encoded backslash", "https://app.example.com/a%5Ccallback"],
    ["attack 20: a backslash", "https://app.example.com\\@evil.example/callback"],
    ["attack 20: an upper-case host", "https://App.example.com/callback"],
    ["attack 20: an upper-case scheme", "HTTPS://app.example.com/callback"],
    ["attack 20: a default port", "https://app.example.com:443/callback"],
    ["attack 20: a host with other letters", "https://аpp.example.com/callback"],
    ["attack 20: a space", "https://app.example.com/call back"],
    ["attack 20: a line break", "https://app.example.com/callback\nx"],
    ["attack 21: javascript", "javascript:alert(1)"],
    ["attack 21: javascript with a host", "javascript://app.example.com/%0aalert(1)"],
    ["attack 21: data", "data:text/html,<script>alert(1)</script>"],
    ["attack 21: file", "file:///etc/passwd"],
    ["attack 21: vbscript", "vbscript:x"],
    ["attack 21: blob", "blob:https://app.example.com/1"],
    ["attack 21: a private-use scheme that is not listed", "myapp://callback"],
    ["attack 21: a listed URI with more", "cursor://anysphere.cursor-mcp/oauth/callback?x=1"],
    ["attack 22: plain http", "http://app.example.com/callback"],
    ["attack 22: a name that begins with localhost", "http://localhost.evil.com/callback"],
    ["attack 22: a name that ends with localhost", "http://evil.localhost/callback"],
    ["attack 22: another loopback address", "http://127.0.0.2/callback"],
    ["attack 22: a decimal address", "http://2130706433/callback"],
    ["attack 22: a mapped address", "http://[::ffff:127.0.0.1]/callback"],
    ["attack 22: a user name before loopback", "http://localhost:80@evil.example/"],
    ["attack 24: a fragment", "https://app.example.com/callback#x"],
    ["attack 24: an empty fragment", "https://app.example.com/callback#"],
    ["a parameter of the response", "https://app.example.com/callback?code=1"],
    ["a URI that is too long", `https://app.example.com/${"a".repeat(500)}`],
    ["an empty text", ""]
  ])("%s is not usable", (_, uri) => {
    assert.isUndefined(kind(uri))
  })

  it("attack 23: only the port of a loopback URI may differ", () => {
    const registered = "http://localhost:3000/callback?a=1"
    assert.isTrue(matches(registered, "http://localhost:49152/callback?a=1"))
    assert.isTrue(matches(registered, "http://localhost/callback?a=1"))
    for (
      const other of [
        "http://localhost:3000/callback",
        "http://localhost:3000/callback?a=2",
        "http://localhost:3000/callback/?a=1",
        "http://localhost:3000/other?a=1",
        "http://127.0.0.1:3000/callback?a=1",
        "http://localhost:99999999/callback?a=1",
        "https://localhost:3000/callback?a=1"
      ]
    ) assert.isFalse(matches(registered, other), other)
    assert.isFalse(matches("https://app.example.com/callback", "https://app.example.com:8443/callback"))
  })

  it("attack 21: an operator cannot allow a scheme that runs code or reads files", () => {
    assert.isTrue(isPrivateUse("com.example.app:/callback"))
    assert.isTrue(isPrivateUse("cursor://anysphere.cursor-mcp/oauth/callback"))
    for (
      const uri of [
        "javascript://x/%0a1",
        "data:/x",
        "file:///x",
        "blob:/x",
        "vbscript:/x",
        "https://x/",
        "MyApp://x",
        1
      ]
    ) {
      assert.isFalse(isPrivateUse(uri), String(uri))
    }
  })
})

describe("the parameter resource", () => {
  const one = ["https://todos.test/mcp"]
  const two = ["https://todos.test/mcp", "https://todos.test/notes"]
  it.each([
    [undefined, one, one[0]],
    ["https://todos.test/mcp", one, one[0]],
    ["https://todos.test/mcp/", one, one[0]],
    ["HTTPS://Todos.TEST/mcp", one, one[0]],
    ["https://todos.test/mcp?x=1", one, one[0]],
    ["https://todos.test", one, one[0]],
    ["https://todos.test/", one, one[0]],
    ["https://todos.test/notes", two, two[1]],
    [undefined, two, undefined],
    ["https://todos.test/", two, undefined]
  ])("%s of %j is %s", (requested, resources, expected) => {
    assert.strictEqual(Result.getOrUndefined(find(requested, resources)), expected)
  })

  it.each([
    "https://evil.test/mcp",
    "https://todos.test/other",
    "https://todos.test/MCP",
    "http://todos.test/mcp",
    "https://todos.test:8443/mcp",
    "https://todos.test/mcp#x",
    "https://x@todos.test/mcp",
    "https://todos.test\\mcp",
    "not a url",
    `https://todos.test/mcp?${"x".repeat(3_000)}`
  ])("attack 42: %s is not the resource of this server", (requested) => {
    assert.isTrue(Result.isFailure(find(requested, one)))
  })
})
