import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as WellKnown from "../../protocol/WellKnown.ts"
import { isObject, parseJson, text, withoutFinalSlashes } from "../report/Json.ts"
import type { Revision } from "../report/Rule.ts"
import * as Mcp from "./McpProbe.ts"
import * as Probe from "./Probe.ts"

export type Kind = "authorization-server" | "mcp-server"

/** What a URL seems to be. `NotReached`: nobody answers there. */
export type Found =
  | { readonly _tag: "Kind"; readonly kind: Kind }
  | { readonly _tag: "NotReached"; readonly detail: string }

const kind = (kind: Kind): Found => ({ _tag: "Kind", kind })

/**
 * Tells an MCP server from an authorization server by what they publish. A server that is both at one URL, or neither, shows
 * by how it answers to what clients of MCP post.
 */
export const kindOf = (target: URL, revision: Revision): Effect.Effect<Found, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const read = (url: string) =>
      Effect.map(Probe.ask(url, { headers: { "mcp-protocol-version": revision } }), Probe.read)
    const [resource, servers] = yield* Effect.all([
      read(WellKnown.protectedResourceMetadata(target)),
      Effect.forEach(WellKnown.authorizationServerMetadata(target), read, { concurrency: "unbounded" })
    ], { concurrency: "unbounded" })
    const here = withoutFinalSlashes(target.href)
    const named = (reading: Probe.Reading, member: "resource" | "issuer"): string | undefined =>
      reading._tag === "Json" ? text(reading.json, member) : undefined
    const resourceNamed = named(resource, "resource")
    const issuers = servers.flatMap((reading) => named(reading, "issuer") ?? [])
    if (resourceNamed !== undefined && withoutFinalSlashes(resourceNamed) === here) return kind("mcp-server")
    if (issuers.some((issuer) => withoutFinalSlashes(issuer) === here)) return kind("authorization-server")

    const all = [resource, ...servers]
    const unreached = all.filter((_) => _._tag === "NoDocument" && _.kind === "not-reached")
    if (unreached.length === all.length) {
      const [first] = unreached
      return { _tag: "NotReached", detail: first?._tag === "NoDocument" ? first.detail : "cannot be reached" }
    }
    const answer = yield* Probe.ask(
      target.href,
      revision === "2026-07-28"
        ? Mcp.post({ revision, headers: {} }, "tools/list")
        : Mcp.initialize({ revision, headers: {} })
    )
    if (answer._tag === "Answered" && speaksMcp(answer)) return kind("mcp-server")
    return kind(issuers.length === 0 && resourceNamed !== undefined ? "mcp-server" : "authorization-server")
  })

const speaksMcp = ({ body, headers, status }: Probe.Answered): boolean => {
  if (status === 401 && headers["www-authenticate"] !== undefined) return true
  const message = parseJson(body.replace(/^[\s\S]*?(?:^|\n)data:\s*/, ""))
  return isObject(message) && message["jsonrpc"] === "2.0"
}
