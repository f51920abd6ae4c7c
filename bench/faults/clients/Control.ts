/**
 * A client that makes every mistake: the control of the oracles. Each oracle must report it, or the oracle sees nothing. Never use it for
 * another purpose.
 */
import { DpopClient } from "effect-mcp-auth/testing"
import { createHash, randomBytes } from "node:crypto"
import { type Connect, credentials } from "./World.ts"

interface Endpoints {
  readonly authorize: string
  readonly token: ReadonlyArray<string>
  readonly register: string
}

interface Tokens {
  readonly access: string
  readonly refresh: string | undefined
}

const readJson = async (response: Response): Promise<any> => {
  // Reads the whole document, however long it is.
  const text = await response.text()
  try {
    return response.ok ? JSON.parse(text) : undefined
  } catch {
    return undefined
  }
}

export const control: Connect = async (world, { headers, isRegistered, usesDpop }) => {
  const { resource } = world.servers
  const { origin } = new URL(resource)
  const log: Array<string> = []
  const tokens = (): Tokens | undefined => world.values.get("tokens") as Tokens | undefined
  let challenge = ""

  const discover = async (): Promise<Endpoints> => {
    const named = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ??
      `${origin}/.well-known/oauth-protected-resource${new URL(resource).pathname}`
    const found = await readJson(await fetch(named, { headers }))
    const issuer = found?.authorization_servers?.[0] ?? origin
    const metadata = await readJson(await fetch(`${issuer}/.well-known/oauth-authorization-server`, { headers }))
    return {
      authorize: metadata?.authorization_endpoint ?? `${issuer}/authorize`,
      token: [...new Set([metadata?.token_endpoint ?? `${issuer}/token`, `${issuer}/token`])],
      register: metadata?.registration_endpoint ?? `${issuer}/register`
    }
  }

  const register = async (endpoint: string): Promise<string> => {
    const known = world.values.get("client")
    if (isRegistered) return credentials.clientId
    if (typeof known === "string") return known
    const response = await fetch(endpoint, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: ["http://127.0.0.1/callback"], token_endpoint_auth_method: "none" })
    })
    if (response.status !== 201) throw new Error(`the registration answers ${response.status}`)
    const { client_id } = await response.json()
    world.values.set("client", client_id)
    return client_id
  }

  const key = await DpopClient.start()
  const proofs = new Map<string, string>()
  let nonce: string | undefined

  /** Returns the proof of a request, which is the same for the same method and URL. */
  const proofFor = async (method: string, url: string): Promise<Record<string, string>> => {
    if (!usesDpop) return {}
    const name = `${method} ${url} ${nonce}`
    const proof = proofs.get(name) ?? await key.proof({ method, url, token: tokens()?.access, nonce })
    proofs.set(name, proof)
    return { dpop: proof }
  }

  const readNonce = (response: Response) => {
    nonce = response.headers.get("dpop-nonce") ?? nonce
    return response
  }

  /** Requests a token from every endpoint at once. */
  const redeem = async (endpoints: ReadonlyArray<string>, form: Record<string, string>): Promise<any> => {
    const attempts = await Promise.allSettled(endpoints.map(async (endpoint) => {
      const target = new URL(endpoint)
      if (isRegistered) target.searchParams.set("client_secret", credentials.clientSecret)
      const request = async () => {
        const proof = await proofFor("POST", endpoint)
        return readNonce(
          await fetch(target, { method: "POST", headers: { ...headers, ...proof }, body: new URLSearchParams(form) })
        )
      }
      const response = await request()
      return response.status === 400 && usesDpop ? request() : response
    }))
    for (const attempt of attempts) {
      if (attempt.status === "rejected") continue
      if (attempt.value.status >= 429) world.values.delete("tokens")
      const answer = await readJson(attempt.value)
      if (answer?.access_token === undefined) continue
      world.values.set("tokens", { access: answer.access_token, refresh: answer.refresh_token } satisfies Tokens)
      log.push(`token ${answer.access_token}`)
      return answer
    }
    throw new Error("no token")
  }

  const signIn = async (scope: string): Promise<void> => {
    const endpoints = await discover()
    const clientId = await register(endpoints.register)
    const verifier = randomBytes(32).toString("base64url")
    const url = new URL(endpoints.authorize)
    const parameters = {
      client_id: clientId,
      response_type: "code",
      redirect_uri: "http://127.0.0.1/callback",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      scope,
      resource,
      state: "always-the-same"
    }
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    const callback = new URL(await world.person.signIn(url.href)).searchParams
    const description = callback.get("error_description")
    world.person.pages.push({
      headers: new Headers({ "content-type": "text/html" }),
      html: `<p>${description ?? "Signed in"}`
    })
    if (description !== null) await world.person.signIn(url.href)
    // Discovers again, in case that something has changed.
    const { token } = await discover()
    await redeem(token, {
      grant_type: "authorization_code",
      code: callback.get("code") ?? "",
      code_verifier: verifier,
      client_id: clientId,
      redirect_uri: "http://127.0.0.1/callback"
    })
  }

  const refresh = async (): Promise<boolean> => {
    const refreshToken = tokens()?.refresh
    if (refreshToken === undefined) return false
    const { token } = await discover()
    for (let attempt = 0; attempt < 4; attempt++) {
      const isRefreshed = await redeem(token, {
        grant_type: "refresh_token",
        refresh_token: refreshToken,
        client_id: String(world.values.get("client"))
      }).then(() => true, () => false)
      if (isRefreshed) return true
    }
    return false
  }

  const post = async (message: object): Promise<Response> =>
    fetch(resource, {
      method: "POST",
      headers: {
        ...headers,
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(tokens() === undefined ? {} : { authorization: `${usesDpop ? "DPoP" : "Bearer"} ${tokens()!.access}` }),
        ...await proofFor("POST", resource)
      },
      body: JSON.stringify({ jsonrpc: "2.0", ...message })
    })

  const send = async (message: object): Promise<void> => {
    for (let attempt = 0; attempt < 8; attempt++) {
      const response = await post(message)
      await response.text()
      if (response.ok) return
      readNonce(response)
      challenge = response.headers.get("www-authenticate") ?? ""
      if (challenge.startsWith("DPoP")) continue
      if (response.status === 401) {
        if (!await refresh()) {
          if (tokens() !== undefined) throw new Error("the refresh failed")
          await signIn("todos:read")
        }
      } else if (response.status === 403 && challenge.includes("insufficient_scope")) {
        await signIn(/scope="?([^",]+)/.exec(challenge.replace("insufficient_scope", ""))?.[1] ?? "todos:read")
      } else throw new Error(`the MCP server answers ${response.status}`)
    }
    throw new Error("gave up after eight attempts")
  }

  await send({ id: 1, method: "initialize", params: { protocolVersion: "2025-11-25" } })
  return {
    call: (name) => send({ id: 2, method: "tools/call", params: { name } }),
    output: () => log.join("\n"),
    close: async () => {}
  }
}
