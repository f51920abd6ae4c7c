/** The common parts of the two servers that issue opaque tokens without a resource: Django OAuth Toolkit and Doorkeeper. */
import { Effect, Redacted } from "effect"
import { createHash, randomBytes } from "node:crypto"
import { UserAgent } from "../../../examples/authorization-server/UserAgent.ts"
import { redirectUri } from "../officialClients.ts"
import { makePemKeys } from "./pemKeys.ts"

/** The person who signs in. */
export const alice = { username: "alice", password: "loopback-test-password" }

const clientSecret = "loopback-test-only"

/** A token of alice and the client `mcp`, which is in the database when the server starts. */
export const knownToken = "known-loopback-test-token"

/** The same, but it expired half an hour ago. */
export const expiredToken = "expired-loopback-test-token"

/** Makes the configuration that the programs in Python and Ruby read. */
export const makeSettings = Effect.promise(async () => ({
  scopes: ["create:todos", "read:todos", "delete:todos"],
  password: alice.password,
  clientSecret,
  redirectUri,
  knownToken,
  expiredToken,
  // The servers sign only ID tokens with it.
  privateKey: (await makePemKeys()).privateKey
}))

export interface OpaqueServer {
  readonly issuer: string
  readonly introspector: { readonly clientId: string; readonly clientSecret: Redacted.Redacted }
  /** Signs in as alice and requests a token for a client. */
  readonly mint: (clientId: "mcp" | "elsewhere") => Effect.Effect<string>
  /** Requests a token for the client `program` itself. */
  readonly mintForProgram: Effect.Effect<string>
  /** Revokes a token of the client `mcp`. */
  readonly revoke: (token: string) => Effect.Effect<void>
}

interface Endpoints {
  readonly authorize: string
  readonly token: string
  readonly revoke: string
}

export const makeServer = (issuer: string, endpoints: Endpoints): OpaqueServer => {
  const post = async (url: string, form: Record<string, string>) => {
    const response = await fetch(url, { method: "POST", body: new URLSearchParams(form) })
    if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`)
    return response
  }
  const getToken = async (form: Record<string, string>): Promise<string> =>
    (await (await post(endpoints.token, form)).json()).access_token
  const scope = "create:todos read:todos"
  return {
    issuer,
    introspector: { clientId: "introspector", clientSecret: Redacted.make(clientSecret) },
    mint: (clientId) =>
      Effect.promise(async () => {
        const verifier = randomBytes(32).toString("base64url")
        const query = new URLSearchParams({
          response_type: "code",
          client_id: clientId,
          redirect_uri: redirectUri,
          scope,
          code_challenge: createHash("sha256").update(verifier).digest("base64url"),
          code_challenge_method: "S256"
        })
        const { searchParams } = await new UserAgent(alice).authorize(`${endpoints.authorize}?${query}`)
        return getToken({
          grant_type: "authorization_code",
          client_id: clientId,
          code: searchParams.get("code") ?? "",
          code_verifier: verifier,
          redirect_uri: redirectUri
        })
      }),
    mintForProgram: Effect.promise(() =>
      getToken({ grant_type: "client_credentials", client_id: "program", client_secret: clientSecret, scope })
    ),
    revoke: (token) => Effect.asVoid(Effect.promise(() => post(endpoints.revoke, { client_id: "mcp", token })))
  }
}
