/** Servers for the tests of the doctor: on `node:http`, with the packages that their authors use. */
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js"
import { getOAuthProtectedResourceMetadataUrl } from "@modelcontextprotocol/sdk/server/auth/router.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js"
import { Effect, Redacted } from "effect"
import { Doctor, type Report } from "effect-mcp-auth/provider"
import { FetchHttpClient } from "effect/http"
import express, { type RequestHandler } from "express"
import { createRemoteJWKSet, jwtVerify } from "jose"
import { randomUUID } from "node:crypto"
import type { RequestListener } from "node:http"
import * as AuthorizationServer from "../../../examples/authorization-server/AuthorizationServer.ts"
import { signIn } from "../../../examples/authorization-server/test/signIn.ts"
import { listen } from "../../servers/sdk/listen.ts"

/** Runs the doctor over the network. */
export const runDoctor = (url: string, options: Doctor.Options = {}) =>
  Doctor.run(url, options).pipe(Effect.provide(FetchHttpClient.layer))

export const getFinding = (report: Report.Report, rule: string) => {
  const finding = report.findings.find((_) => _.rule === rule)
  if (finding === undefined) throw new Error(`the report has no finding for ${rule}`)
  return finding
}

export const getVerdict = (report: Report.Report, rule: string) => report.findings.find((_) => _.rule === rule)?.verdict

/** The rules that fail. */
export const getFailures = (report: Report.Report, level?: "MUST") =>
  report.findings.filter((_) => _.verdict === "fail" && (level === undefined || _.level === level)).map((_) => _.rule)

/** The tools that have run, in order. */
export type Ran = Array<string>

const makeMcpServer = (ran: Ran): McpServer => {
  const server = new McpServer({ name: "todos", version: "1.0.0" })
  for (const name of ["list_todos", "delete_all_todos"]) {
    server.registerTool(name, {}, () => {
      ran.push(name)
      return { content: [] }
    })
  }
  return server
}

/** Handles the requests of clients with version 1 of the SDK. With sessions, the server rejects requests without one. */
export const handleMcp = (ran: Ran, { sessions = false }: { readonly sessions?: boolean } = {}): RequestHandler => {
  const transports = new Map<string, StreamableHTTPServerTransport>()
  return async (request, response) => {
    const id = request.header("mcp-session-id")
    const open = id === undefined ? undefined : transports.get(id)
    if (open !== undefined) return open.handleRequest(request, response, request.body)
    const transport = new StreamableHTTPServerTransport(
      sessions
        ? {
          sessionIdGenerator: randomUUID,
          onsessioninitialized: (id) => void transports.set(id, transport)
        }
        : {}
    )
    await makeMcpServer(ran).connect(transport as never)
    return transport.handleRequest(request, response, request.body)
  }
}

/** Serves an Express application with a parsed body until the scope closes. */
export const serve = (make: (app: express.Express, origin: string) => void | Promise<void>) =>
  listen((origin) =>
    Effect.promise(async () => {
      const app = express()
      app.use(express.json())
      await make(app, origin)
      return app
    })
  )

/** Serves a listener of `node:http` until the scope closes. */
export const serveRaw = (make: (origin: string) => RequestListener) => listen((origin) => Effect.succeed(make(origin)))

/** A running authorization server, and tokens that it issues to alice for any resource. */
export const makeIssuer = Effect.map(
  AuthorizationServer.make({ scopes: ["todos:read"] }),
  ({ issuer }) => ({
    issuer,
    signIn: (resource: string) =>
      Effect.map(
        Effect.promise(() => signIn({ issuer, resource, scope: "todos:read" })),
        ({ access_token }) => Redacted.make(access_token)
      )
  })
)

/** Serves the metadata of a protected resource at its well-known URL. */
export const serveMetadata = (app: express.Express, resource: string, issuer: string) =>
  app.get(
    "/.well-known/oauth-protected-resource/mcp",
    (_request, response) =>
      void response.json({ resource, authorization_servers: [issuer], scopes_supported: ["todos:read"] })
  )

/** Starts a server with `requireBearerAuth` of the SDK and the given audience. Without one, the verifier accepts all. */
export const startBearerAuth = (issuer: string, ran: Ran, audience?: (resource: string) => string) =>
  serve((app, origin) => {
    const resource = `${origin}/mcp`
    const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
    serveMetadata(app, resource, issuer)
    app.use(
      "/mcp",
      requireBearerAuth({
        verifier: {
          verifyAccessToken: async (token) => {
            const { payload } = await jwtVerify(token, keys, {
              issuer,
              ...(audience === undefined ? {} : { audience: audience(resource) })
            })
            return { token, clientId: String(payload["client_id"]), scopes: ["todos:read"], expiresAt: payload.exp! }
          }
        },
        requiredScopes: ["todos:read"],
        resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(new URL(resource))
      }),
      handleMcp(ran)
    )
  })
