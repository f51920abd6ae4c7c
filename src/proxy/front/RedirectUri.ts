/*
 * Decides which redirect URIs clients may have: https URIs, http on loopback, and listed URIs of private-use schemes (RFC 8252 §7).
 * Matching compares raw texts. On loopback, the port may differ, because a native application takes a free port (RFC 8252 §7.3).
 */

/** The kind of a redirect URI. It decides how a response reaches the client. */
export type Kind = "https" | "loopback" | "private-use"

/** The longest redirect URI, in characters. It is part of a cookie. */
export const maximumLength = 512

/** The default list of redirect URIs with private-use schemes. */
export const privateUseDefaults: ReadonlyArray<string> = ["cursor://anysphere.cursor-mcp/oauth/callback"]

const visible = /^[\x21\x23-\x5b\x5d\x5f\x61-\x7a\x7e]+$/
const loopback = /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(?::([1-9]\d{0,4}))?((?:[/?].*)?)$/
const publicHost = /^[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?$/

/** The parameters of authorization responses. A redirect URI must not contain one of them, because the client could read the wrong one. */
const reserved: ReadonlyArray<string> = ["code", "state", "iss", "error"]

/**
 * Returns the kind of a redirect URI, or `undefined` if no client may have it. `privateUse` lists the URIs with private-use schemes
 * that are allowed, each as a whole. The URI must be equal to its own serialization, except for a missing slash after the host.
 */
export const kindOf = (uri: string, privateUse: ReadonlyArray<string>): Kind | undefined => {
  if (uri.length > maximumLength || !visible.test(uri) || uri.includes("#")) return undefined
  if (privateUse.includes(uri)) return "private-use"
  if (!URL.canParse(uri)) return undefined
  const url = new URL(uri)
  const isSame = url.href === uri || (url.href === `${uri}/` && url.pathname === "/" && url.search === "")
  if (!isSame || url.username !== "" || url.password !== "") return undefined
  if (/%(?:2f|5c|00)/i.test(url.pathname)) return undefined
  if (reserved.some((name) => url.searchParams.has(name))) return undefined
  if (url.protocol === "https:") return publicHost.test(url.hostname) ? "https" : undefined
  return loopback.test(uri) ? "loopback" : undefined
}

/**
 * Tells whether a requested redirect URI is a registered one. Both have a kind. Texts must be equal; only the port of two loopback
 * URIs may differ.
 */
export const matches = (registered: string, requested: string): boolean => {
  if (registered === requested) return true
  const [one, other] = [loopback.exec(registered), loopback.exec(requested)]
  return one !== null && other !== null && one[1] === other[1] && one[3] === other[3]
}

/** Returns the text that names the target of a redirect URI on a page: its host, or its scheme for a private-use scheme. */
export const targetOf = (uri: string): string => {
  const url = new URL(uri)
  return url.protocol === "https:" || url.protocol === "http:" ? url.host : url.protocol
}

/** Tells whether a redirect URI that has a kind is on loopback. */
export const isLoopbackUri = (uri: string): boolean => loopback.test(uri)
