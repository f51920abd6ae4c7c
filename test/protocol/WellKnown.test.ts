import { assert, describe, it } from "@effect/vitest"
import { HttpUri, WellKnown } from "effect-mcp-auth/protocol"

describe("WellKnown", () => {
  it.each<[issuer: string, urls: ReadonlyArray<string>]>([
    ["https://auth.example.com", [
      "https://auth.example.com/.well-known/oauth-authorization-server",
      "https://auth.example.com/.well-known/openid-configuration"
    ]],
    ["https://auth.example.com/", [
      "https://auth.example.com/.well-known/oauth-authorization-server",
      "https://auth.example.com/.well-known/openid-configuration"
    ]],
    ["https://auth.example.com/tenant1", [
      "https://auth.example.com/.well-known/oauth-authorization-server/tenant1",
      "https://auth.example.com/.well-known/openid-configuration/tenant1",
      "https://auth.example.com/tenant1/.well-known/openid-configuration"
    ]],
    // RFC 8414 §3.1: "any terminating / MUST be removed".
    ["https://auth.example.com/tenant1/", [
      "https://auth.example.com/.well-known/oauth-authorization-server/tenant1",
      "https://auth.example.com/.well-known/openid-configuration/tenant1",
      "https://auth.example.com/tenant1/.well-known/openid-configuration"
    ]],
    ["http://localhost:8080/realms/a%20b/c", [
      "http://localhost:8080/.well-known/oauth-authorization-server/realms/a%20b/c",
      "http://localhost:8080/.well-known/openid-configuration/realms/a%20b/c",
      "http://localhost:8080/realms/a%20b/c/.well-known/openid-configuration"
    ]]
  ])("authorization server %s", (issuer, urls) => {
    assert.deepStrictEqual(WellKnown.authorizationServerMetadata(new URL(issuer)), urls)
  })

  it.each<[id: string, resource: string, url: string]>([
    ["PRM-01", "https://example.com", "https://example.com/.well-known/oauth-protected-resource"],
    ["PRM-02", "https://example.com/", "https://example.com/.well-known/oauth-protected-resource"],
    ["PRM-04", "http://localhost:3000/foo", "http://localhost:3000/.well-known/oauth-protected-resource/foo"],
    ["PRM-05", "https://example.com/api/v1/", "https://example.com/.well-known/oauth-protected-resource/api/v1/"],
    ["PRM-06", "https://example.com/r?a=1&b=2", "https://example.com/.well-known/oauth-protected-resource/r?a=1&b=2"],
    ["PRM-06", "https://example.com/?a=1", "https://example.com/.well-known/oauth-protected-resource?a=1"],
    [
      "RFC 9728 §3.1",
      "https://example.com:8443/a/b",
      "https://example.com:8443/.well-known/oauth-protected-resource/a/b"
    ]
  ])("%s resource %s", (_, resource, url) => {
    assert.strictEqual(WellKnown.protectedResourceMetadata(new URL(resource)), url)
    assert.strictEqual(new URL(url).origin + WellKnown.protectedResourceMetadataPath(new URL(resource)), url)
  })

  it.each<[url: string, secure: boolean]>([
    ["https://example.com", true],
    ["https://10.0.0.1", true],
    ["http://localhost:3000", true],
    ["http://app.localhost", true],
    ["http://127.0.0.1", true],
    ["http://127.8.9.10:80/x", true],
    ["http://2130706433", true], // 127.0.0.1, as URL reads it
    ["http://[::1]:3000", true],
    ["http://example.com", false],
    ["http://localhost.example.com", false],
    ["http://127.0.0.1.example.com", false],
    ["http://notlocalhost", false],
    ["http://0.0.0.0", false],
    ["http://10.0.0.1", false],
    ["http://192.168.1.1", false],
    ["http://[::ffff:127.0.0.1]", false],
    ["ftp://localhost", false],
    ["ws://localhost", false],
    ["file:///etc/passwd", false],
    ["data:,x", false]
  ])("%s may be used: %s", (url, secure) => {
    assert.strictEqual(HttpUri.isSecure(new URL(url)), secure)
  })
})
