/**
 * From a joined header value back to the lines that it was joined of. Fetch joins several lines by a comma, and a token
 * holds none; but the parameters of other schemes do, so a comma ends a line only where credentials begin, or nothing.
 */
export const split = (joined: string): ReadonlyArray<string> => joined.split(boundary)

const boundary = /,[ \t]*(?=$|,|[!#$%&'*+\-.^_`|~0-9A-Za-z]+ +[A-Za-z0-9\-._~+/]+=*[ \t]*(?:,|$))/

/** The lines of one name in Node's `rawHeaders`, a flat list of names and values. `name` is in lower case. */
export const ofRaw = (rawHeaders: ReadonlyArray<unknown>, name: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const header = String(rawHeaders[i])
    // Lengths first: most headers are another one, and lowering a name makes a string.
    if (header.length === name.length && header.toLowerCase() === name) lines.push(String(rawHeaders[i + 1]))
  }
  return lines
}

/**
 * The line of a header where it is the only one, and where there is no line of another header; else `undefined`. Both
 * names are in lower case.
 */
export const soleOfRaw = (rawHeaders: ReadonlyArray<unknown>, name: string, without: string): string | undefined => {
  let line: string | undefined
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const header = rawHeaders[i] as string
    if (header.length === without.length && header.toLowerCase() === without) return undefined
    if (header.length !== name.length || header.toLowerCase() !== name) continue
    if (line !== undefined) return undefined
    line = rawHeaders[i + 1] as string
  }
  return line
}
