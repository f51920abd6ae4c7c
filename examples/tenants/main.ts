/** Calls the server as users of two organisations. Their authorization servers run in memory. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Layer, Logger } from "effect"
import { TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { Directory, home, resource, Server } from "./Notes.ts"

const program = Effect.gen(function*() {
  const acme = (yield* TestIssuer.make({ issuer: "https://login.acme.example", resource })).issuer
  const bolt = (yield* TestIssuer.make({ issuer: "https://sso.bolt.example", resource })).issuer

  yield* Effect.gen(function*() {
    const client = yield* TestClient.TestClient
    const directory = yield* Directory
    const tell = (who: string, issuer: TestIssuer.TestIssuer["Service"], claims: Record<string, unknown>) =>
      Effect.gen(function*() {
        const token = yield* issuer.mint({ scopes: ["notes:write"], claims })
        const answer = yield* client.callTool("add_note", { text: who }).pipe(TestClient.as(token))
        const reason = answer.decisions.find((_) => _.outcome === "rejected")?.reason
        yield* Console.log(`${who}: ${answer.status} ${reason ?? JSON.stringify(answer.value)}`)
      })
    yield* directory.add("acme", acme.issuer)
    yield* tell("a person of acme", acme, { org_id: "acme" })
    yield* tell("a person of bolt, which is not a customer yet", bolt, { org_id: "bolt" })
    yield* tell("a person of bolt, who claims to be of acme", bolt, { org_id: "acme" })
    yield* directory.add("bolt", bolt.issuer)
    yield* Effect.sleep("5 seconds")
    yield* tell("a person of bolt, five seconds later", bolt, { org_id: "bolt" })
    yield* tell("a person of acme, again", acme, { org_id: "acme" })
    yield* acme.goDown()
    yield* acme.rotateKeys
    yield* tell("a person of acme, whose server is down", acme, { org_id: "acme" })
    yield* tell("a person of bolt, meanwhile", bolt, { org_id: "bolt" })
  }).pipe(
    Effect.provide(
      TestClient.layer(Server).pipe(
        Layer.provideMerge(Directory.layer),
        Layer.provide(TestIssuer.layer({ issuer: home, resource, others: [acme, bolt] })),
        // No log, because this program prints the reasons of rejections.
        Layer.provide(Logger.layer([]))
      )
    )
  )
})

NodeRuntime.runMain(Effect.provide(program, Logger.layer([])))
