/** Starts Glewlwyd from Debian's package on a free port with an empty database. It runs until the scope closes. */
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { SigningKey } from "effect-mcp-auth/testing"
import type { JWK } from "jose"
import { createHash, randomBytes } from "node:crypto"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { freePort, start } from "../program.ts"

/** The algorithms of the realms. A realm is a plugin instance of the server with a separate name, key and issuer. */
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

/** The parameters of `mintForProgram` and `mintForAlice`. */
export interface Request {
  readonly scope: string
  /** Default: the token names no resource. */
  readonly resource?: string
}

export interface Realm {
  readonly issuer: string
  /** A client that requests tokens for itself and can introspect every token. */
  readonly program: Client
  /** Requests tokens for the program, with client credentials. */
  readonly mintForProgram: (request: Request) => Effect.Effect<Tokens>
  /** Signs in as the user alice, consents, and requests tokens with an authorization code and PKCE. */
  readonly mintForAlice: (request: Request) => Effect.Effect<Tokens>
  /** Revokes a token of the program. */
  readonly revoke: (token: string) => Effect.Effect<void>
}

export class Glewlwyd extends Context.Service<Glewlwyd, {
  readonly realm: (algorithm: Algorithm) => Realm
}>()("test/Glewlwyd") {}

export interface Options {
  /** The resources for which the server issues tokens. */
  readonly resources: ReadonlyArray<string>
  readonly scopes: ReadonlyArray<string>
}

/**
 * The scope for introspection and revocation. A token with this scope allows a client to introspect and revoke every
 * token. A client that is registered with this scope can also introspect tokens of other clients.
 */
export const introspectionScope = "introspect"

const program = "program"
const application = "application"
const secret = "loopback-test-only"
const redirectUri = "http://127.0.0.1/callback"

/** The file from which the package fills a database: the schema and the first administrator. */
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

/** Creates a plugin with its required parameters, and those that MCP needs: PKCE, resource indicators, introspection. */
const makePlugin = (name: string, issuer: string, key: JWK, { resources, scopes }: Options) => ({
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

const makeClient = (clientId: string, authorizationTypes: ReadonlyArray<string>, { resources, scopes }: Options) => ({
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

const requireOk = async (request: Promise<Response>): Promise<Response> => {
  const response = await request
  if (response.ok) return response
  throw new Error(`${response.url}: ${response.status} ${await response.text()}`)
}

/** Signs in, and returns the session cookie and a function that sends requests with it. */
const openSession = async (origin: string, credentials: object) => {
  const headers = { "content-type": "application/json" }
  const send = (method: string, path: string, body: object, cookie = "") =>
    requireOk(
      fetch(`${origin}/api/${path}`, { method, headers: { ...headers, cookie }, body: JSON.stringify(body) })
    )
  const signedIn = await send("POST", "auth/", credentials)
  const cookie = signedIn.headers.getSetCookie().map((_) => _.split(";")[0]).join("; ")
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
      const { send } = await openSession(origin, administrator)
      for (const name of [...options.scopes, introspectionScope]) {
        await send("POST", "scope/", { name, display_name: name, password_required: true, scheme: {} })
      }
      await send("POST", "client/", makeClient(program, ["client_credentials"], options))
      await send("POST", "client/", makeClient(application, ["code"], options))
      await send("POST", "user/", { ...alice, enabled: true, scope: ["g_profile", "openid", ...options.scopes] })
      for (const algorithm of algorithms) {
        const { privateJwk } = await SigningKey.start({ algorithm, kid: algorithm })
        await send("POST", "mod/plugin/", makePlugin(algorithm, `${origin}/api/${algorithm}`, privateJwk, options))
      }
    })
    return { realm: (algorithm) => makeRealm(origin, algorithm) }
  })

const makeRealm = (origin: string, algorithm: Algorithm): Realm => {
  const issuer = `${origin}/api/${algorithm}`
  const post = (endpoint: string, clientId: string, form: Record<string, string>) =>
    requireOk(fetch(`${issuer}/${endpoint}`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${clientId}:${secret}`)}` },
      body: new URLSearchParams(form)
    }))
  const tokens = async (clientId: string, form: Record<string, string>) =>
    (await post("token", clientId, form)).json() as Promise<Tokens>
  return {
    issuer,
    program: { clientId: program, clientSecret: Redacted.make(secret) },
    mintForProgram: (request) =>
      Effect.promise(() => tokens(program, { grant_type: "client_credentials", ...request })),
    mintForAlice: (request) =>
      Effect.promise(async () => {
        const { cookie, send } = await openSession(origin, alice)
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
          // Glewlwyd's sign-in page adds this parameter when the user continues. The test does not load the page, so it adds
          // the parameter itself.
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
