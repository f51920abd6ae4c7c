import { challengeOf, type FaultDescription, type ServerRequest, type World } from "./faultModel.ts"
import { signInFaults } from "./signInFaults.ts"
import { tokenFaults } from "./tokenFaults.ts"

/* The faults of the documents that a client reads before a sign-in. */

const json = (body: unknown) => Response.json(body)

const isMetadata = ({ party, url }: ServerRequest) =>
  party === "issuer" && /\/\.well-known\/(?:oauth-authorization-server|openid-configuration)/.test(url)

const isResourceMetadata = ({ party, url }: ServerRequest) =>
  party === "server" && url.includes("/.well-known/oauth-protected-resource")

/** The size at which an endless document ends after all, in bytes, so that no test fills the memory of its machine. */
const endOfEndless = 64 * 1024 * 1024

const endless = (world: World): Response => {
  const chunk = new Uint8Array(65_536).fill(0x20)
  const start = new TextEncoder().encode("{\"resource\":\"")
  let sent = 0
  const next = (controller: ReadableStreamDefaultController<Uint8Array>, bytes: Uint8Array) => {
    sent += bytes.length
    world.countBytes(bytes.length)
    controller.enqueue(bytes)
    if (sent >= endOfEndless) controller.close()
  }
  return new Response(
    new ReadableStream<Uint8Array>({
      pull: (controller) => next(controller, sent === 0 ? start : chunk)
    }, { highWaterMark: 0 }),
    { headers: { "content-type": "application/json" } }
  )
}

const stalled = (): Response =>
  new Response(
    new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode("{\"resource\":"))
    }),
    { headers: { "content-type": "application/json" } }
  )

const discoveryFaults = {
  "challenge-names-foreign-metadata": {
    number: 1,
    server: "The challenge names metadata at another origin, which name another authorization server.",
    client: "Reads the metadata of the MCP server itself, and sends nothing to the other authorization server.",
    challenge: ({ elsewhere }) => challengeOf(`${elsewhere}/.well-known/oauth-protected-resource/mcp`)
  },
  "token-endpoint-in-private-network": {
    number: 2,
    server: "The metadata name a token endpoint at an address of a private network.",
    client: "Sends nothing to the address.",
    metadata: (members, { privateNetwork }) => ({ ...members, token_endpoint: `${privateNetwork}/token` })
  },
  "redirects-resource-metadata": {
    number: 4,
    server: "The metadata of the MCP server redirect to another origin, which names another authorization server.",
    client: "Does not follow the redirect.",
    respond: (request, { elsewhere }) =>
      isResourceMetadata(request)
        ? Response.redirect(`${elsewhere}/.well-known/oauth-protected-resource/mcp`, 302)
        : undefined
  },
  "redirects-issuer-metadata": {
    number: 4,
    server: "The metadata of the authorization server redirect to another origin, which names other endpoints.",
    client: "Does not follow the redirect.",
    respond: (request, { elsewhere }) =>
      isMetadata(request) ? Response.redirect(`${elsewhere}/foreign-metadata`, 302) : undefined
  },
  "redirects-token-requests": {
    number: 4,
    server: "The token endpoint redirects to another origin with the status 307, which repeats the body.",
    client: "Does not follow the redirect, so neither the code nor the verifier leaves.",
    respond: ({ party, url }, { elsewhere }) =>
      party === "issuer" && new URL(url).pathname === "/token"
        ? new Response(null, { status: 307, headers: { location: `${elsewhere}/token` } })
        : undefined
  },
  "redirects-registrations": {
    number: 4,
    server: "The registration endpoint redirects to another origin with the status 307.",
    client: "Does not follow the redirect.",
    respond: ({ party, url }, { elsewhere }) =>
      party === "issuer" && new URL(url).pathname === "/register"
        ? new Response(null, { status: 307, headers: { location: `${elsewhere}/register` } })
        : undefined
  },
  "endless-metadata": {
    number: 5,
    server: "The metadata of the MCP server do not end.",
    client: "Stops reading after a limited number of bytes.",
    respond: (request, world) => isResourceMetadata(request) ? endless(world) : undefined
  },
  "stalled-metadata": {
    number: 5,
    server: "The metadata of the MCP server stop in the middle, and the connection stays open.",
    client: "Gives up after a limited time.",
    respond: (request) => isResourceMetadata(request) ? stalled() : undefined
  },
  "deep-metadata": {
    number: 5,
    server: "The metadata of the MCP server contain a list in a list, 100,000 levels deep.",
    client: "Rejects the document, or ignores the member.",
    respond: (request, { issuer, resource }) =>
      isResourceMetadata(request)
        ? new Response(
          `{"resource":${JSON.stringify(resource)},"authorization_servers":[${JSON.stringify(issuer)}],"deep":${
            "[".repeat(100_000)
          }${"]".repeat(100_000)}}`,
          { headers: { "content-type": "application/json" } }
        )
        : undefined
  },
  "metadata-of-another-server": {
    number: 6,
    server: "The metadata of the MCP server describe a resource at another origin.",
    client: "Stops before the sign-in.",
    resourceMetadata: (members, { elsewhere }) => ({ ...members, resource: `${elsewhere}/mcp` })
  },
  "metadata-of-a-shorter-name": {
    number: 6,
    server:
      "The metadata describe a resource whose name only begins like that of the MCP server, such as `/mc` for `/mcp`.",
    client: "Stops before the sign-in, because a path consists of whole segments.",
    resourceMetadata: (members, { resource }) => ({ ...members, resource: resource.slice(0, -1) })
  },
  "metadata-of-the-origin": {
    number: 7,
    server: "The metadata describe the whole origin, which includes the MCP server.",
    client: "Signs in, and sends the resource identifier as the metadata write it.",
    resourceMetadata: (members, { server }) => ({ ...members, resource: server })
  },
  "metadata-of-another-issuer": {
    number: 8,
    server: "The metadata of the authorization server contain another issuer.",
    client: "Stops before the sign-in.",
    metadata: (members, { elsewhere }) => ({ ...members, issuer: elsewhere })
  },
  "names-foreign-issuer-first": {
    number: 9,
    server: "The MCP server names two authorization servers. The first one belongs to an attacker.",
    client: "Uses the one that its configuration or a stored token names, whichever comes first.",
    resourceMetadata: (members, { elsewhere, issuer }) => ({ ...members, authorization_servers: [elsewhere, issuer] })
  },
  "changes-issuer-during-sign-in": {
    number: 11,
    server: "After the authorization request, the MCP server names the authorization server of an attacker.",
    client: "Sends the code only to the token endpoint that belongs to the authorization request.",
    resourceMetadata: (members, { elsewhere, hasReceived }) => ({
      ...members,
      ...(hasReceived("issuer", "/authorize") ? { authorization_servers: [elsewhere] } : {})
    })
  },
  "html-at-first-well-known-url": {
    number: 14,
    server:
      "The well-known URL with the path of the MCP server shows a web page. The one at the root has the metadata.",
    client: "Reads the metadata at the root, and signs in.",
    challenge: () => "Bearer",
    respond: (request, { resourceMetadata }) =>
      !isResourceMetadata(request)
        ? undefined
        : new URL(request.url).pathname === "/.well-known/oauth-protected-resource"
        ? json(resourceMetadata())
        : new Response("<!doctype html><title>Welcome</title>", { headers: { "content-type": "text/html" } })
  },
  "metadata-outage": {
    number: 14,
    server: "The metadata of the authorization server answer 503.",
    client: "Reports the outage, guesses no endpoint, and signs in when it is over.",
    respond: (request) => isMetadata(request) ? new Response(null, { status: 503 }) : undefined
  },
  "script-as-authorization-endpoint": {
    number: 15,
    server: "The authorization endpoint is a `javascript:` URL.",
    client: "Rejects the metadata, and opens nothing.",
    metadata: (members) => ({ ...members, authorization_endpoint: "javascript:alert(document.domain)//" })
  },
  "file-as-authorization-endpoint": {
    number: 15,
    server: "The authorization endpoint is a `file:` URL.",
    client: "Rejects the metadata, and opens nothing.",
    metadata: (members) => ({ ...members, authorization_endpoint: "file:///etc/passwd" })
  },
  "no-metadata": {
    number: 16,
    server: "Neither the MCP server nor its origin has any metadata.",
    client: "Reports what it tried, and guesses no endpoint.",
    challenge: () => "Bearer",
    respond: ({ url }) => url.includes("/.well-known/") ? new Response(null, { status: 404 }) : undefined
  }
} satisfies Record<string, FaultDescription>

/** All faults, by name. */
export const clientFaults = { ...discoveryFaults, ...signInFaults, ...tokenFaults }
