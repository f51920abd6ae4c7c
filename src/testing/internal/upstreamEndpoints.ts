import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { base64url } from "jose"
import { defined, type KeyRing, segment, signSegments } from "./keys.ts"
import type { Received } from "./respond.ts"
import { type Account, claimsOf, type Form, grantedText, loginPage, traits } from "./upstreamForms.ts"

/* The endpoints of an upstream in memory. */

interface Authorized {
  readonly login: string
  readonly scopes: ReadonlyArray<string>
  readonly redirectUri: string
  readonly challenge: string | null
  readonly nonce: string | null
}

interface Token {
  readonly login: string
  readonly scopes: ReadonlyArray<string>
  /** In milliseconds since 1970. */
  readonly expiresAt: number
}

export interface Settings {
  readonly form: Form
  readonly origin: string
  readonly keys: KeyRing
  readonly client: { readonly clientId: string; readonly clientSecret: string }
  /** Whether the first account is signed in, so that no page appears. */
  readonly isSilent: boolean
}

/**
 * How often each endpoint answered.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counts {
  readonly authorize: number
  readonly redeem: number
  readonly refresh: number
  readonly user: number
}

const sessionCookie = "test_upstream_session"

const random = (): string => globalThis.crypto.randomUUID().replaceAll("-", "")

/** Creates the endpoints, and the state that tests read and change. */
export const make = ({ client, form, isSilent, keys, origin }: Settings, accounts: Map<string, Account>) => {
  const trait = traits[form]
  const issuer = `${origin}${trait.issuerPath}`
  const codes = new Map<string, Authorized>()
  const accessTokens = new Map<string, Token>()
  /** Each one with the access token of its response, which GitHub revokes at the refresh. */
  const refreshTokens = new Map<string, Omit<Token, "expiresAt"> & { readonly accessToken: string }>()
  /** The scopes that people granted, by login. */
  const earlier = new Map<string, ReadonlyArray<string>>()
  const counts = { authorize: 0, redeem: 0, refresh: 0, user: 0 }
  /** How often a refresh token was sent after it had been replaced. */
  let reuses = 0
  /** Scopes that people leave out on the page of the upstream. */
  let withheld: ReadonlyArray<string> = []
  let usesIdTokens = true

  const failure = (error: string, status = 400) => Response.json({ error }, { status: trait.isGitHub ? 200 : status })

  const redirect = (location: string, headers: Record<string, string> = {}) =>
    new Response(null, { status: 302, headers: { location, ...headers } })

  /** Returns the scopes of a request. Without the parameter, GitHub grants those that the person granted before. */
  const requestedScopes = (query: URLSearchParams, login: string): ReadonlyArray<string> => {
    const before = earlier.get(login) ?? []
    const text = query.get("scope")
    if (text === null && trait.isGitHub) return before
    const scopes = (text ?? "").split(/[ ,]/)
    earlier.set(login, [...new Set([...before, ...scopes])])
    return scopes
  }

  /** Lets a person approve a request, and returns the URL of the callback. */
  const approve = (query: URLSearchParams, login: string): string => {
    const redirectUri = query.get("redirect_uri") ?? ""
    const callback = new URL(redirectUri)
    callback.searchParams.set("state", query.get("state") ?? "")
    callback.searchParams.set("iss", issuer)
    if (trait.refuses) {
      callback.searchParams.set("error", "access_denied")
      return callback.href
    }
    const code = random()
    codes.set(code, {
      login,
      scopes: requestedScopes(query, login).filter((scope) => scope !== "" && !withheld.includes(scope)),
      redirectUri,
      challenge: query.get("code_challenge"),
      nonce: query.get("nonce")
    })
    callback.searchParams.set("code", code)
    return callback.href
  }

  const authorize = ({ headers, url }: Received): Response => {
    counts.authorize++
    const target = new URL(url)
    const query = target.searchParams
    if (query.get("client_id") !== client.clientId || !URL.canParse(query.get("redirect_uri") ?? "")) {
      return new Response("unknown client", { status: 400 })
    }
    if (trait.rejectsResource && query.has("resource")) return new Response("AADSTS9010010", { status: 400 })
    const cookie = new RegExp(`(?:^|; )${sessionCookie}=([^;]*)`).exec(headers["cookie"] ?? "")?.[1]
    const login = isSilent ? accounts.keys().next().value : cookie && decodeURIComponent(cookie)
    return login === undefined || !accounts.has(login)
      ? loginPage([...accounts.values()], `${target.pathname}${target.search}`)
      : redirect(approve(query, login))
  }

  const login = ({ body }: Received): Response => {
    const sent = new URLSearchParams(body)
    const to = new URL(sent.get("to") ?? "/", origin)
    // A page elsewhere must not use the upstream as a redirector.
    if (to.origin !== origin) return new Response(null, { status: 400 })
    return new Response(null, {
      status: 303,
      headers: {
        location: to.href,
        "set-cookie": `${sessionCookie}=${encodeURIComponent(sent.get("login") ?? "")}; HttpOnly; SameSite=Lax; Path=/`
      }
    })
  }

  const signIdToken = (claims: Readonly<Record<string, unknown>>): Effect.Effect<string> =>
    Effect.suspend(() => {
      const key = keys.getCurrent()
      return signSegments(key, segment({ alg: key.algorithm, kid: key.kid, typ: "JWT" }), segment(claims))
    })

  const idToken = (
    now: number,
    { login, nonce }: Pick<Authorized, "login" | "nonce">,
    accessToken: string
  ): Effect.Effect<string> =>
    Effect.gen(function*() {
      const hash = yield* Effect.promise(() =>
        globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(accessToken))
      )
      return yield* signIdToken(defined({
        iss: issuer,
        aud: client.clientId,
        azp: client.clientId,
        iat: Math.floor(now / 1000),
        exp: Math.floor(now / 1000) + 3_600,
        nonce: nonce ?? undefined,
        at_hash: base64url.encode(new Uint8Array(hash, 0, 16)),
        ...claimsOf(form, accounts.get(login)!)
      }))
    })

  /** Revokes the oldest tokens of a person and a scope set. */
  const dropOldest = (login: string, scopes: ReadonlyArray<string>) => {
    const same = [...accessTokens].filter(([, token]) =>
      token.login === login && [...token.scopes].sort().join() === [...scopes].sort().join()
    )
    for (const [token] of same.slice(0, Math.max(0, same.length - trait.mostTokens))) accessTokens.delete(token)
  }

  const issue = (authorized: Pick<Authorized, "login" | "scopes" | "nonce">, kept: string | undefined) =>
    Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      const { login } = authorized
      // A person can withdraw a scope, which a refresh then no longer returns.
      const scopes = authorized.scopes.filter((scope) => !withheld.includes(scope))
      const accessToken = `access-${random()}`
      accessTokens.set(accessToken, {
        login,
        scopes,
        expiresAt: trait.lifetime === undefined ? Number.POSITIVE_INFINITY : now + trait.lifetime * 1000
      })
      dropOldest(login, scopes)
      const refreshToken = kept ?? (trait.lifetime === undefined ? undefined : `refresh-${random()}`)
      if (refreshToken !== undefined) refreshTokens.set(refreshToken, { login, scopes, accessToken })
      return Response.json(defined({
        access_token: accessToken,
        token_type: trait.isGitHub ? "bearer" : "Bearer",
        scope: grantedText(form, scopes),
        expires_in: trait.lifetime,
        refresh_token: refreshToken,
        id_token: trait.isGitHub || !usesIdTokens ? undefined : yield* idToken(now, authorized, accessToken)
      }))
    })

  const redeem = (sent: URLSearchParams): Effect.Effect<Response> =>
    Effect.gen(function*() {
      counts.redeem++
      const code = sent.get("code") ?? ""
      const authorized = codes.get(code)
      codes.delete(code)
      const digest = yield* Effect.promise(() =>
        globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(sent.get("code_verifier") ?? ""))
      )
      const isRight = authorized !== undefined && accounts.has(authorized.login) &&
        sent.get("redirect_uri") === authorized.redirectUri &&
        (authorized.challenge === null || authorized.challenge === base64url.encode(new Uint8Array(digest)))
      if (!isRight) return failure(trait.isGitHub ? "bad_verification_code" : "invalid_grant")
      return yield* issue(authorized, undefined)
    })

  const refresh = (sent: URLSearchParams): Effect.Effect<Response> =>
    Effect.suspend(() => {
      counts.refresh++
      const refreshToken = sent.get("refresh_token") ?? ""
      const known = refreshTokens.get(refreshToken)
      if (known === undefined) reuses++
      if (known === undefined || trait.refuses || !accounts.has(known.login)) {
        return Effect.succeed(failure(trait.isGitHub ? "bad_refresh_token" : "invalid_grant"))
      }
      if (trait.rotates) {
        refreshTokens.delete(refreshToken)
        accessTokens.delete(known.accessToken)
      }
      return issue({ ...known, nonce: null }, trait.rotates ? undefined : refreshToken)
    })

  const basic = `Basic ${btoa(`${client.clientId}:${client.clientSecret}`)}`
  const isClient = ({ headers }: Received, sent: URLSearchParams): boolean =>
    headers["authorization"] === basic ||
    (sent.get("client_id") === client.clientId && sent.get("client_secret") === client.clientSecret)

  const token = (request: Received): Effect.Effect<Response> =>
    Effect.suspend(() => {
      const sent = new URLSearchParams(request.body)
      if (!isClient(request, sent)) {
        return Effect.succeed(failure(trait.isGitHub ? "incorrect_client_credentials" : "invalid_client", 401))
      }
      if (trait.rejectsResource && sent.has("resource")) return Effect.succeed(failure("invalid_target"))
      return sent.get("grant_type") === "refresh_token" ? refresh(sent) : redeem(sent)
    })

  /** Answers requests with the access token of a person. */
  const withPerson = ({ headers }: Received, answer: (account: Account) => Response): Effect.Effect<Response> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      counts.user++
      const found = accessTokens.get(/^Bearer (.+)$/.exec(headers["authorization"] ?? "")?.[1] ?? "")
      const account = found === undefined || now >= found.expiresAt ? undefined : accounts.get(found.login)
      return account === undefined ? Response.json({ message: "Bad credentials" }, { status: 401 }) : answer(account)
    })

  /** Revokes a token (RFC 7009). A refresh token ends with the access token of its response. */
  const revoke = (request: Received): Response => {
    const sent = new URLSearchParams(request.body)
    if (!isClient(request, sent)) return new Response(null, { status: 401 })
    const name = sent.get("token") ?? ""
    const accessToken = refreshTokens.get(name)?.accessToken ?? name
    refreshTokens.delete(name)
    accessTokens.delete(accessToken)
    return new Response(null, { status: 200 })
  }

  /** Deletes a token as GitHub does it. */
  const deleteToken = ({ body, headers }: Received): Response => {
    if (headers["authorization"] !== basic) return new Response(null, { status: 401 })
    const { access_token: name } = JSON.parse(body) as { readonly access_token?: unknown }
    return new Response(null, { status: accessTokens.delete(String(name)) ? 204 : 422 })
  }

  const gitHubUser = (request: Received, rest: string): Effect.Effect<Response> =>
    withPerson(request, (account) => {
      if (rest === "") return Response.json({ id: account.id, login: account.login })
      if (rest === "/emails") {
        return Response.json([{ email: account.email, primary: true, verified: account.isEmailVerified ?? true }])
      }
      const organization = account.organizations?.find(({ login }) => rest === `/memberships/orgs/${login}`)
      return organization === undefined
        ? Response.json({ message: "Not Found" }, { status: 404 })
        : Response.json({ state: "active", organization })
    })

  const serve = (request: Received): Effect.Effect<Response> => {
    const { pathname } = new URL(request.url)
    if (pathname === trait.authorizePath) return Effect.sync(() => authorize(request))
    if (pathname === "/test-login" && request.method === "POST") return Effect.sync(() => login(request))
    if (pathname === trait.tokenPath && request.method === "POST") return token(request)
    if (trait.isGitHub && request.method === "DELETE" && pathname === `/api/v3/applications/${client.clientId}/token`) {
      return Effect.sync(() => deleteToken(request))
    }
    if (trait.hasRevocation && pathname === "/revoke" && request.method === "POST") {
      return Effect.sync(() => revoke(request))
    }
    if (trait.isGitHub && pathname.startsWith(trait.userPath)) {
      return gitHubUser(request, pathname.slice(trait.userPath.length))
    }
    if (!trait.isGitHub && pathname === trait.userPath) {
      return withPerson(request, (account) => Response.json(defined(claimsOf(form, account))))
    }
    if (!trait.isGitHub && pathname === "/jwks") {
      return Effect.sync(() => Response.json({ keys: keys.getAll().map(({ publicJwk }) => publicJwk) }))
    }
    if (!trait.isGitHub && pathname === `${trait.issuerPath}/.well-known/openid-configuration`) {
      return Effect.sync(() =>
        Response.json({
          issuer,
          authorization_endpoint: `${origin}${trait.authorizePath}`,
          token_endpoint: `${origin}${trait.tokenPath}`,
          userinfo_endpoint: `${origin}${trait.userPath}`,
          ...(trait.hasRevocation ? { revocation_endpoint: `${origin}/revoke` } : {}),
          jwks_uri: `${origin}/jwks`,
          authorization_response_iss_parameter_supported: true,
          response_types_supported: ["code"],
          subject_types_supported: ["public"],
          id_token_signing_alg_values_supported: [keys.getCurrent().algorithm]
        })
      )
    }
    return Effect.succeed(new Response(null, { status: 404 }))
  }

  const endWhere = (isEnded: (login: string) => boolean) => {
    for (const [name, { login }] of accessTokens) if (isEnded(login)) accessTokens.delete(name)
    for (const [name, { login }] of refreshTokens) if (isEnded(login)) refreshTokens.delete(name)
  }

  return {
    issuer,
    serve,
    signIdToken,
    /** Lets a person sign in at a URL of the authorization endpoint, and returns the URL of the callback. */
    signIn: (url: string, login?: string) =>
      Effect.sync(() => {
        counts.authorize++
        return approve(new URL(url).searchParams, login ?? accounts.keys().next().value!)
      }),
    counts: Effect.sync((): Counts => ({ ...counts })),
    reuses: Effect.sync(() => reuses),
    liveTokens: (login: string) =>
      Effect.sync(() => [...accessTokens].filter(([, token]) => token.login === login).map(([name]) => name)),
    setAccount: (account: Account) => Effect.sync(() => void accounts.set(account.login, account)),
    removeAccount: (login: string) => Effect.sync(() => void accounts.delete(login)),
    revokeTokens: (login: string) => Effect.sync(() => endWhere((other) => other === login)),
    withholdScopes: (...scopes: ReadonlyArray<string>) =>
      Effect.sync(() => {
        withheld = scopes
      }),
    omitIdTokens: Effect.sync(() => {
      usesIdTokens = false
    })
  }
}
