/**
 * Tests bodies of requests whose method carries no MCP message, such as GET. If a body parser makes such a body available to
 * a handler, the gate has checked it.
 */
import { assert, describe, it } from "@effect/vitest"
import { serve } from "@hono/node-server"
import { Effect } from "effect"
import { McpAuthFetch } from "effect-mcp-auth/fetch"
import { McpAuthNode } from "effect-mcp-auth/node"
import type { HttpClient } from "effect/http"
import express5 from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
import { Hono } from "hono"
import { createServer, request, type Server } from "node:http"
import { connect, createServer as createServer2 } from "node:http2"
import type { AddressInfo } from "node:net"
import { fetcherWith } from "../gates.ts"
import { bearer, call } from "../hosts/cases.ts"
import { makeIssuer, resource } from "../hosts/Host.ts"
import { requirementOf } from "../hosts/TodoServer.ts"

const options = (anonymous: "deny" | "allow-unscoped") => ({
  resource,
  scopes: ["todos:read", "todos:write"] as const,
  anonymous
})

type Ran = (body: unknown) => void

interface Started {
  readonly server: Server
  readonly dispose: () => Promise<void>
}

type Start = (given: ReturnType<typeof optionsOf>, ran: Ran) => Promise<Started>

const optionsOf = (issuer: string, client: HttpClient.HttpClient, anonymous: "deny" | "allow-unscoped") =>
  ({ ...options(anonymous), authorizationServers: [issuer], layer: fetcherWith(client) }) as const

const listen = (server: Server) =>
  new Promise<Server>((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)))

/** A server whose handler executes `req.body` for every method. */
const express = (framework: typeof express5, parser: "before" | "after"): Start => async (given, ran) => {
  const auth = await McpAuthNode.make(given)
  const app = framework()
  const parsers = [framework.json(), framework.urlencoded({ extended: true }), framework.text({ type: "text/plain" })]
  const guard = auth.protect({ policy: requirementOf })
  app.use(...(parser === "before" ? [...parsers, guard] : [guard, ...parsers]) as Array<express5.RequestHandler>)
  app.use((req, res) => {
    ran(req.body)
    res.end()
  })
  return { server: await listen(createServer(app)), dispose: auth.dispose }
}

const nodeHttp: Start = async (given, ran) => {
  const auth = await McpAuthNode.make(given)
  const guard = auth.protect({ policy: requirementOf })
  const server = await listen(createServer(async (req, res) => {
    const admission = await guard(req, res)
    if (admission === undefined) return
    ran(admission.body)
    const chunks: Array<Buffer> = []
    for await (const chunk of req) chunks.push(chunk as Buffer)
    ran(Buffer.concat(chunks).toString())
    res.end()
  }))
  return { server, dispose: auth.dispose }
}

const hono: Start = async (given, ran) => {
  const auth = await McpAuthFetch.make(given)
  const handle = auth.protect(async (request, { body }) => {
    ran(body)
    ran(await request.text())
    return new Response()
  }, { policy: requirementOf })
  const app = new Hono()
  app.all("/mcp", (c) => handle(c.req.raw))
  const server = await new Promise<Server>((resolve) => {
    const listening: unknown = serve(
      { fetch: app.fetch, port: 0, hostname: "127.0.0.1" },
      () => resolve(listening as Server)
    )
  })
  return { server, dispose: auth.dispose }
}

const starts: ReadonlyArray<readonly [string, Start]> = [
  ["Express 4, body parsers after the gate", express(express4 as unknown as typeof express5, "after")],
  ["Express 4, body parsers before the gate", express(express4 as unknown as typeof express5, "before")],
  ["Express 5, body parsers after the gate", express(express5, "after")],
  ["Express 5, body parsers before the gate", express(express5, "before")],
  ["node:http", nodeHttp],
  ["Hono on @hono/node-server", hono]
]

type Lines = ReadonlyArray<readonly [name: string, value: string]>

interface Sent {
  readonly method: string
  readonly headers: Lines
  readonly body?: string
}

/** Sends a request with exactly these header lines and a `Host`. Returns the status. */
const statusOf = (port: number, { body, headers, method }: Sent) =>
  new Promise<number>((resolve, reject) => {
    const lines = [["host", "server.test"], ...headers].flat()
    const sending = request({ port, host: "127.0.0.1", method, path: "/mcp", agent: false, headers: lines as never })
    sending.on("response", (response) => {
      response.resume().on("end", () => resolve(response.statusCode!))
    })
    sending.on("error", reject)
    sending.end(body)
  })

const methods = ["GET", "HEAD", "OPTIONS", "DELETE"]

const body = call([], "add_todo").body as string

const lengths = [["content-length", String(body.length)], ["transfer-encoding", "chunked"]] as const

const types = ["application/json", "text/plain", "application/x-www-form-urlencoded", undefined]

describe.each(starts)("%s", (_, start) => {
  const setUp = async (anonymous: "deny" | "allow-unscoped") => {
    const { client, issuer } = await makeIssuer(resource)
    const seen: Array<unknown> = []
    const { dispose, server } = await start(optionsOf(issuer.issuer, client, anonymous), (_) => void seen.push(_))
    const { port } = server.address() as AddressInfo
    const send = (sent: Sent) => statusOf(port, sent)
    const take = () => JSON.stringify(seen.splice(0))
    const stop = async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await dispose()
    }
    return { issuer, send, stop, take }
  }
  const typed = (type: string | undefined) => type === undefined ? [] : [["content-type", type] as const]
  const sent = (
    method: string,
    type: string | undefined,
    length: typeof lengths[number],
    token: string | undefined
  ) => ({
    method,
    headers: [...(token === undefined ? [] : bearer(token)), ...typed(type), length],
    body
  })

  it("[T-AUD-04c] a body of any method is checked before the handler receives it", async () => {
    const { issuer, send, stop, take } = await setUp("deny")
    const reader = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))
    for (const method of methods) {
      for (const type of types) {
        for (const length of lengths) {
          for (let turn = 0; turn < 2; turn++) {
            const status = await send(sent(method, type, length, reader))
            const where = `${method} ${type} ${length[0]}: ${status}`
            assert.notInclude(take(), "add_todo", where)
          }
        }
      }
    }
    await stop()
  })

  it("[T-AUD-04c] a handler for anonymous callers receives no unchecked body either", async () => {
    const { send, stop, take } = await setUp("allow-unscoped")
    for (const method of methods) {
      for (const length of lengths) {
        const status = await send(sent(method, "application/json", length, undefined))
        assert.notInclude(take(), "add_todo", `${method} ${length[0]}: ${status}`)
      }
    }
    await stop()
  })

  it("[T-AUD-04c] a request without a body, or with an empty one, is admitted", async () => {
    const { issuer, send, stop, take } = await setUp("deny")
    const reader = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))
    for (const method of methods) {
      for (const type of types) {
        for (const empty of [[], [["content-length", "0"]], [["transfer-encoding", "chunked"]]] as const) {
          const status = await send({ method, headers: [...bearer(reader), ...typed(type), ...empty] })
          // A form parser turns an empty chunked body into an object without fields, which is not a JSON-RPC message.
          const isForm = type === "application/x-www-form-urlencoded" && empty[0]?.[0] === "transfer-encoding"
          assert.include(isForm ? [200, 400] : [200], status, `${method} ${type} ${empty}`)
          assert.notInclude(take(), "add_todo")
        }
      }
    }
    await stop()
  })
})

it("[T-AUD-04c] a body over HTTP/2 without an announced length is checked as well", async () => {
  const { client, issuer } = await makeIssuer(resource)
  const reader = await Effect.runPromise(issuer.mint({ scopes: ["todos:read"] }))
  const auth = await McpAuthNode.make(optionsOf(issuer.issuer, client, "deny"))
  const guard = auth.protect({ policy: requirementOf })
  const server = createServer2(async (req, res) => {
    if (await guard(req, res as never) === undefined) return
    let read = ""
    for await (const chunk of req) read += chunk
    res.end(read)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const answerTo = (method: string, content: string | undefined) =>
    new Promise<readonly [number, string]>((resolve, reject) => {
      const headers = {
        ":method": method,
        ":path": "/mcp",
        ":authority": "server.test",
        authorization: `Bearer ${reader}`
      }
      const stream = session.request(headers, { endStream: content === undefined })
      let status = 0
      let read = ""
      stream.on("response", (answer) => void (status = answer[":status"]!))
      stream.on("data", (chunk) => void (read += String(chunk)))
      stream.on("end", () => resolve([status, read]))
      stream.on("error", reject)
      if (content !== undefined) stream.end(content)
    })
  for (const method of ["GET", "DELETE", "OPTIONS"]) {
    assert.deepStrictEqual(await answerTo(method, undefined), [200, ""], method)
    assert.deepStrictEqual(await answerTo(method, ""), [200, ""], method)
    assert.strictEqual((await answerTo(method, body))[0], 403, method)
  }
  session.close()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  await auth.dispose()
})
