/**
 * Looks up the registration that an operation runs, as the SDKs look it up.
 */
import { maximumTarget, type Operation } from "../../protocol/Operation.ts"
import { getRegistration, type McpServer, type Registrations, type UriTemplate, uriTemplateOf } from "./SdkPrivates.ts"
import type { Matcher } from "./UriMatcher.ts"

/**
 * Returns the registration of an operation on a server, if any. Ignores registrations for which `isVisible` returns `false`.
 */
export type LookUp = (
  server: McpServer,
  operation: Pick<Operation, "kind" | "method" | "target">,
  isVisible: (registration: object) => boolean
) => object | undefined

/** Returns a URI in the form in which the SDKs compare it, or `undefined` if it is not a URI. */
export const normalizeUri = (uri: string | undefined): string | undefined =>
  uri !== undefined && URL.canParse(uri) ? new URL(uri).toString() : undefined

/** Returns the first visible registration whose template matches. The order is that of `templates`, as in the SDKs. */
const findTemplate = (
  templates: Registrations,
  matches: (template: UriTemplate) => boolean,
  isVisible: (registration: object) => boolean
): object | undefined => {
  for (const name in templates) {
    const registration = getRegistration(templates, name)
    const template = registration === undefined ? undefined : uriTemplateOf(registration)
    if (template !== undefined && matches(template) && isVisible(registration!)) return registration
  }
  return undefined
}

/** Creates a look-up. `matcherOf` returns the matcher of a template. */
export const make =
  (matcherOf: (template: UriTemplate) => Matcher): LookUp => (server, { kind, method, target }, isVisible) => {
    // The gate rejects operations with longer names, so there is nothing to look up.
    if (target !== undefined && target.length > maximumTarget) return undefined
    const find = (record: Registrations, name: string) => {
      const registration = getRegistration(record, name)
      return registration === undefined || !isVisible(registration) ? undefined : registration
    }
    if (target === undefined) return undefined
    switch (kind) {
      case "tool":
        return find(server._registeredTools, target)
      case "prompt":
        return find(server._registeredPrompts, target)
      case "resource": {
        const templates = server._registeredResourceTemplates
        // A completion names the template itself. Other operations name a URI that the template matches.
        if (method === "completion/complete") {
          return findTemplate(templates, (_) => _.toString() === target, isVisible) ??
            find(server._registeredResources, target)
        }
        const uri = normalizeUri(target)
        return uri === undefined
          ? undefined
          : find(server._registeredResources, uri) ?? findTemplate(templates, (_) => matcherOf(_)(uri), isVisible)
      }
      default:
        return undefined
    }
  }
