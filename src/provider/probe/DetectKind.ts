import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as WellKnown from "../../protocol/WellKnown.ts"
import { isObject, parseJson, text, withoutFinalSlashes } from "../report/Json.ts"
import type { Revision } from "../report/Rule.ts"
import * as Mcp from "./McpProbe.ts"
import * as Probe from "./Probe.ts"

export type Kind = "authorization-server" | "mcp-server"

/** The detected kind of a URL, or the reason why no server responds there. */
export type Detected =
  | { readonly _tag: "Kind"; readonly kind: Kind }
  | { readonly _tag: "NoResponse"; readonly detail: string }

const kind = (kind: Kind): Detected => ({ _tag: "Kind", kind })

/**
 * Detects whether a URL is an MCP server or an authorization server. Compares the URL with the published metadata first. If no
 * document names this URL, sends a request as an MCP client does.
 */
export const detectKind = (target: URL, revision: Revision): Effect.Effect<Detected, never, HttpClient.HttpClient> =>
  Effect.gen(function*() {
    const read = (url: string) =>
      Effect.map(Probe.send(url, { headers: { "mcp-protocol-version": revision } }), Probe.read)
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
    const unreached = all.filter((_) => _._tag === "NoDocument" && _.kind === "no-response")
    if (unreached.length === all.length) {
      const [first] = unreached
      return { _tag: "NoResponse", detail: first?._tag === "NoDocument" ? first.detail : "cannot be reached" }
    }
    const response = yield* Probe.send(
      target.href,
      revision === "2026-07-28"
        ? Mcp.post({ revision, headers: {} }, "tools/list")
        : Mcp.initialize({ revision, headers: {} })
    )
    if (response._tag === "Response" && isMcp(response)) return kind("mcp-server")
    return kind(issuers.length === 0 && resourceNamed !== undefined ? "mcp-server" : "authorization-server")
  })

const isMcp = ({ body, headers, status }: Probe.Response): boolean => {
  if (status === 401 && headers["www-authenticate"] !== undefined) return true
  const message = parseJson(body.replace(/^[\s\S]*?(?:^|\n)data:\s*/, ""))
  return isObject(message) && message["jsonrpc"] === "2.0"
}
