/**
 * A browser for tests, in which a person signs in. It keeps cookies, fills in forms, presses buttons, and follows redirects and
 * refreshes. It runs no scripts.
 *
 * **Details**
 *
 * It does not open the redirect URI of the client, but returns the URL of the callback, so that a test can change the URL or open it
 * in the browser of another person. Each browser has separate cookies.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import { makeJar } from "./internal/cookies.ts"
import { type Button, type Form, readForms, readHeading, readRefresh } from "./internal/html.ts"
import { type Promised, toPromises } from "./internal/promises.ts"

export type { Button, Form } from "./internal/html.ts"

/**
 * The options of a browser.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The text that the person writes into text fields that are empty, such as a user name. Default: `alice`. */
  readonly username?: string | undefined
  /** The text that the person writes into password fields. Default: `any password`. */
  readonly password?: string | undefined
  /** Sends the requests of the browser. Default: the `fetch` of the platform. */
  readonly fetch?: typeof globalThis.fetch | undefined
}

/**
 * A page that the browser shows.
 *
 * @category models
 * @since 0.1.0
 */
export interface Page {
  readonly _tag: "Page"
  readonly url: string
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly html: string
  /** The text of the first heading, or else the title. */
  readonly heading: string | undefined
  readonly forms: ReadonlyArray<Form>
}

/**
 * The end of a sign-in: the authorization server redirects to the client. The browser has not opened this URL.
 *
 * @category models
 * @since 0.1.0
 */
export interface Callback {
  readonly _tag: "Callback"
  readonly url: string
}

/**
 * A request of the browser, and its response.
 *
 * @category models
 * @since 0.1.0
 */
export interface Visit {
  readonly method: string
  readonly url: string
  /** The fields of the form that the request sent. */
  readonly form: Readonly<Record<string, string>> | undefined
  readonly status: number
  /** The URL to which the response leads the browser: the target of a redirect or of a refresh. */
  readonly location: string | undefined
  /** The heading of the page in the response. */
  readonly heading: string | undefined
}

/**
 * The error of a browser: a page has no such button, a sign-in ends on a page that reports an error, or it does not end.
 *
 * @category errors
 * @since 0.1.0
 */
export class BrowserError extends Data.TaggedError("BrowserError")<{
  readonly detail: string
  readonly url: string
}> {
  override get message(): string {
    return `${this.url}: ${this.detail}`
  }
}

/**
 * The choice of a person on the pages of a sign-in.
 *
 * @category models
 * @since 0.1.0
 */
export interface SignInOptions {
  /**
   * The button that the person presses on each page that has it: its text, its value or its name. Default: on each page the first
   * button that neither denies nor cancels.
   */
  readonly button?: string | undefined
  /** The values of fields, by name. They replace the values of the page. */
  readonly fields?: Readonly<Record<string, string>> | undefined
  /** The URL at which the sign-in ends. Default: the `redirect_uri` of the authorization request. */
  readonly redirectUri?: string | undefined
}

/**
 * The browser of one person.
 *
 * **Details**
 *
 * - `open` opens a URL, and follows redirects and refreshes. If the URL has the parameter `redirect_uri`, the browser stops there.
 * - `press` presses a button of the page: its text, its value or its name. Without an argument, it presses the first button of the
 *   first form. `fields` replaces the values of fields.
 * - `signIn` opens an authorization request, presses the buttons of the pages, and returns the URL of the callback.
 * - `visits` returns all requests so far, oldest first.
 *
 * @category models
 * @since 0.1.0
 */
export interface TestBrowser {
  readonly open: (
    url: string | URL,
    options?: Pick<SignInOptions, "redirectUri">
  ) => Effect.Effect<Page | Callback, BrowserError>
  readonly press: (
    button?: string,
    fields?: Readonly<Record<string, string>>
  ) => Effect.Effect<Page | Callback, BrowserError>
  readonly signIn: (authorizationUrl: string | URL, options?: SignInOptions) => Effect.Effect<string, BrowserError>
  readonly visits: Effect.Effect<ReadonlyArray<Visit>>
}

const table: ConfigOption.Table<keyof Options> = {
  username: true,
  password: true,
  fetch: ConfigOption.functionThat("sends a request, as the platform's fetch does")
}

const signInTable: ConfigOption.Table<keyof SignInOptions> = { button: true, fields: true, redirectUri: true }

/** The maximum number of requests of one navigation, and of pages of one sign-in. More of them indicate a loop. */
const maximumHops = 20

/** The maximum length of a page in an error, in characters. */
const longestExcerpt = 400

interface Sending {
  readonly url: URL
  readonly method: "GET" | "POST"
  readonly form: Readonly<Record<string, string>> | undefined
  readonly from: URL | undefined
}

const denial = /\b(?:deny|cancel|reject|decline|abort|refuse|disagree|no)\b/i // prose: words on buttons

const isNamed = (label: string) => ({ name, text, value }: Button) => [text, value, name].includes(label)

/** Finds the form and the button that the person presses. */
const findButton = (
  forms: ReadonlyArray<Form>,
  matches: (button: Button) => boolean
): readonly [Form, Button | undefined] | undefined => {
  for (const form of forms) {
    const button = form.buttons.find(matches)
    if (button !== undefined) return [form, button]
  }
  return undefined
}

const leadsTo = (location: URL, redirectUri: string | undefined): boolean => {
  if (redirectUri === undefined || !URL.canParse(redirectUri)) return false
  const { origin, pathname, protocol } = new URL(redirectUri)
  // URLs of private schemes have no origin.
  return location.protocol === protocol && location.origin === origin && location.pathname === pathname
}

/**
 * Creates the browser of one person.
 *
 * **Example** (A person signs in)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { TestBrowser } from "effect-mcp-auth/testing"
 *
 * const alice = TestBrowser.make({ username: "alice" })
 *
 * const callbackFor = (authorizationUrl: string) => Effect.map(alice.signIn(authorizationUrl), (url) => new URL(url))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): TestBrowser => {
  ConfigOption.check(options, "TestBrowser.make", table)
  const { fetch, password = "any password", username = "alice" } = options
  const sendRequest: typeof globalThis.fetch = fetch ?? ((input, init) => globalThis.fetch(input, init))
  const jar = makeJar()
  let visits: ReadonlyArray<Visit> = []
  let current: Page | undefined
  let stop: string | undefined

  const send = ({ form, from, method, url }: Sending) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const cookie = jar.headerFor({ url, method, from }, now)
      const isPost = method === "POST"
      const response = yield* Effect.tryPromise({
        try: (signal) =>
          sendRequest(url.href, {
            method,
            redirect: "manual",
            signal,
            headers: {
              accept: "text/html",
              ...(cookie === "" ? {} : { cookie }),
              // A browser names the page of a form, so that servers can reject forms of other sites.
              ...(isPost && from !== undefined ? { origin: from.origin } : {})
            },
            ...(isPost ? { body: new URLSearchParams(form) } : {})
          }),
        catch: (cause) => new BrowserError({ url: url.href, detail: `the request failed: ${String(cause)}` })
      })
      jar.store(url, response.headers.getSetCookie(), now)
      const html = yield* Effect.promise(() => response.text())
      const isRedirect = response.status >= 300 && response.status < 400
      const header = isRedirect ? response.headers.get("location") : null
      const target = header ?? readRefresh(html, url.href)
      const location = target !== undefined && URL.canParse(target, url) ? new URL(target, url) : undefined
      const heading = readHeading(html)
      visits = [...visits, { method, url: url.href, form, status: response.status, location: location?.href, heading }]
      const page: Page = {
        _tag: "Page",
        url: url.href,
        status: response.status,
        headers: Object.fromEntries(response.headers),
        html,
        heading,
        forms: readForms(html, url.href)
      }
      return { page, location, keepsMethod: response.status === 307 || response.status === 308 }
    })

  const navigate = (first: Sending): Effect.Effect<Page | Callback, BrowserError> =>
    Effect.gen(function*() {
      let next = first
      for (let hop = 0; hop < maximumHops; hop++) {
        const { keepsMethod, location, page } = yield* send(next)
        if (location === undefined) {
          current = page
          return page
        }
        if (leadsTo(location, stop)) return { _tag: "Callback", url: location.href }
        if (location.protocol !== "https:" && location.protocol !== "http:") {
          return yield* new BrowserError({
            url: page.url,
            detail: `leads to ${location.protocol}, which is not a web page`
          })
        }
        next = keepsMethod
          ? { ...next, url: location, from: next.url }
          : { url: location, method: "GET", form: undefined, from: next.url }
      }
      return yield* new BrowserError({ url: first.url.href, detail: `does not end after ${maximumHops} redirects` })
    })

  const open: TestBrowser["open"] = (url, { redirectUri } = {}) =>
    Effect.suspend(() => {
      if (!URL.canParse(String(url))) {
        return Effect.fail(new BrowserError({ url: String(url), detail: "is not an absolute URL" }))
      }
      const target = new URL(url)
      if (target.protocol !== "https:" && target.protocol !== "http:") {
        return Effect.fail(new BrowserError({ url: target.href, detail: "is not a web page" }))
      }
      stop = redirectUri ?? target.searchParams.get("redirect_uri") ?? undefined
      return navigate({ url: target, method: "GET", form: undefined, from: undefined })
    })

  const submit = (page: Page, form: Form, button: Button | undefined, fields: Readonly<Record<string, string>>) => {
    const filled = Object.entries(form.fields).map(([name, value]) => {
      const type = form.types[name]
      return [
        name,
        type === "password" ? password : (type === "text" || type === "email") && value === "" ? username : value
      ] as const
    })
    const sent = {
      ...Object.fromEntries(filled),
      ...fields,
      ...(button?.name === undefined ? {} : { [button.name]: button.value })
    }
    const url = new URL(form.action)
    if (form.method === "GET") url.search = new URLSearchParams(sent).toString()
    return navigate({ url, method: form.method, form: sent, from: new URL(page.url) })
  }

  const press = (button?: string, fields: Readonly<Record<string, string>> = {}) =>
    Effect.suspend(() => {
      const page = current
      if (page === undefined) return Effect.fail(new BrowserError({ url: "about:blank", detail: "no page is open" }))
      const found = button !== undefined
        ? findButton(page.forms, isNamed(button))
        : page.forms[0] === undefined
        ? undefined
        : [page.forms[0], page.forms[0].buttons[0]] as const
      return found === undefined
        ? Effect.fail(
          new BrowserError({ url: page.url, detail: `has no ${button === undefined ? "form" : `button ${button}`}` })
        )
        : submit(page, found[0], found[1], fields)
    })

  const signIn: TestBrowser["signIn"] = (authorizationUrl, options = {}) =>
    Effect.gen(function*() {
      ConfigOption.check(options, "TestBrowser.signIn", signInTable)
      const { button, fields = {}, redirectUri } = options
      let arrival = yield* open(authorizationUrl, { redirectUri })
      for (let pages = 0; pages < maximumHops; pages++) {
        if (arrival._tag === "Callback") return arrival.url
        const { forms, html, status, url } = arrival
        const chosen = (button === undefined ? undefined : findButton(forms, isNamed(button))) ??
          findButton(forms, ({ name, text, value }) => ![name, text, value].some((_) => denial.test(_ ?? ""))) ??
          (forms[0]?.buttons.length === 0 ? [forms[0], undefined] as const : undefined)
        if (status >= 400 || chosen === undefined) {
          return yield* new BrowserError({
            url,
            detail: `responds ${status}, and has no form to go on with: ${html.slice(0, longestExcerpt)}`
          })
        }
        arrival = yield* submit(arrival, chosen[0], chosen[1], fields)
      }
      return yield* new BrowserError({
        url: String(authorizationUrl),
        detail: `the sign-in does not end after ${maximumHops} pages`
      })
    })

  return { open, press, signIn, visits: Effect.sync(() => visits) }
}

/**
 * Creates the browser of one person, for tests without Effect. Every method returns a promise.
 *
 * **Example** (A person denies access)
 *
 * ```ts
 * import { TestBrowser } from "effect-mcp-auth/testing"
 *
 * const bob = TestBrowser.start({ username: "bob" })
 *
 * const deny = (authorizationUrl: string) => bob.signIn(authorizationUrl, { button: "Deny" })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const start = (options: Options = {}): Promised<TestBrowser> => toPromises(make(options))
