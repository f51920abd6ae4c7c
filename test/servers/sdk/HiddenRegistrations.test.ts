import { assert, describe, it } from "@effect/vitest"
import { McpServer } from "@modelcontextprotocol/server"
import { hideFromHandler } from "../../../src/servers/sdk/HiddenRegistrations.ts"
import { makePolicies } from "../../../src/servers/sdk/RegistrationPolicy.ts"
import { isMcpServer } from "../../../src/servers/sdk/SdkPrivates.ts"
import { anonymousViewer } from "../../../src/servers/sdk/Visibility.ts"

const make = () => {
  const sdk = new McpServer({ name: "notes", version: "1.0.0" })
  const policies = makePolicies()
  const register = (name: string) => sdk.registerTool(name, {}, () => ({ content: [] }))
  register("open")
  policies.set(register("hidden"), { scopes: ["read"], unauthorized: "hide" })
  const server: object = sdk
  return isMcpServer(server) ? { server, policies, register } : assert.fail("not an McpServer")
}

describe("HiddenRegistrations", () => {
  it("a handler finds no hidden registration in any way, and the server has it again afterwards", () => {
    const { policies, server } = make()
    const handler = hideFromHandler(
      server,
      () => {
        const tools = server._registeredTools
        return [Object.keys(tools), "hidden" in tools, tools["hidden"], Object.hasOwn(tools, "hidden")]
      },
      policies,
      () => anonymousViewer
    )
    assert.deepStrictEqual(handler({}, {}), [["open"], false, undefined, false])
    assert.deepStrictEqual(Object.keys(server._registeredTools), ["open", "hidden"])
  })

  it("registrations that a handler adds stay on the server", () => {
    const { policies, register, server } = make()
    hideFromHandler(server, () => void register("later"), policies, () => anonymousViewer)({}, {})
    assert.deepStrictEqual(Object.keys(server._registeredTools), ["open", "hidden", "later"])
  })

  it("the registrations come back if the handler throws", () => {
    const { policies, server } = make()
    const original = server._registeredTools
    const handler = hideFromHandler(server, () => assert.fail("no such tool"), policies, () => anonymousViewer)
    assert.throws(() => handler({}, {}))
    assert.strictEqual(server._registeredTools, original)
  })
})
