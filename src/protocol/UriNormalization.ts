/* Normalizes http and https URIs (RFC 3986 §6.2.2, §6.2.3), and removes the query and the fragment. Does not use the result of
 * `URL`, because `URL` repairs invalid URIs. After a repair, two URIs that other parsers distinguish can be equal. */

const form = /^(https?):\/\/([^/?#]*)([^?#]*)/i
const characters = /^(?:[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|%[0-9A-Fa-f]{2})+$/
const authority = /^((?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\])(?::(\d*))?$/
const defaultPorts: Readonly<Record<string, string>> = { http: "80", https: "443" }

/** Tells whether a text is a valid port: 1 to 65535, without leading zeros. */
export const isPort = (digits: string): boolean => /^[1-9]\d{0,4}$/.test(digits) && Number(digits) <= 65_535

/**
 * Returns the normalized form of an http or https URI. Returns `undefined` for any other URI, for a URI with a user name, and
 * for a URI with an invalid host or port. A URI that the `URL` parser rejects is invalid too, because some invalid hosts, such
 * as `[::ffff::1]`, match the grammar above.
 */
export const normalise = (uri: string): string | undefined => {
  if (!characters.test(uri)) return undefined
  const parts = form.exec(uri)
  const place = parts === null ? null : authority.exec(parts[2]!)
  if (parts === null || place === null || !URL.canParse(uri)) return undefined
  if (place[2] !== undefined && place[2] !== "" && !isPort(place[2])) return undefined
  const scheme = parts[1]!.toLowerCase()
  const host = normaliseEscapes(place[1]!).toLowerCase()
  const port = place[2] === undefined || place[2] === "" || place[2] === defaultPorts[scheme] ? "" : `:${place[2]}`
  return `${scheme}://${host}${port}${normalisePath(parts[3]!)}`
}

/**
 * Normalizes the path of a received request as `normalise` normalizes the path of a URI. Returns `undefined` for a path that
 * does not begin with a slash.
 */
export const ofRequest = (path: string): string | undefined =>
  path.startsWith("/") ? normalisePath(escape(path.split(/[?#]/, 1)[0]!)) : undefined

// Escapes characters that a URI must not contain. The URI that is compared with the path can contain them only in escaped form.
const escape = (path: string): string =>
  path.replace(/%(?![0-9A-Fa-f]{2})|[^A-Za-z0-9\-._~:/@!$&'()*+,;=%]/gu, (character) =>
    character.charCodeAt(0) < 0x80
      ? `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`
      : escapeOthers(character))

// On Node, a path contains each byte as one character, so a character up to U+00FF is one byte. With `fetch`, such bytes are
// already escaped. Any other character becomes the escaped replacement character U+FFFD.
const escapeOthers = (character: string): string =>
  character.length === 1 && character.charCodeAt(0) <= 0xff
    ? `%${character.charCodeAt(0).toString(16).toUpperCase()}`
    : "%EF%BF%BD"

const unreserved = /[A-Za-z0-9\-._~]/

const normaliseEscapes = (text: string): string =>
  text.replace(/%[0-9A-Fa-f]{2}/g, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return unreserved.test(character) ? character : escaped.toUpperCase()
  })

const normalisePath = (path: string): string => {
  const output: Array<string> = []
  const segments = normaliseEscapes(path).split("/").slice(1)
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1
    if (segment === "." || segment === "..") {
      if (segment === "..") output.pop()
      if (isLast) output.push("")
    } else {
      output.push(segment)
    }
  }
  return `/${output.join("/")}`
}
