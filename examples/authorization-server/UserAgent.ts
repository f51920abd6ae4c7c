/**
 * Signs in like a person with a browser. It opens an authorization URL, follows redirects with cookies, fills in the sign-in
 * form, accepts the consent form, and stops at the redirect to the client.
 */

/** One request of the browser, and its response. */
export interface Exchange {
  readonly method: string
  readonly url: URL
  /** The fields of the form that the request sent. */
  readonly form?: Readonly<Record<string, string>>
  readonly status: number
  /** The target of a redirect. */
  readonly location?: URL
  /** The heading of the page in the response. */
  readonly page?: string
  /** The list items of a consent page, such as the requested scopes. */
  readonly requested?: ReadonlyArray<string>
}

export interface Options {
  /** The name to sign in with. */
  readonly username: string
  /** Default: any text, because the example accepts every password. */
  readonly password?: string
  readonly fetch?: typeof globalThis.fetch
}

interface Cookie {
  readonly origin: string
  readonly path: string
  readonly name: string
  readonly value: string
}

interface Form {
  readonly action: URL
  readonly fields: Readonly<Record<string, string>>
}

/** The maximum number of requests of a sign-in. More requests indicate a redirect loop. */
const maximumHops = 20

export class UserAgent {
  /** All requests with their responses, in order. */
  readonly log: Array<Exchange> = []
  readonly #options: Options
  // Cookies remain between calls, as in a browser. After the first sign-in, the server shows only the consent page.
  #cookies: ReadonlyArray<Cookie> = []

  constructor(options: Options) {
    this.#options = options
  }

  /**
   * Signs in, and returns the URL of the redirect to the client, which contains `code` or `error`. It does not open that URL,
   * because the client processes it.
   */
  async authorize(authorizationUrl: URL | string): Promise<URL> {
    const start = new URL(authorizationUrl)
    const redirectUri = start.searchParams.get("redirect_uri")
    if (redirectUri === null) throw new Error("The authorization URL has no redirect_uri")

    let next: URL = start
    let form: Form | undefined = undefined
    for (let hop = 0; hop < maximumHops; hop++) {
      const { html, location }: Answer = await this.#send(next, form)
      if (location === undefined) {
        form = parseForm(html, next, this.#options)
        next = form.action
      } else if (sameEndpoint(location, new URL(redirectUri))) {
        return location
      } else {
        form = undefined
        next = location
      }
    }
    throw new Error(`The sign-in did not end after ${maximumHops} requests`)
  }

  /**
   * Signs in on the page of a device (RFC 8628), whose URL contains the code. Confirms the code, and returns the heading of the last
   * page.
   */
  async approveDevice(verificationUri: URL | string): Promise<string | undefined> {
    let next = new URL(verificationUri)
    let form: Form | undefined = undefined
    for (let hop = 0; hop < maximumHops; hop++) {
      const { html, location }: Answer = await this.#send(next, form)
      if (location === undefined && !html.includes("<form")) return this.log.at(-1)?.page
      form = location === undefined ? parseForm(html, next, this.#options) : undefined
      next = location ?? form!.action
    }
    throw new Error(`The sign-in did not end after ${maximumHops} requests`)
  }

  /** Opens a URL, or submits a form to it. Follows no redirect. */
  async open(target: URL | string, fields?: Readonly<Record<string, string>>): Promise<Answer> {
    const url = new URL(target)
    const method = fields === undefined ? "GET" : "POST"
    const cookie = this.#cookieHeader(url)
    const response = await (this.#options.fetch ?? globalThis.fetch)(url, {
      method,
      redirect: "manual",
      headers: { accept: "text/html", ...(cookie === "" ? {} : { cookie }) },
      ...(fields === undefined ? {} : { body: new URLSearchParams(fields) })
    })
    this.#store(url, response.headers.getSetCookie())
    const html = await response.text()
    const redirect = response.headers.get("location")
    const location = redirect === null ? undefined : new URL(redirect, url)
    const page = /<h1>([^<]*)<\/h1>/.exec(html)?.[1]
    const requested = [...html.matchAll(/<li>([^<]*)<\/li>/g)].map((match) => unescape(match[1] ?? "").trim())
    this.log.push({
      method,
      url,
      ...(fields === undefined ? {} : { form: fields }),
      status: response.status,
      ...(location === undefined ? {} : { location }),
      ...(page === undefined ? {} : { page }),
      ...(requested.length === 0 ? {} : { requested })
    })
    return { status: response.status, html, location }
  }

  async #send(url: URL, form: Form | undefined): Promise<Answer> {
    const answer = await this.open(url, form?.fields)
    if (answer.status >= 400) throw new Error(`${url.href}: ${answer.status} ${answer.html}`)
    return answer
  }

  #cookieHeader(url: URL): string {
    return this.#cookies
      .filter(({ origin, path }) => origin === url.origin && url.pathname.startsWith(path))
      .map(({ name, value }) => `${name}=${value}`)
      .join("; ")
  }

  #store(url: URL, lines: ReadonlyArray<string>): void {
    for (const line of lines) {
      const [pair = "", ...attributes] = line.split(";").map((part) => part.trim())
      const [name, value] = splitOnce(pair, "=")
      const given = new Map(attributes.map((attribute) => {
        const [key, argument] = splitOnce(attribute, "=")
        return [key.toLowerCase(), argument] as const
      }))
      const cookie = { origin: url.origin, path: given.get("path") ?? "/", name, value }
      const others = this.#cookies.filter((_) =>
        !(_.origin === cookie.origin && _.path === cookie.path && _.name === cookie.name)
      )
      const expires = given.get("expires")
      const expired = given.get("max-age") === "0" || (expires !== undefined && Date.parse(expires) <= Date.now())
      this.#cookies = expired ? others : [...others, cookie]
    }
  }
}

/** The response of a server. */
export interface Answer {
  readonly status: number
  readonly html: string
  readonly location: URL | undefined
}

const sameEndpoint = (a: URL, b: URL): boolean => a.origin === b.origin && a.pathname === b.pathname

const splitOnce = (text: string, separator: string): readonly [string, string] => {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)]
}

const unescape = (text: string): string =>
  text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", "\"").replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&")

const attribute = (tag: string, name: string): string | undefined => {
  const value = new RegExp(`\\s${name}="([^"]*)"`).exec(tag)?.[1]
  return value === undefined ? undefined : unescape(value)
}

/**
 * Returns the first form of a page, filled in: the name in the text field, the password, and other fields unchanged. A consent
 * page of some servers has a second form, which denies the consent.
 */
const parseForm = (html: string, page: URL, { password = "any password", username }: Options): Form => {
  const [, form, content = ""] = /(<form\b[^>]*>)(.*?)<\/form>/s.exec(html) ?? []
  if (form === undefined) throw new Error(`${page.href} is neither a redirect nor a form`)
  const fields = [...content.matchAll(/<input\b[^>]*>/g)].flatMap(([input]) => {
    const name = attribute(input, "name")
    if (name === undefined) return []
    const type = attribute(input, "type")
    const value = type === "text" ? username : type === "password" ? password : attribute(input, "value") ?? ""
    return [[name, value] as const]
  })
  return { action: new URL(attribute(form, "action") ?? page.href, page), fields: Object.fromEntries(fields) }
}
