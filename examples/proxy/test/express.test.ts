import { afterAll, assert, beforeAll, it } from "@effect/vitest"
import { TestBrowser, TestUpstream } from "effect-mcp-auth/testing"
import { randomBytes } from "node:crypto"
import { createServer, type RequestListener, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { clients } from "../../../test/providers/officialClients.ts"
import { makeApp } from "../express.ts"

const listen = async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { server, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const close = (server: Server) => {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(resolve))
}

let url: string
let stop: () => Promise<unknown>
beforeAll(async () => {
  const [github, todos] = await Promise.all([listen(), listen()])
  const upstream = await TestUpstream.start({ form: "github", origin: github.origin })
  github.server.on("request", upstream.listener as RequestListener)
  url = `${todos.origin}/mcp`
  const { app, dispose } = await makeApp(url, {
    GITHUB_ID: upstream.clientId,
    GITHUB_SECRET: upstream.clientSecret,
    GITHUB_SERVER: upstream.origin,
    GITHUB_ORGANIZATION: "acme",
    PROXY_SECRET: randomBytes(32).toString("base64")
  })
  todos.server.on("request", app)
  stop = () => Promise.all([close(github.server), close(todos.server), dispose()])
})
afterAll(() => stop())

it.each(clients)("the client of $name signs in at the server on Express", async ({ signIn }) => {
  const browser = TestBrowser.start()
  const { callTool, close } = await signIn({
    url,
    browse: async (authorizationUrl) => new URL(await browser.signIn(authorizationUrl))
  })
  assert.deepStrictEqual((await callTool("list_todos", {}))["content"], [{ type: "text", text: "[]" }])
  await close()
})
