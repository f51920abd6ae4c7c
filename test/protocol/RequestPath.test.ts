import { assert, describe, it } from "@effect/vitest"
import * as requestPath from "../../src/protocol/RequestPath.ts"

describe("the path of a request target", () => {
  it.each([
    ["/t/acme/mcp", "/t/acme/mcp"],
    ["/t/acme/mcp?x=/y#z", "/t/acme/mcp"],
    ["http://server.test/t/acme/mcp?x", "/t/acme/mcp"],
    ["HTTPS://server.test", "/"],
    ["//t/acme/mcp", "//t/acme/mcp"]
  ])("%s has the path %s", (target, path) => assert.strictEqual(requestPath.of(target), path))

  it.each(["http://server.test\\t\\acme/mcp", "http://server.test\\mcp", "http:\\\\server.test/mcp", "http:/mcp"])(
    "[T-AUD-01a] the path of %s is the one that a URL parser reads, not the text after the last slash",
    (target) => assert.notInclude(["/mcp", "/t/acme/mcp"], requestPath.of(target))
  )
})
