import * as Result from "effect/Result"

/*
 * Finds the protected resource that the parameter `resource` names (RFC 8707). Clients write the same resource in several ways, so
 * the comparison is lenient. Tokens always have the canonical form.
 */

/**
 * Returns the canonical form of the requested resource. `resources` lists the canonical forms of all resources of the proxy. Without
 * a parameter, the only resource counts. Accepted differences are a final slash, the case of scheme and host, further parameters
 * of the query, and the origin in place of the only resource at this origin.
 */
export const find = (
  requested: string | undefined,
  resources: ReadonlyArray<string>
): Result.Result<string, "unknown"> => {
  const [first] = resources
  if (requested === undefined) return resources.length === 1 ? Result.succeed(first!) : unknown
  if (resources.includes(requested)) return Result.succeed(requested)
  if (requested.length > 2_048 || requested.includes("#") || !URL.canParse(requested)) return unknown
  const url = new URL(requested)
  if (url.username !== "" || url.password !== "" || requested.includes("\\")) return unknown
  const same = resources.filter((resource) => isSame(url, new URL(resource)))
  if (same.length === 1) return Result.succeed(same[0]!)
  if (same.length > 1 || url.pathname !== "/" || url.search !== "") return unknown
  const there = resources.filter((resource) => new URL(resource).origin === url.origin)
  return there.length === 1 ? Result.succeed(there[0]!) : unknown
}

const unknown = Result.fail("unknown" as const)

const isSame = (one: URL, resource: URL): boolean =>
  one.origin === resource.origin && pathOf(one) === pathOf(resource) &&
  [...resource.searchParams].every(([name, value]) => one.searchParams.getAll(name).includes(value))

const pathOf = ({ pathname }: URL): string => pathname.replace(/\/$/, "")
