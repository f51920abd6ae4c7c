/** Glewlwyd, as Debian packages it, on a free port, with a database of its own; gone with the scope. */
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { SigningKey } from "effect-mcp-auth/testing"
import type { JWK } from "jose"
import { createHash, randomBytes } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { freePort, start } from "../program.ts"

/** A realm for each: a plugin of the server, with a name, a key and thereby an issuer of its own. */
export const algorithms = ["RS256", "ES256", "PS256", "EdDSA"] as const

export type Algorithm = typeof algorithms[number]

export interface Client {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
}

export interface Tokens {
  readonly access_token: string
  readonly id_token?: string
}

/** Asked for in the name of a program, or of alice, who signs in and consents. */
export interface Request {
  readonly scope: string
  /** Without one, the token is for nobody in particular. */
  readonly resource?: string
}

export interface Realm {
  readonly issuer: string
  /** Gets tokens for itself, and may ask about everybody's. */
  readonly program: Client
  /** Client credentials. */
  readonly ofProgram: (request: Request) => Effect.Effect<Tokens>
  /** Authorization code with PKCE. */
  readonly ofAlice: (request: Request) => Effect.Effect<Tokens>
  /** The program takes back a token of its own. */
  readonly revoke: (token: string) => Effect.Effect<void>
}

export class Glewlwyd extends Context.Service<Glewlwyd, {
  readonly realm: (algorithm: Algorithm) => Realm
}>()("test/Glewlwyd") {}

export interface Options {
  /** Those that tokens can be had for. */
  readonly resources: ReadonlyArray<string>
  readonly scopes: ReadonlyArray<string>
}

/** A token with this scope may ask about, and revoke, every token. It also lets clients ask about each other's. */
export const introspectionScope = "introspect"

const program = "program"
const application = "application"
const secret = "loopback-test-only"
const redirectUri = "http://127.0.0.1/callback"

/** The schema and its first administrator, in the place from which the package itself fills a database. */
const schema = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"
const administrator = { username: "admin", password: "password" }
const alice = { username: "alice", password: secret }

const configuration = (directory: string, port: number) => `
port = ${port}
bind_address = "127.0.0.1"
external_url = "http://127.0.0.1:${port}"
api_prefix = "api"
login_url = "login.html"
login_api_enabled = true
log_mode = "console"
log_level = "WARNING"
cookie_domain = "127.0.0.1"
cookie_secure = 0
session_key = "session"
session_expiration = 3600
admin_session_authentication = "cookie"
profile_session_authentication = "cookie"
admin_scope = "g_admin"
profile_scope = "g_profile"
hash_algorithm = "SHA512"
user_module_path = "/usr/lib/glewlwyd/user"
client_module_path = "/usr/lib/glewlwyd/client"
user_auth_scheme_module_path = "/usr/lib/glewlwyd/scheme"
plugin_module_path = "/usr/lib/glewlwyd/plugin"
database = { type = "sqlite3"; path = "${join(directory, "database")}" };
`

/** All that the plugin insists on, and what MCP needs of it: PKCE, resource indicators, introspection. */
const plugin = (name: string, issuer: string, key: JWK, { resources, scopes }: Options) => ({
  module: "oidc",
  name,
  display_name: name,
  enabled: true,
  parameters: {
    iss: issuer,
    "jwks-private": JSON.stringify({ keys: [key] }),
    "jwks-show": true,
    "access-token-duration": 300,
    "refresh-token-duration": 3600,
    "code-duration": 60,
    "refresh-token-rolling": true,
    "allow-non-oidc": true,
    "auth-type-code-enabled": true,
    "auth-type-token-enabled": false,
    "auth-type-id-token-enabled": false,
    "auth-type-none-enabled": false,
    "auth-type-password-enabled": false,
    "auth-type-client-enabled": true,
    "auth-type-device-enabled": false,
    "auth-type-refresh-enabled": true,
    "subject-type": "public",
    "address-claim": { type: "no" },
    "name-claim": "no",
    "email-claim": "no",
    "scope-claim": "no",
    "pkce-allowed": true,
    "pkce-required": true,
    "pkce-method-plain-allowed": false,
    "introspection-revocation-allowed": true,
    "introspection-revocation-allow-target-client": true,
    "introspection-revocation-auth-scope": [introspectionScope],
    "resource-allowed": true,
    "resource-scope": Object.fromEntries(scopes.map((scope) => [scope, resources])),
    "resource-client-property": "resource",
    "oauth-as-iss-id": true
  }
})

const client = (clientId: string, authorizationTypes: ReadonlyArray<string>, { resources, scopes }: Options) => ({
  client_id: clientId,
  name: clientId,
  enabled: true,
  confidential: true,
  password: secret,
  client_secret: secret,
  token_endpoint_auth_method: ["client_secret_basic"],
  authorization_type: authorizationTypes,
  redirect_uri: [redirectUri],
  scope: [...scopes, introspectionScope],
  resource: resources
})

const answered = async (request: Promise<Response>): Promise<Response> => {
  const response = await request
  if (response.ok) return response
  throw new Error(`${response.url}: ${response.status} ${await response.text()}`)
}

/** Somebody with a session: what they send, and get. */
const session = async (origin: string, credentials: object) => {
  const headers = { "content-type": "application/json" }
  const send = (method: string, path: string, body: object, cookie = "") =>
    answered(
      fetch(`${origin}/api/${path}`, { method, headers: { ...headers, cookie }, body: JSON.stringify(body) })
    )
  const entered = await send("POST", "auth/", credentials)
  const cookie = entered.headers.getSetCookie().map((_) => _.split(";")[0]).join("; ")
  return { cookie, send: (method: string, path: string, body: object) => send(method, path, body, cookie) }
}

export const make = (options: Options): Effect.Effect<Glewlwyd["Service"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort
    const origin = `http://127.0.0.1:${port}`
    const directory = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-mcp-auth-glewlwyd-"))),
      (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
    )
    writeFileSync(join(directory, "configuration"), configuration(directory, port))
    const database = new DatabaseSync(join(directory, "database"))
    database.exec(readFileSync(schema, "utf8"))
    database.close()
    yield* start("glewlwyd", [`--config-file=${join(directory, "configuration")}`], port)

    yield* Effect.promise(async () => {
      const { send } = await session(origin, administrator)
      for (const name of [...options.scopes, introspectionScope]) {
        await send("POST", "scope/", { name, display_name: name, password_required: true, scheme: {} })
      }
      await send("POST", "client/", client(program, ["client_credentials"], options))
      await send("POST", "client/", client(application, ["code"], options))
      await send("POST", "user/", { ...alice, enabled: true, scope: ["g_profile", "openid", ...options.scopes] })
      for (const algorithm of algorithms) {
        const { privateJwk } = await SigningKey.start({ algorithm, kid: algorithm })
        await send("POST", "mod/plugin/", plugin(algorithm, `${origin}/api/${algorithm}`, privateJwk, options))
      }
    })
    return { realm: (algorithm) => realm(origin, algorithm) }
  })

const realm = (origin: string, algorithm: Algorithm): Realm => {
  const issuer = `${origin}/api/${algorithm}`
  const post = (endpoint: string, clientId: string, form: Record<string, string>) =>
    answered(fetch(`${issuer}/${endpoint}`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
      body: new URLSearchParams(form)
    }))
  const tokens = async (clientId: string, form: Record<string, string>) =>
    (await post("token", clientId, form)).json() as Promise<Tokens>
  return {
    issuer,
    program: { clientId: program, clientSecret: Redacted.make(secret) },
    ofProgram: (request) => Effect.promise(() => tokens(program, { grant_type: "client_credentials", ...request })),
    ofAlice: (request) =>
      Effect.promise(async () => {
        const { cookie, send } = await session(origin, alice)
        await send("PUT", `auth/grant/${application}`, { scope: request.scope })
        const verifier = randomBytes(32).toString("base64url")
        const query = new URLSearchParams({
          ...request,
          response_type: "code",
          client_id: application,
          redirect_uri: redirectUri,
          code_challenge: createHash("sha256").update(verifier).digest("base64url"),
          code_challenge_method: "S256",
          nonce: verifier,
          // What its sign-in page adds when it is done.
          g_continue: ""
        })
        const { headers } = await fetch(`${issuer}/auth?${query}`, { headers: { cookie }, redirect: "manual" })
        const code = new URL(headers.get("location") ?? "").searchParams.get("code")
        if (code === null) throw new Error(`no code: ${headers.get("location")}`)
        return tokens(application, {
          grant_type: "authorization_code",
          code,
          code_verifier: verifier,
          redirect_uri: redirectUri
        })
      }),
    revoke: (token) => Effect.asVoid(Effect.promise(() => post("revoke", program, { token })))
  }
}

export const layer = (options: Options): Layer.Layer<Glewlwyd> => Layer.effect(Glewlwyd, make(options))
