/**
 * Splits the value of an `Authorization` header, in which `fetch` has joined several header lines with commas, into the values of
 * these lines. The parameters of some schemes contain commas, so a comma ends a value only before further credentials, another
 * comma or the end. Several `DPoP` proofs stay one value, which `DpopProof` rejects because of its comma.
 */
export const split = (joined: string): ReadonlyArray<string> => joined.split(boundary)

const boundary = /,[ \t]*(?=$|,|[!#$%&'*+\-.^_`|~0-9A-Za-z]+ +[A-Za-z0-9\-._~+/]+=*[ \t]*(?:,|$))/

/**
 * Returns the values of every line of one header. `rawHeaders` is Node's flat list of names and values. `name` is in lower
 * case.
 */
export const ofRaw = (rawHeaders: ReadonlyArray<unknown>, name: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const header = String(rawHeaders[i])
    // Compares lengths first, because most names differ in length and `toLowerCase` creates a string.
    if (header.length === name.length && header.toLowerCase() === name) lines.push(String(rawHeaders[i + 1]))
  }
  return lines
}

/** Adds members to the value of a header that is a list, such as `Vary`. Members that the value already has are not repeated. */
export const addMembers = (before: string | undefined, members: string): string => {
  if (before === undefined || before === "") return members
  const known = new Set(before.toLowerCase().split(",").map((_) => _.trim()))
  const others = members.split(", ").filter((_) => !known.has(_.toLowerCase()))
  return others.length === 0 ? before : `${before}, ${others.join(", ")}`
}
