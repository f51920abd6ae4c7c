/* Compares resource identifiers. They are exact strings, except that a resource without a path has two spellings. */

const withoutPath = /^(https?:\/\/[^/?#]+)\/?$/i

/**
 * Returns all spellings of a resource identifier. Without a path, `https://host` and `https://host/` denote the same URL (RFC
 * 3986 §6.2.3), and clients that parse the URL write the second one. Every other resource has one spelling.
 */
export const spellings = (resource: string): ReadonlyArray<string> => {
  const origin = withoutPath.exec(resource)?.[1]
  return origin === undefined ? [resource] : [origin, `${origin}/`]
}

/** Tells whether two resource identifiers denote the same resource. */
export const isSame = (one: string, other: string): boolean => spellings(one).includes(other)
