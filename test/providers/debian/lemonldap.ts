/** Starts LemonLDAP::NG from Debian's packages on a free port, with empty stores. It runs until the scope closes. */
import { Effect, Redacted, type Scope } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { freePort, start } from "../../program.ts"
import { redirectUri } from "../officialClients.ts"
import { makePemKeys } from "./pemKeys.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

/** A person of the built-in module for demonstrations. */
export const doctor = { username: "dwho", password: "dwho" }

const secret = "loopback-test-only"

/** The clients. In LemonLDAP::NG, they are called relying parties, and their settings decide the format and the audience of tokens. */
export type ClientId = "mcp" | "elsewhere" | "without-audience" | "opaque"

export interface Tokens {
  readonly access_token: string
  readonly id_token: string
}

export interface LemonLdap {
  readonly issuer: string
  /** A client that may introspect every token. */
  readonly introspector: { readonly clientId: string; readonly clientSecret: Redacted.Redacted }
  /** Signs in, consents and requests tokens. `signOut` ends the session to which the tokens belong. */
  readonly mint: (clientId: ClientId) => Effect.Effect<Tokens & { readonly signOut: Effect.Effect<void> }>
  /** Requests a token for a program, with client credentials. */
  readonly mintForProgram: Effect.Effect<string>
}

const ini = (folder: string) => `
[all]
logLevel = error
[configuration]
type = File
dirName = ${folder}/conf
localStorage = Cache::FileCache
localStorageOptions = { 'namespace' => 'configuration', 'cache_root' => '${folder}/cache' }
[portal]
templateDir = /usr/share/lemonldap-ng/portal/templates
staticPrefix = /static
languages = en
`

const relyingParty = (clientId: string, options: object) => ({
  oidcRPMetaDataOptionsClientID: clientId,
  oidcRPMetaDataOptionsPublic: 1,
  oidcRPMetaDataOptionsRequirePKCE: 1,
  oidcRPMetaDataOptionsRedirectUris: redirectUri,
  oidcRPMetaDataOptionsAccessTokenJWT: 1,
  oidcRPMetaDataOptionsIDTokenSignAlg: "RS256",
  ...options
})

const makeConfiguration = async (folder: string, issuer: string, resource: string) => {
  const keys = await makePemKeys()
  const storage = (name: string) => ({
    Directory: join(folder, name),
    LockDirectory: join(folder, name, "lock"),
    generateModule: "Lemonldap::NG::Common::Apache::Session::Generate::SHA256"
  })
  const relyingParties = {
    mcp: relyingParty("mcp", { oidcRPMetaDataOptionsAdditionalAudiences: resource }),
    elsewhere: relyingParty("elsewhere", { oidcRPMetaDataOptionsAdditionalAudiences: "http://127.0.0.1:9/mcp" }),
    withoutAudience: relyingParty("without-audience", {}),
    opaque: relyingParty("opaque", { oidcRPMetaDataOptionsAccessTokenJWT: 0 }),
    introspector: relyingParty("introspector", {
      oidcRPMetaDataOptionsAdditionalAudiences: resource,
      oidcRPMetaDataOptionsPublic: 0,
      oidcRPMetaDataOptionsClientSecret: secret,
      oidcRPMetaDataOptionsAllowClientCredentialsGrant: 1
    })
  }
  return {
    cfgNum: 1,
    cfgAuthor: "effect-mcp-auth",
    cfgDate: "1",
    cfgVersion: "2.16.1",
    portal: `${issuer}/`,
    domain: "127.0.0.1",
    cookieName: "lemonldap",
    securedCookie: 0,
    timeout: 3600,
    requireToken: 0,
    whatToTrace: "uid",
    authentication: "Demo",
    userDB: "Same",
    passwordDB: "Null",
    registerDB: "Null",
    demoExportedVars: { uid: "uid" },
    locationRules: { "127.0.0.1": { default: "accept" } },
    globalStorage: "Apache::Session::File",
    globalStorageOptions: storage("sessions"),
    persistentStorage: "Apache::Session::File",
    persistentStorageOptions: storage("persistent"),
    localSessionStorage: "Cache::FileCache",
    localSessionStorageOptions: { namespace: "sessions", cache_root: join(folder, "cache") },
    issuerDBOpenIDConnectActivation: 1,
    issuerDBOpenIDConnectPath: "^/oauth2/",
    issuerDBOpenIDConnectRule: 1,
    oidcServiceMetaDataIssuer: issuer,
    oidcServicePrivateKeySig: keys.privateKey,
    oidcServicePublicKeySig: keys.publicKey,
    oidcServiceKeyIdSig: "test",
    oidcServiceAllowAuthorizationCodeFlow: 1,
    oidcServiceAccessTokenExpiration: 1800,
    oidcRPMetaDataExportedVars: Object.fromEntries(Object.keys(relyingParties).map((name) => [name, {}])),
    oidcRPMetaDataOptions: relyingParties
  }
}

const requireOk = async (request: Promise<Response>): Promise<Response> => {
  const response = await request
  if (response.ok || response.status === 302) return response
  throw new Error(`${response.url}: ${response.status} ${await response.text()}`)
}

/** Starts the server. `resource` is the additional audience of the client `mcp`. */
export const make = (
  { resource }: { readonly resource: string }
): Effect.Effect<LemonLdap, never, Scope.Scope> =>
  Effect.gen(function*() {
    const port = yield* freePort
    const issuer = `http://127.0.0.1:${port}`
    const folder = yield* temporaryFolder("lemonldap")
    for (const name of ["conf", "cache", "sessions/lock", "persistent/lock"]) {
      mkdirSync(join(folder, name), { recursive: true })
    }
    writeFileSync(join(folder, "lemonldap-ng.ini"), ini(folder))
    const configuration = yield* Effect.promise(() => makeConfiguration(folder, issuer, resource))
    writeFileSync(join(folder, "conf/lmConf-1.json"), JSON.stringify(configuration))
    yield* start(
      "/usr/bin/plackup",
      ["--host", "127.0.0.1", "--port", `${port}`, "-E", "deployment", join(import.meta.dirname, "lemonldap.psgi")],
      port,
      { LLNG_DEFAULTCONFFILE: join(folder, "lemonldap-ng.ini") }
    )
    return {
      issuer,
      introspector: { clientId: "introspector", clientSecret: Redacted.make(secret) },
      mint: (clientId) => Effect.promise(() => mint(issuer, clientId)),
      mintForProgram: Effect.promise(async () => {
        const response = await requireOk(fetch(`${issuer}/oauth2/token`, {
          method: "POST",
          headers: { authorization: `Basic ${btoa(`introspector:${secret}`)}` },
          body: new URLSearchParams({ grant_type: "client_credentials", scope: "create:todos read:todos" })
        }))
        return (await response.json()).access_token
      })
    }
  })

const mint = async (issuer: string, clientId: ClientId) => {
  const accept = "application/json"
  const signedIn = await requireOk(fetch(issuer, {
    method: "POST",
    headers: { accept },
    body: new URLSearchParams({ user: doctor.username, password: doctor.password })
  }))
  const cookie = signedIn.headers.getSetCookie().map((_) => _.split(";")[0]).join("; ")
  const verifier = randomBytes(32).toString("base64url")
  const query = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: "openid create:todos read:todos",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    // The field of the consent page.
    confirm: "1"
  })
  const authorized = await requireOk(
    fetch(`${issuer}/oauth2/authorize?${query}`, { headers: { cookie }, redirect: "manual" })
  )
  const code = new URL(authorized.headers.get("location") ?? "").searchParams.get("code")
  if (code === null) throw new Error(`no code: ${authorized.headers.get("location")}`)
  const response = await requireOk(fetch(`${issuer}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "authorization_code",
      client_id: clientId,
      code,
      code_verifier: verifier,
      redirect_uri: redirectUri
    })
  }))
  const tokens: Tokens = await response.json()
  const signOut = Effect.promise(() => requireOk(fetch(`${issuer}/?logout=1`, { headers: { accept, cookie } })))
  return { ...tokens, signOut: Effect.asVoid(signOut) }
}
