import * as FindMyWay from "effect/http/FindMyWay"

/* Finds the resource templates that match a URI, in the order in which Effect's MCP server tries them. */

/** A resource template, and the router path with which the server matches URIs. */
export interface Template {
  readonly uriTemplate: string
  readonly routerPath: string
}

/** Calls `visit` with the position of each template that matches, in their order, until `visit` returns `true`. */
export type TemplateIndex = (uri: string, visit: (position: number) => boolean) => void

interface Node {
  readonly matches: (uri: string) => boolean
  /** The nodes of the first and the second half of the templates. `undefined` if this node has only one template. */
  readonly halves: readonly [Node, Node] | undefined
  readonly position: number
}

/**
 * Builds the index of a list of templates.
 *
 * A single router for all templates would return the most specific match, but the server uses the first match in the order of
 * registration. The index is therefore a binary tree. The router of a node finds out whether any of the templates in the range
 * of the node matches. A URI without a match takes one look-up. The first match takes about 2 log₂ n look-ups for n templates.
 */
export const make = (templates: ReadonlyArray<Template>): TemplateIndex => {
  if (templates.length === 0) return () => {}
  const root = nodeOf(templates, 0, templates.length)
  return (uri, visit) => {
    walk(root, `/${uri}`, visit)
  }
}

const nodeOf = (templates: ReadonlyArray<Template>, from: number, to: number): Node => {
  const middle = (from + to) >>> 1
  return {
    matches: matcherOf(templates.slice(from, to)),
    halves: to - from === 1 ? undefined : [nodeOf(templates, from, middle), nodeOf(templates, middle, to)],
    position: from
  }
}

const walk = (node: Node, path: string, visit: (position: number) => boolean): boolean => {
  if (!node.matches(path)) return false
  return node.halves === undefined
    ? visit(node.position)
    : walk(node.halves[0], path, visit) || walk(node.halves[1], path, visit)
}

/** Creates a router with the same options as the server's own matcher, so that a URI matches the same templates. */
export const makeRouter = (): FindMyWay.Router<true> =>
  FindMyWay.make<true>({ ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, caseSensitive: true })

const matcherOf = (templates: ReadonlyArray<Template>): (path: string) => boolean => {
  const router = makeRouter()
  for (const { routerPath } of templates) {
    try {
      router.on("GET", `/${routerPath}`, true)
    } catch {
      // Another template in the range has the same path, or the path is invalid. The server cannot register an invalid path
      // either.
    }
  }
  return (path) => router.find("GET", path) !== undefined
}

/** Returns the router path that Effect's `McpServer.resource` derives from the literal parts of a URI template. */
export const routerPathFrom = (segments: ReadonlyArray<string>): string =>
  segments.map((segment, index) => `${index === 0 ? "" : `:${index - 1}`}${segment.replace(":", "::")}`).join("")

/** Returns the router path that Effect's `McpServer.resource` derives from a URI template. */
export const routerPathOf = (uriTemplate: string): string => routerPathFrom(uriTemplate.split(/\{[^{}]*\}/))
