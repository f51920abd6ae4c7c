import * as Effect from "effect/Effect"
import { decodeJwt } from "jose"
import * as TestIssuer from "../TestIssuer.ts"
import type { Client } from "./endpoints.ts"
import { challengeOf, type FaultDescription, type Party, type ServerRequest, type World } from "./faultModel.ts"
import { answerMcp, requiredScope } from "./mcpServer.ts"
import { ConnectionRefused, type Received } from "./respond.ts"

/* The servers of `MisbehavingServers`: a correct MCP server and a correct authorization server, with the hooks of a fault. */

export interface Settings {
  readonly resource: string
  readonly issuer: string
  readonly elsewhere: string
  readonly privateNetwork: string
  readonly clients: Readonly<Record<string, Client>>
}

type Members = Readonly<Record<string, unknown>>

const status = (code: number, challenge?: string, headers: Readonly<Record<string, string>> = {}) =>
  new Response(null, {
    status: code,
    headers: { ...headers, ...(challenge === undefined ? {} : { "www-authenticate": challenge }) }
  })

/** Changes the members of a JSON response. */
const change = async (
  response: Response,
  update: (members: Members) => Members,
  code = response.status
): Promise<Response> =>
  Response.json(update(await response.json()), { status: code, headers: { "cache-control": "no-store" } })

const nonceOf = (proof: string): unknown => {
  try {
    return decodeJwt<Record<string, unknown>>(proof)["nonce"]
  } catch {
    return undefined
  }
}

const toRequest = ({ body, headers, method, url }: Received): Request =>
  new Request(url, { method, headers, ...(body === "" ? {} : { body }) })

export const make = Effect.fnUntraced(function*(settings: Settings) {
  const { clients, elsewhere, issuer, privateNetwork, resource } = settings
  const { origin: server, pathname: path } = new URL(resource)
  const metadataUrl = `${server}/.well-known/oauth-protected-resource${path}`
  const own =
    (yield* TestIssuer.make({ issuer, resource, clients, signIn: "immediate", tokenLifetime: "1 hour" })).issuer
  const foreign = (yield* TestIssuer.make({ issuer: elsewhere, resource, clients, signIn: "immediate" })).issuer

  let fault: FaultDescription | undefined
  let received: ReadonlyArray<ServerRequest> = []
  /** The number of requests when the current fault was set. */
  let since: ReadonlyArray<ServerRequest> = []
  let bytes = 0
  let count = 0
  /** The scopes of the tokens that the MCP server accepts. */
  const tokens = new Map<string, string>()
  let latestScopes = ""
  const registered = new Set<string>()
  let old: ReadonlySet<string> = new Set()

  const resourceMetadata = (): Members => {
    const members = { resource, authorization_servers: [issuer], scopes_supported: ["todos:read"] }
    return fault?.resourceMetadata?.(members, world) ?? members
  }

  const respondAs = (target: TestIssuer.TestIssuer["Service"], request: Received) =>
    Effect.runPromise(target.respond(toRequest(request)))

  const world: World = {
    resource,
    server,
    issuer,
    elsewhere,
    privateNetwork,
    resourceMetadata,
    hasReceived: (party, pathname) =>
      since.some((request) => request.party === party && new URL(request.url).pathname === pathname),
    countBytes: (more) => {
      bytes += more
    },
    acceptAnother: () => {
      const token = `access-${++count}`
      tokens.set(token, latestScopes)
      return token
    },
    isOldClient: (clientId) => old.has(clientId),
    redeem: (request) => serveIssuer({ ...request, url: `${issuer}/token` }),
    count: () => ++count
  }

  const challenge = () => fault?.challenge?.(world) ?? challengeOf(metadataUrl)

  const requireNonce = (proof: string | undefined): Response | undefined => {
    if (fault?.nonces === undefined || proof === undefined) return undefined
    const nonce = fault.nonces === "constant" ? "nonce-of-the-server" : `nonce-${++count}`
    return nonceOf(proof) === nonce ? undefined : status(401, "DPoP error=\"use_dpop_nonce\"", { "dpop-nonce": nonce })
  }

  const serveMcp = ({ body, headers, method, url }: Received): Response => {
    const { pathname } = new URL(url)
    if (url === metadataUrl) return Response.json(resourceMetadata())
    // Another MCP server on the same host, which only records what it receives.
    if (pathname !== path) return status(pathname === "/other" ? 401 : 404)
    const [scheme, token] = (headers["authorization"] ?? "").split(" ")
    if (token === undefined) return status(401, challenge())
    const scopes = tokens.get(token)
    if (scopes === undefined || fault?.rejectsTokens === true) {
      return status(401, `${challenge()}, error="invalid_token"`)
    }
    const nonce = scheme?.toLowerCase() === "dpop" ? requireNonce(headers["dpop"]) : undefined
    if (nonce !== undefined) return nonce
    if (method !== "POST") return status(405, undefined, { allow: "POST" })
    const required = requiredScope(body)
    if (required === "todos:write" && fault?.stepUp !== undefined) return status(403, fault.stepUp(world))
    if (!scopes.split(" ").includes(required)) {
      return status(403, `Bearer error="insufficient_scope", scope="${required}", resource_metadata="${metadataUrl}"`)
    }
    return answerMcp(body)
  }

  const serveIssuer = async (request: Received): Promise<Response> => {
    const response = await respondAs(own, request)
    const { pathname } = new URL(request.url)
    if (pathname.startsWith("/.well-known/") && response.ok) {
      return change(response, (members) => fault?.metadata?.(members, world) ?? members)
    }
    if (pathname === "/authorize") {
      const location = response.headers.get("location")
      if (location === null || fault?.callback === undefined) return response
      const callback = new URL(location)
      fault.callback(callback, world)
      return new Response(null, { status: 302, headers: { location: callback.href } })
    }
    if (pathname === "/register" && response.ok) {
      return change(response, (members) => {
        registered.add(String(members["client_id"]))
        return fault?.registration?.(members) ?? members
      }, fault?.registrationStatus)
    }
    if (pathname === "/token" && response.ok) {
      return change(response, (members) => {
        const answer = fault?.token?.(members) ?? members
        latestScopes = String(answer["scope"] ?? "")
        tokens.set(String(answer["access_token"]), latestScopes)
        return answer
      })
    }
    return response
  }

  const serveElsewhere = async (request: Received): Promise<Response> => {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith("/.well-known/oauth-protected-resource")) {
      return Response.json({ resource, authorization_servers: [elsewhere] })
    }
    // The metadata of the attacker under the name of the issuer.
    if (pathname === "/foreign-metadata") {
      const metadata = await respondAs(foreign, {
        ...request,
        url: `${elsewhere}/.well-known/oauth-authorization-server`
      })
      return change(metadata, (members) => ({ ...members, issuer }))
    }
    return respondAs(foreign, request)
  }

  const serve = (request: ServerRequest): Response | Promise<Response> => {
    const scripted = fault?.respond?.(request, world)
    if (scripted !== undefined) return scripted
    switch (request.party) {
      case "server":
        return serveMcp(request)
      case "issuer":
        return serveIssuer(request)
      case "elsewhere":
        return serveElsewhere(request)
      case "privateNetwork":
        return status(404)
    }
  }

  const parties: ReadonlyMap<string, Party> = new Map<string, Party>([
    [new URL(privateNetwork).origin, "privateNetwork"],
    [new URL(elsewhere).origin, "elsewhere"],
    [new URL(issuer).origin, "issuer"],
    [server, "server"]
  ])

  const respond = (request: Request): Effect.Effect<Response, ConnectionRefused> =>
    Effect.gen(function*() {
      const body = request.body === null ? "" : yield* Effect.promise(() => request.text())
      const party = parties.get(new URL(request.url).origin)
      if (party === undefined) return yield* Effect.fail(new ConnectionRefused())
      const headers = Object.fromEntries(request.headers)
      const seen: ServerRequest = { party, method: request.method, url: request.url, headers, body }
      received = [...received, seen]
      since = [...since, seen]
      return yield* Effect.promise(async () => serve(seen))
    })

  return {
    resource,
    issuer,
    elsewhere,
    privateNetwork,
    setFault: (next: FaultDescription | undefined): Effect.Effect<void> =>
      Effect.andThen(
        own.requireDpopNonce(next?.nonces === undefined ? undefined : "nonce-of-the-issuer"),
        Effect.sync(() => {
          fault = next
          since = []
          old = new Set(registered)
        })
      ),
    expireTokens: Effect.sync(() => tokens.clear()),
    requests: Effect.sync(() => received),
    takeRequests: Effect.sync(() => {
      const taken = received
      received = []
      return taken
    }),
    sentBytes: Effect.sync(() => bytes),
    respond
  }
})
