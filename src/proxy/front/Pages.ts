import * as Effect from "effect/Effect"
import type { Client } from "./Client.ts"
import { Html, html } from "./Html.ts"
import { english, type Messages } from "./Messages.ts"
import type { ProxyResponse } from "./ProxyRequest.ts"
import * as redirectUris from "./RedirectUri.ts"
import { hashOf, styleWith } from "./Style.ts"

/*
 * The pages of the proxy. They contain no script, load nothing, and cannot be framed. A page has no `Cross-Origin-Opener-Policy`,
 * because a web client that signs in with a popup would lose the connection to it.
 */

/** The look of the pages. */
export interface Appearance {
  /** The name of the author's application. */
  readonly name: string
  /** A color such as `#1d4ed8`. */
  readonly color: string
  /** The texts that replace English ones. */
  readonly messages: Partial<Messages>
  /** Descriptions of scopes. A scope without a description is shown as it is. */
  readonly scopes: Readonly<Record<string, string>>
}

/** A message of an error page. */
export type ErrorMessage = keyof Messages & `error${string}`

/** The content of the consent page. */
export interface ConsentView {
  readonly client: Client
  readonly kind: redirectUris.Kind
  readonly redirectUri: string
  readonly scopes: ReadonlyArray<string>
  readonly upstream: string
  readonly upstreamScopes: ReadonlyArray<string>
  /** The URL to which the form is sent. */
  readonly action: string
  /** The hidden fields of the form. */
  readonly fields: Readonly<Record<string, string>>
}

export interface Pages {
  readonly consent: (view: ConsentView) => ProxyResponse
  /** A page that moves on to a URL of the upstream, or of a client whose URI is https or on loopback. */
  readonly moveOn: (url: string) => ProxyResponse
  /** A page that opens the URI of a private-use scheme, and that stays open after that. */
  readonly openApplication: (url: string, person: string | undefined) => ProxyResponse
  /** A page for a person that admission rejects. It returns to the client after some seconds. */
  readonly denied: (url: string, person: string | undefined) => ProxyResponse
  /** An error, with a link that returns it to the client if the redirect URI is one of the client. */
  readonly error: (status: number, message: ErrorMessage, more?: ErrorDetails) => ProxyResponse
}

export interface ErrorDetails {
  /** A sentence for developers. */
  readonly detail?: string | undefined
  /** The URL of the link that returns to the client. */
  readonly returnTo?: string | undefined
  readonly upstream?: string | undefined
  readonly person?: string | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The time after which the page for a rejected person returns to the client, in seconds. */
const deniedSeconds = 10

const titles = {
  https: "consentTitle",
  loopback: "consentTitleDevice",
  "private-use": "consentTitleScheme"
} as const

/** Creates the pages. */
export const make = ({ color, messages: texts, name, scopes }: Appearance): Effect.Effect<Pages> =>
  Effect.promise(async () => {
    const messages: Messages = { ...english, ...texts }
    const style = styleWith(color)
    const policy = [
      "default-src 'none'",
      `style-src ${await hashOf(style)}`,
      "form-action 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'"
    ].join("; ")

    const fill = (message: keyof Messages, values: Readonly<Record<string, Html | string | undefined>> = {}): Html => {
      const parts = messages[message].split(/(\{[a-z]+\})/)
      return html`${
        parts.map((part) => {
          const known: Readonly<Record<string, Html | string | undefined>> = { name, ...values }
          const value = part.startsWith("{") ? known[part.slice(1, -1)] ?? part : part
          return value instanceof Html ? value : html`${value}`
        })
      }`
    }
    const plain = (message: keyof Messages, values: Readonly<Record<string, string>>): string =>
      messages[message].replace(/\{([a-z]+)\}/g, (whole, key: string) => ({ name, ...values })[key] ?? whole)

    const respond = (
      status: number,
      title: string,
      content: Html,
      { head, headers }: { readonly head?: Html; readonly headers?: Readonly<Record<string, string>> | undefined } = {}
    ): ProxyResponse => ({
      status,
      headers: {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-store",
        "content-security-policy": policy,
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        ...headers
      },
      cookies: [],
      body: html`<!doctype html>
<html lang="${messages.language}" dir="${messages.direction}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
${head}<title>${title}</title>
<style>${new Html(style)}</style>
</head>
<body>
<header><p class="brand">${name}</p></header>
<main>
${content}
</main>
</body>
</html>
`.text
    })

    const refresh = (url: string, seconds = 0): Html =>
      html`<meta http-equiv="refresh" content="${String(seconds)};url=${url}">
`

    const list = (items: ReadonlyArray<Html>): Html => html`<ul>${items.map((item) => html`<li>${item}</li>`)}</ul>`

    const signedIn = (person: string | undefined): Html | undefined =>
      person === undefined
        ? undefined
        : html`<p>${fill("signedInAs", { person: html`<strong><bdi>${person}</bdi></strong>` })}</p>`

    const consent: Pages["consent"] = (
      { action, client, fields, kind, redirectUri, scopes: requested, upstream, upstreamScopes }
    ) => {
      const target = redirectUris.targetOf(redirectUri)
      const host = client.document === undefined ? undefined : new URL(client.document).host
      const title = titles[kind]
      const identity = host !== undefined
        ? html`<strong>${host}</strong>`
        : fill(client.kind === "registered" ? "registeredHere" : "selfRegistered")
      return respond(
        200,
        plain(title, { target }),
        html`<h1>${fill(title, { target })}</h1>
<dl>
<dt>${fill("returnsTo")}</dt><dd><strong>${
          title === "consentTitleDevice" ? fill("thisDevice", { target }) : target
        }</strong></dd>
<dt>${fill("identifiedBy")}</dt><dd>${identity}</dd>
${
          client.name === undefined
            ? undefined
            : html`<dt>${fill("callsItself")}</dt><dd><bdi>“${client.name}”</bdi>${
              client.kind === "registered" ? undefined : html` <span class="faint">(${fill("notVerified")})</span>`
            }</dd>
`
        }</dl>
${
          host !== undefined && title !== "consentTitle"
            ? html`<p class="warning">${fill("deviceWarning", { client: host })}</p>
`
            : undefined
        }<h2>${fill("scopesTitle")}</h2>
${
          list(
            requested.length === 0 ? [fill("noScopes")] : requested.map((scope) =>
              Object.hasOwn(scopes, scope)
                ? html`${scopes[scope]!} <span class="faint">(<code>${scope}</code>)</span>`
                : html`<code>${scope}</code>`
            )
          )
        }
<h2>${fill("upstreamTitle", { upstream })}</h2>
${
          upstreamScopes.length === 0 ? undefined : html`<p>${
            fill("upstreamScopes", {
              upstream,
              scopes: html`${
                upstreamScopes.map((scope, index) => html`${index === 0 ? "" : ", "}<code>${scope}</code>`)
              }`
            })
          }</p>
`
        }<p class="warning">${fill("startedYourself")}</p>
<form method="post" action="${action}">
${
          Object.entries(fields).map(([name, value]) =>
            html`<input type="hidden" name="${name}" value="${value}">
`
          )
        }<div class="actions">
<button type="submit" name="decision" value="deny">${fill("deny")}</button>
<button type="submit" name="decision" value="approve" class="main late">${fill("approve")}</button>
</div>
</form>`,
        // With `no-referrer`, browsers send the form with `Origin: null`.
        { headers: { "referrer-policy": "same-origin" } }
      )
    }

    const opening = (title: keyof Messages, link: keyof Messages, url: string, more: Html | undefined, seconds = 0) => {
      const target = redirectUris.targetOf(url)
      return respond(
        200,
        plain(title, { target }),
        html`<h1>${fill(title, { target })}</h1>
${more}<p class="actions"><a class="button main" href="${url}" rel="noreferrer">${fill(link)}</a></p>`,
        { head: refresh(url, seconds) }
      )
    }

    return {
      consent,
      moveOn: (url) => opening("continueTitle", "continueLink", url, undefined),
      openApplication: (url, person) =>
        opening(
          "returnTitle",
          "returnLink",
          url,
          html`${signedIn(person)}<p>${fill("closeWindow")}</p>
`
        ),
      denied: (url, person) =>
        opening(
          "deniedTitle",
          "returnLink",
          url,
          html`${signedIn(person)}<p>${fill("deniedText")}</p>
`,
          deniedSeconds
        ),
      error: (status, message, { detail, headers, person, returnTo, upstream = "" } = {}) =>
        respond(
          status,
          plain("errorTitle", {}),
          html`<h1>${fill("errorTitle")}</h1>
<p>${fill(message, { upstream })}${detail === undefined ? undefined : html` <code>${detail}</code>`}</p>
${signedIn(person)}${
            returnTo === undefined
              ? undefined
              : html`<p class="actions"><a class="button" href="${returnTo}" rel="noreferrer">${
                fill("errorReturnLink", { target: redirectUris.targetOf(returnTo) })
              }</a></p>`
          }`,
          { headers }
        )
    }
  })
