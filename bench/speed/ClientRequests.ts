/** The first part of the level "client". It runs in a separate process, and measures requests whose token is cached. */
import { type OAuthClientProvider, withOAuth as withOAuthV2 } from "@modelcontextprotocol/client"
import { withOAuth as withOAuthV1 } from "@modelcontextprotocol/sdk/client/middleware.js"
import { Effect, Redacted, Scope } from "effect"
import { Grant, McpAuthClient } from "effect-mcp-auth/client"
import { ClientEvents } from "effect-mcp-auth/client-events"
import { Connections } from "effect-mcp-auth/sign-in"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { accessToken, issuer, redirectUri, resource, servers } from "./ClientServers.ts"
import { shuffled } from "./Stats.ts"

export interface Work {
  readonly rounds: number
  readonly milliseconds: number
}

/** CPU time per request in microseconds, by contender. Each contender has one value per round. */
export type Measured = Readonly<Record<string, ReadonlyArray<number>>>

/** A server that answers at once with the same response, so that only the client takes time. */
const response = new Response(null, { status: 200 })
const atOnce: typeof globalThis.fetch = async () => response

/** Sends the first requests to servers that issue a token, and all later ones to the server that answers at once. */
const switching = () => {
  let current: typeof globalThis.fetch = servers()
  const fetch: typeof globalThis.fetch = (input, init) => current(input, init)
  return { fetch, finish: () => void (current = atOnce) }
}

type Send = (url: string, init: RequestInit) => Promise<unknown>

const machine = async (events?: ClientEvents.Recorder): Promise<Send> => {
  const { fetch, finish } = switching()
  const auth = await McpAuthClient.make({
    resource,
    grant: Grant.clientCredentials({ issuer, clientId: "client", clientSecret: Redacted.make("secret") }),
    fetch,
    events
  })
  await auth.fetch(resource, { method: "POST", body: "{}" })
  finish()
  return auth.fetch
}

const account = async (): Promise<Send> => {
  const { fetch, finish } = switching()
  const connections = await Effect.runPromise(
    Connections.make({ client: { name: "bench" }, redirectUri, allowIssuers: [issuer], fetch }).pipe(
      Effect.provideServiceEffect(RecordStore.RecordStore, MemoryStore.make()),
      Effect.provideServiceEffect(Scope.Scope, Scope.make())
    )
  )
  const send = connections.fetch({ account: "alice", resource })
  const url = await send(resource).then(() => "", (error: { readonly url: string }) => error.url)
  const state = new URL(url).searchParams.get("state")
  await Effect.runPromise(
    connections.complete({ url: `${redirectUri}?code=code&state=${state}` }, { account: "alice" })
  )
  await send(resource)
  finish()
  return send
}

/** The token of a person who has signed in, as the SDKs keep it. */
const provider: OAuthClientProvider = {
  redirectUrl: redirectUri,
  clientMetadata: { redirect_uris: [redirectUri] },
  clientInformation: () => ({ client_id: "client" }),
  tokens: () => ({ access_token: accessToken, token_type: "Bearer" }),
  saveTokens: () => {},
  redirectToAuthorization: () => {},
  saveCodeVerifier: () => {},
  codeVerifier: () => "verifier"
}

const measure = async ({ milliseconds, rounds }: Work): Promise<Measured> => {
  const contenders: Record<string, Send> = {
    "fetch alone": atOnce,
    "effect-mcp-auth, a machine": await machine(),
    "effect-mcp-auth, a machine with events": await machine(ClientEvents.make({ logs: false })),
    "effect-mcp-auth, an account": await account(),
    "SDK v1, withOAuth": withOAuthV1(provider as never, resource)(atOnce as never) as Send,
    "SDK v2, withOAuth": withOAuthV2(provider, resource)(atOnce) as Send
  }
  const init = { method: "POST", body: "{}", headers: { "content-type": "application/json" } }
  const measured: Record<string, Array<number>> = {}
  for (let round = -2; round < rounds; round++) {
    for (const name of shuffled(Object.keys(contenders))) {
      const send = contenders[name]!
      const before = process.cpuUsage()
      const began = performance.now()
      let count = 0
      while (performance.now() - began < milliseconds) {
        for (let turn = 0; turn < 200; turn++) await send(resource, init)
        count += 200
      }
      const { system, user } = process.cpuUsage(before)
      // The first rounds compile.
      if (round >= 0) (measured[name] ??= []).push((user + system) / count)
    }
  }
  return measured
}

process.on("message", (work: Work) => void measure(work).then((measured) => process.send!(measured)))
process.on("disconnect", () => process.exit())
process.send!("ready")
