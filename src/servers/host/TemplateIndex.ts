import * as FindMyWay from "effect/http/FindMyWay"

/* From a URI to the resource templates that match it, in the order in which Effect's MCP server tries them. */

/** A template: the URI template that names it, and the router path that the server matches URIs with. */
export interface Template {
  readonly uriTemplate: string
  readonly routerPath: string
}

/** Calls `visit` with the position of each template that matches, first to last, until it returns `true`. */
export type TemplateIndex = (uri: string, visit: (position: number) => boolean) => void

interface Node {
  readonly matches: (uri: string) => boolean
  /** The two halves of the templates; `undefined` for a single one. */
  readonly halves: readonly [Node, Node] | undefined
  readonly position: number
}

/**
 * Builds the index of a list of templates.
 *
 * One router for all templates answers with the most specific match, and the server takes the first that was registered.
 * So each node of a binary tree has a router for its range of templates, which shows whether one of them matches: a URI
 * that matches nothing costs one look-up, and any other about twice the logarithm of the number of templates.
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

const matcherOf = (templates: ReadonlyArray<Template>): (path: string) => boolean => {
  // The settings of the server's own matcher: a URI must match the same template here and there.
  const router = FindMyWay.make<true>({
    ignoreTrailingSlash: true,
    ignoreDuplicateSlashes: true,
    caseSensitive: true
  })
  for (const { routerPath } of templates) {
    try {
      router.on("GET", `/${routerPath}`, true)
    } catch {
      // The router has this path from another template already, or the server could not register it either.
    }
  }
  return (path) => router.find("GET", path) !== undefined
}

/** The router path that Effect's `McpServer.resource` makes of a URI template. */
export const routerPathOf = (uriTemplate: string): string => {
  let position = 0
  return uriTemplate
    .split(/(\{[^{}]*\})/)
    .map((part, index) => index % 2 === 1 ? `:${position++}` : part.replace(":", "::"))
    .join("")
}
