import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { getRequestListener } from "@hono/node-server"
import { Module } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import { FastifyAdapter } from "@nestjs/platform-fastify"
import { expectAdmitted, expectChallenge, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import express5 from "express"
// @ts-expect-error The package `express4` has no types. The code below uses the types of Express 5.
import express4 from "express4"
import { readdirSync, readFileSync } from "node:fs"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { steps } from "../../../tools/tutorials/Tutorial.ts"
import * as express from "../express.ts"
import * as fastify from "../fastify.ts"
import * as web from "../fetch.ts"
import * as hono from "../hono.ts"
import * as koa from "../koa.ts"
import * as lambda from "../lambda.ts"
import * as nest from "../nest.ts"
import * as next from "../next.ts"
import * as v1 from "../NotesV1.ts"
import * as v2 from "../NotesV2.ts"
import * as serverless from "../serverless.ts"

/** A running recipe: sends a request over a socket, or passes it to the function of the recipe. */
interface Running {
  readonly send: (request: Request) => Promise<Response>
  readonly stop: () => Promise<unknown>
}

const sendTo = (url: string) => async (request: Request): Promise<Response> => {
  const { pathname, search } = new URL(request.url)
  const body = await request.arrayBuffer()
  return fetch(new URL(pathname + search, url), {
    method: request.method,
    headers: request.headers,
    ...(body.byteLength === 0 ? {} : { body })
  })
}

const listen = async (listener: RequestListener): Promise<Running> => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    send: sendTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    stop: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    }
  }
}

const withoutServer = (send: Running["send"]): Running => ({ send, stop: async () => {} })

class Root {
  readonly name = "notes"
}
Module({})(Root)

const startNest = async (notes: v1.Notes, ...adapter: [] | [FastifyAdapter]): Promise<Running> => {
  const app = adapter.length === 0
    ? await NestFactory.create(Root, { logger: false })
    : await NestFactory.create(Root, adapter[0], { logger: false })
  nest.useNotes(app, notes)
  await app.listen(0, "127.0.0.1")
  return { send: sendTo(await app.getUrl()), stop: () => app.close() }
}

/** Calls a function of AWS Lambda with the event of a function URL (payload version 2.0). */
const invoke =
  (handler: (event: any, context: any) => Promise<unknown>) => async (request: Request): Promise<Response> => {
    const { pathname, search } = new URL(request.url)
    const answer = await handler({
      version: "2.0",
      rawPath: pathname,
      rawQueryString: search.slice(1),
      headers: { host: new URL(request.url).host, ...Object.fromEntries(request.headers) },
      requestContext: {
        domainName: new URL(request.url).host,
        http: { method: request.method, path: pathname, sourceIp: "192.0.2.1" }
      },
      body: await request.text(),
      isBase64Encoded: false
    }, {}) as { readonly statusCode: number; readonly headers: Record<string, string>; readonly body: string }
    return new Response(answer.body, { status: answer.statusCode, headers: answer.headers })
  }

const onV1: Record<string, (notes: v1.Notes) => Promise<Running>> = {
  "Express 4": (notes) => listen(express.makeApp(notes, express4 as typeof express5)),
  "Express 5": (notes) => listen(express.makeApp(notes, express5)),
  Fastify: async (notes) => {
    const app = fastify.makeApp(notes)
    return { send: sendTo(await app.listen({ host: "127.0.0.1", port: 0 })), stop: () => app.close() }
  },
  "Nest on Express": (notes) => startNest(notes),
  "Nest on Fastify": (notes) => startNest(notes, new FastifyAdapter()),
  Koa: (notes) => listen(koa.makeApp(notes).callback()),
  "AWS Lambda with serverless-http": async (notes) => withoutServer(invoke(serverless.makeHandler(notes)))
}

const onV2: Record<string, (notes: v2.Notes) => Promise<Running>> = {
  Hono: (notes) => listen(getRequestListener(hono.makeApp(notes).fetch) as RequestListener),
  "AWS Lambda with Hono": async (notes) => withoutServer(invoke(lambda.makeHandler(notes))),
  "Next.js route handlers": async (notes) => {
    const routes = { "/mcp": next.mcpRoute(notes), "/.well-known": next.metadataRoute(notes) }
    return withoutServer((request) => {
      const route = new URL(request.url).pathname === "/mcp" ? routes["/mcp"] : routes["/.well-known"]
      return (route as Record<string, (request: Request) => Promise<Response>>)[request.method]!(request)
    })
  },
  "a function from Request to Response": async (notes) => withoutServer(web.makeFetch(notes))
}

const resource = "https://notes.example.com/mcp"
const issuer = await TestIssuer.start({ resource })
const options = { resource, authorizationServers: [issuer.issuer], fetch: issuer.fetch } as const

const recipes = [
  ...Object.entries(onV1).map(([name, start]) => ({
    name,
    protocol: "2025-11-25" as const,
    // A client of this version replaces its scopes with those of the challenge, so the challenge repeats the baseline.
    stepUp: ["notes:write", "notes:read"],
    start: async () => {
      const notes = await v1.makeNotes(options)
      return { running: await start(notes), dispose: notes.dispose }
    }
  })),
  ...Object.entries(onV2).map(([name, start]) => ({
    name,
    protocol: "2026-07-28" as const,
    stepUp: ["notes:write"],
    start: async () => {
      const notes = await v2.makeNotes(options)
      return { running: await start(notes), dispose: notes.dispose }
    }
  }))
]

describe.each(recipes)("the recipe for $name", ({ protocol, start, stepUp }) => {
  let started: Awaited<ReturnType<typeof start>>
  let client: TestClient.PromisedTestClient
  beforeAll(async () => {
    started = await start()
    client = TestClient.start({
      issuer,
      handler: (request: Request) => started.running.send(request),
      url: resource,
      protocol
    })
  })
  afterAll(async () => {
    await started.running.stop()
    await started.dispose()
  })

  it("publishes the metadata", async () => {
    const url = "https://notes.example.com/.well-known/oauth-protected-resource/mcp"
    const response = await started.running.send(new Request(url))
    assert.strictEqual(response.status, 200)
    assert.deepInclude(await response.json(), { resource, authorization_servers: [issuer.issuer] })
  })

  it("answers 401 without a token, and tells the client where to sign in", async () => {
    await expectChallenge({ status: 401, error: null, scope: ["notes:read"] })(client.callTool("list_notes"))
  })

  it("runs the tool for a caller with its scope, and answers 403 to a caller without it", async () => {
    const reader = client.as({ subject: "carol", scopes: ["notes:read"] })
    const answer = await reader.callTool("list_notes")
    assert.deepStrictEqual(expectAdmitted(answer).result?.content, [{ type: "text", text: "The notes of carol" }])
    await expectChallenge({ status: 403, error: "insufficient_scope", scope: stepUp })(reader.callTool("add_note"))
  })
})

it("the page shows each file of the recipes", () => {
  const folder = join(import.meta.dirname, "..")
  const shown = steps(readFileSync(join(folder, "README.md"), "utf8")).flatMap((step) =>
    step.kind === "file" ? [[step.path, step.code] as const] : []
  )
  const files = readdirSync(folder).filter((file) => file.endsWith(".ts"))
  assert.deepStrictEqual(
    Object.fromEntries(shown),
    Object.fromEntries(files.map((file) => [file, readFileSync(join(folder, file), "utf8")]))
  )
})
