/** The authorization server. It runs in a separate process, mints tokens, and counts the requests that it receives. */
import { NodeHttpServer } from "@effect/platform-node"
import { Context, Effect, Exit, Layer, References, Scope } from "effect"
import { DpopClient, TestIssuer } from "effect-mcp-auth/testing"
import { createServer } from "node:http"
import { resource, scopes, tokenLifetime } from "./Subject.ts"

/** Messages to the process. */
export type Question =
  | {
    readonly ask: "mint"
    readonly count: number
    readonly algorithm: "RS256" | "ES256" | "EdDSA"
    readonly typ: string
  }
  | { readonly ask: "proofs"; readonly count: number }
  | { readonly ask: "requests" }

let count = 0

const answer = async (question: Question): Promise<unknown> => {
  if (question.ask === "requests") return (await takeRequests(), received)
  if (question.ask === "proofs") return await Effect.runPromise(prove(question.count))
  const tokens: Array<string> = []
  // Signs several tokens at a time, because signatures are computed in other threads.
  await Promise.all(Array.from({ length: 8 }, async () => {
    while (tokens.length < question.count) {
      tokens.push("")
      const at = tokens.length - 1
      const number = count++
      tokens[at] = await Effect.runPromise(issuer.mint({
        algorithm: question.algorithm,
        subject: `3f1b2c90-6f0e-4b0a-9d53-${String(number).padStart(12, "0")}`,
        clientId: "https://client.example.com/oauth/client-metadata.json",
        scopes,
        header: { typ: question.typ },
        expiresIn: tokenLifetime,
        claims: {
          // With these claims, a token has about 900 bytes, which is a usual size.
          sid: `session-${String(number).padStart(20, "0")}`,
          email: "alice.anderson@example.com",
          name: "Alice Anderson",
          org_id: "org_2bVxYp8fN1kQwErTyUiOpAsDf",
          auth_time: 1_764_000_000
        }
      }))
    }
  }))
  return tokens
}

/** Creates the headers of requests with one token that is bound to a key (RFC 9449), each with a new proof. */
const prove = Effect.fnUntraced(function*(count: number) {
  const client = yield* DpopClient.make()
  const token = yield* issuer.mint({ scopes, boundTo: client.thumbprint, expiresIn: tokenLifetime })
  return yield* Effect.forEach(
    Array.from({ length: count }),
    () => client.headers({ method: "GET", url: resource, token })
  )
})

const Issuer = TestIssuer.serve({ resource, algorithm: "RS256", algorithms: ["ES256", "EdDSA"] }).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })),
  Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
)
const scope = Effect.runSync(Scope.make())
const issuer = Context.get(
  await Effect.runPromise(Scope.provide(Layer.build(Issuer), scope)),
  TestIssuer.TestIssuer
)

let received = 0
// The issuer stores received requests until they are taken, so they are taken regularly to bound memory.
const takeRequests = async () => {
  received += (await Effect.runPromise(issuer.takeRequests)).length
}
setInterval(() => void takeRequests(), 200)

process.on("message", (question: Question) => void answer(question).then((value) => process.send!(value)))
process.on("disconnect", () => {
  void Effect.runPromise(Scope.close(scope, Exit.void)).finally(() => process.exit())
})
process.send!(issuer.issuer)
