import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as WellKnown from "../../protocol/WellKnown.ts"
import * as Mcp from "../probe/McpProbe.ts"
import * as McpWire from "../probe/McpWire.ts"
import { negotiate, type Negotiated } from "../probe/Negotiate.ts"
import * as Probe from "../probe/Probe.ts"
import { fetchDocument, getRedirect, type Redirect } from "../probe/Redirect.ts"
import { shown, text, withoutFinalSlashes } from "../report/Json.ts"
import type { Revision } from "../report/Rule.ts"

/** The kind of server at a URL, as a client without a token sees it. */
export type Endpoint =
  | McpEndpoint
  | { readonly _tag: "NotMcp"; readonly detail: string; readonly change: string | undefined }
  /** The server responds, but not in a way that shows what it is. */
  | { readonly _tag: "Outage"; readonly detail: string }
  | { readonly _tag: "Unreachable"; readonly detail: string }

/** An MCP server. */
export interface McpEndpoint {
  readonly _tag: "Mcp"
  /** The URL of all further requests: the given URL, or the target of the redirects that official clients follow. */
  readonly url: string
  readonly redirects: ReadonlyArray<Redirect>
  /** The revision of further requests. */
  readonly revision: Mcp.WireRevision
  /** The response to the first request of a client, without a token. */
  readonly response: Probe.Response
  /** Whether the server returned a result without a token. */
  readonly isOpen: boolean
}

/** The maximum number of redirects that are followed. Both official clients follow as many. */
const maximumRedirects = 5

/** Finds out whether a URL is the endpoint of an MCP server. If it is not, describes what it is. */
export const findEndpoint = (
  url: string,
  newest: Revision
): Effect.Effect<Endpoint, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const redirects: Array<Redirect> = []
    let current = url
    for (;;) {
      const negotiated = yield* negotiate(current, newest, {})
      const redirect = getRedirect(negotiated.exchange, "POST")
      if (redirect === undefined) return yield* classify(current, negotiated, redirects)
      if (!redirect.isFollowed || redirects.length === maximumRedirects) return describeRedirect(redirect)
      redirects.push(redirect)
      current = redirect.target
    }
  })

const describeRedirect = ({ status, target }: Redirect): Endpoint => ({
  _tag: "NotMcp",
  detail: `the server redirects to ${
    shown(target, 200)
  } with ${status}, which both official clients do not follow for POST`,
  change: `Give clients ${shown(target, 200)}, if it is the intended server, and run doctor for this URL`
})

const classify = (
  url: string,
  { exchange, isAccepted, revision }: Negotiated,
  redirects: ReadonlyArray<Redirect>
): Effect.Effect<Endpoint, never, HttpClient.HttpClient> => {
  if (exchange._tag === "NoResponse") return Effect.succeed({ _tag: "Unreachable", detail: exchange.detail })
  const { headers, status } = exchange
  if (status === 429 || (status >= 502 && status <= 504)) {
    return Effect.succeed({ _tag: "Outage", detail: `the server returns ${status}` })
  }
  const found: McpEndpoint = { _tag: "Mcp", url, redirects, revision, response: exchange, isOpen: isAccepted }
  const reply = Mcp.getReply(exchange)
  return reply?.error?.code === methodNotFound
    ? Effect.map(knowsDiscovery(url), (isMcp) => isMcp ? found : otherProtocol)
    : isAccepted || status === 401 || reply !== undefined || headers["www-authenticate"] !== undefined
    ? Effect.succeed(found)
    : describeOther(found)
}

/** The code of JSON-RPC for an unknown method. */
const methodNotFound = -32601

/**
 * Tells whether a server knows `server/discover`. A server without tools does not know `tools/list`, but every server of the
 * stateless revision knows this method. A server with sessions knows `initialize`, and so has replied with a result before.
 */
const knowsDiscovery = (url: string): Effect.Effect<boolean, never, HttpClient.HttpClient> =>
  Effect.map(
    Probe.send(url, Mcp.post({ revision: McpWire.statelessRevision, headers: {} }, "server/discover")),
    (exchange) => Mcp.getReply(exchange)?.error?.code !== methodNotFound
  )

const otherProtocol: Endpoint = {
  _tag: "NotMcp",
  detail: "the server speaks JSON-RPC, but knows no method of MCP: neither tools/list nor server/discover",
  change: undefined
}

/**
 * Describes a URL whose responses are not those of an MCP server, and suggests another command or another URL. If the server
 * rejects or fails, its metadata decide whether it is an MCP server. Without metadata nothing shows that.
 */
const describeOther = (found: McpEndpoint): Effect.Effect<Endpoint, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const { response, url } = found
    const isError = response.status === 403 || response.status >= 500
    const target = new URL(url)
    const resourceUrls = new Set([
      WellKnown.protectedResourceMetadata(target),
      `${target.origin}${WellKnown.protectedResourceMetadataRoot}`
    ])
    const [servers, resources, stream] = yield* Effect.all([
      Effect.forEach(WellKnown.authorizationServerMetadata(target), (one) => readMember(one, "issuer")),
      Effect.forEach(resourceUrls, (one) => readMember(one, "resource")),
      Probe.send(url, { headers: { accept: "text/event-stream" }, bodyless: true })
    ], { concurrency: "unbounded" })
    const isHere = (name: string | undefined): name is string =>
      name !== undefined && withoutFinalSlashes(name) === withoutFinalSlashes(url)
    const issuer = servers.find(isHere)
    if (issuer !== undefined) {
      return {
        _tag: "NotMcp",
        detail: `this is an authorization server: its metadata name the issuer ${shown(issuer)}`,
        change: `Run effect-mcp-auth check ${shown(issuer)}, and run doctor for the URL of the MCP server`
      }
    }
    const hasOldTransport = stream._tag === "Response" && stream.status === 200 &&
      (stream.headers["content-type"] ?? "").startsWith("text/event-stream")
    if (hasOldTransport) {
      return {
        _tag: "NotMcp",
        detail: "the server sends an event stream without a token: it uses the transport HTTP+SSE of 2024-11-05, " +
          "which this check does not cover, and anyone can open its stream",
        change: "Serve Streamable HTTP, and check the token on every request"
      }
    }
    if (isError && resources.some(isHere)) return found
    const resource = resources.find((name) => name !== undefined && !isHere(name) && URL.canParse(name))
    if (isError && resource === undefined && !(response.status === 403 && isPage(response))) {
      return {
        _tag: "Outage",
        detail: `the server returns ${response.status} without a message of MCP, and no metadata name this URL, so ` +
          "nothing shows whether it is the endpoint of an MCP server"
      }
    }
    return {
      _tag: "NotMcp",
      detail: resource === undefined
        ? describeResponse(response)
        : `${describeResponse(response)}, and the metadata name the MCP server ${shown(resource)}`,
      change: resource === undefined ? undefined : `Run doctor for ${shown(resource)}`
    }
  })

const readMember = (url: string, name: string): Effect.Effect<string | undefined, never, HttpClient.HttpClient> =>
  Effect.map(fetchDocument(url, {}), ({ reading }) => reading._tag === "Json" ? text(reading.json, name) : undefined)

const isPage = ({ body, headers }: Probe.Response): boolean =>
  (headers["content-type"] ?? "").toLowerCase().includes("html") || /^\s*</.test(body)

const describeResponse = (response: Probe.Response): string => {
  const { status } = response
  if (status === 404) return "the server returns 404: nothing is at this path"
  if (status === 405) return "the server returns 405 for POST, which every MCP server accepts"
  return isPage(response)
    ? `the server returns ${status} with a web page, not a message of MCP`
    : `the server returns ${status} without a message of MCP`
}
