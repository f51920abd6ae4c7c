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
    "[T-AUD-01a] %s is not the path after its last slash, which is not what a URL parser reads",
    (target) => assert.notInclude(["/mcp", "/t/acme/mcp"], requestPath.of(target))
  )
})
