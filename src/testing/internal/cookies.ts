/* Keeps the cookies of one person (RFC 6265). */

interface Cookie {
  readonly host: string
  readonly path: string
  readonly name: string
  readonly value: string
  readonly isSecure: boolean
  readonly sameSite: string
  /** The time at which the cookie expires, in milliseconds since 1970. */
  readonly expires: number
}

/** A navigation of the browser. */
export interface Navigation {
  readonly url: URL
  readonly method: string
  /** The page or the redirect that led here. A person who enters a URL has none. */
  readonly from: URL | undefined
}

export interface CookieJar {
  /** Stores the cookies of a response. `now` is in milliseconds since 1970. */
  readonly store: (url: URL, lines: ReadonlyArray<string>, now: number) => void
  /** Returns the `Cookie` header of a request, which is empty if no cookie applies. */
  readonly headerFor: (navigation: Navigation, now: number) => string
}

const isLoopback = ({ hostname }: URL) =>
  hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname)

const isSecure = (url: URL) => url.protocol === "https:" || isLoopback(url)

const defaultPath = ({ pathname }: URL) => pathname.slice(0, pathname.lastIndexOf("/")) || "/"

const matchesPath = (path: string, cookie: string) =>
  path === cookie || (path.startsWith(cookie) && (cookie.endsWith("/") || path[cookie.length] === "/"))

/** A name with this prefix promises attributes (RFC 6265bis §4.1.3). A browser ignores the cookie if they differ. */
const keepsPromise = (name: string, secure: boolean, attributes: ReadonlyMap<string, string>) =>
  name.startsWith("__Host-")
    ? secure && attributes.get("path") === "/" && !attributes.has("domain")
    : !name.startsWith("__Secure-") || secure

const split = (text: string): readonly [string, string] => {
  const at = text.indexOf("=")
  return at === -1 ? [text.trim(), ""] : [text.slice(0, at).trim(), text.slice(at + 1).trim()]
}

export const makeJar = (): CookieJar => {
  // Cookies belong to a host, not to a port, as in a browser (RFC 6265 §8.5).
  let cookies: ReadonlyArray<Cookie> = []
  return {
    store: (url, lines, now) => {
      for (const line of lines) {
        const [pair = "", ...rest] = line.split(";")
        const [name, value] = split(pair)
        const attributes = new Map(rest.map((attribute) => {
          const [key, argument] = split(attribute)
          return [key.toLowerCase(), argument] as const
        }))
        const secure = attributes.has("secure")
        if (!keepsPromise(name, secure, attributes) || (secure && !isSecure(url))) continue
        const path = attributes.get("path")
        const age = attributes.get("max-age")
        const date = attributes.get("expires")
        const cookie: Cookie = {
          host: url.hostname,
          path: path?.startsWith("/") === true ? path : defaultPath(url),
          name,
          value,
          isSecure: secure,
          sameSite: (attributes.get("samesite") ?? "lax").toLowerCase(),
          expires: age !== undefined ? now + Number(age) * 1000 : date !== undefined ? Date.parse(date) : Infinity
        }
        const others = cookies.filter((_) =>
          !(_.host === cookie.host && _.path === cookie.path && _.name === cookie.name)
        )
        cookies = cookie.expires > now ? [...others, cookie] : others
      }
    },
    headerFor: ({ from, method, url }, now) => {
      const isForeign = from !== undefined && from.hostname !== url.hostname
      return cookies
        .filter((cookie) =>
          cookie.host === url.hostname && cookie.expires > now && matchesPath(url.pathname, cookie.path) &&
          (!cookie.isSecure || isSecure(url)) &&
          // A page of another site sends no strict cookie, and a form of another site no lax one (RFC 6265bis §5.6.7).
          !(isForeign && (cookie.sameSite === "strict" || (cookie.sameSite === "lax" && method === "POST")))
        )
        .map(({ name, value }) => `${name}=${value}`)
        .join("; ")
    }
  }
}
