import { assert, it, layer } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { expectAdmitted, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import { Directory, home, resource, Server, Tools, ToolsLive } from "../Notes.ts"

/** Starts the server and the issuers of two organisations. Only acme is a customer. */
const setup = Effect.gen(function*() {
  const acme = (yield* TestIssuer.make({ issuer: "https://login.acme.example", resource })).issuer
  const bolt = (yield* TestIssuer.make({ issuer: "https://sso.bolt.example", resource })).issuer
  const services = yield* Layer.build(
    TestClient.layer(Server).pipe(
      Layer.provideMerge(Directory.layer),
      Layer.provideMerge(TestIssuer.layer({ issuer: home, resource, others: [acme, bolt] }))
    )
  )
  const add = (issuer: TestIssuer.TestIssuer["Service"], org_id: string | undefined, text = "milk") =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const token = yield* issuer.mint({ scopes: ["notes:write"], claims: { org_id } })
      return yield* client.callTool("add_note", { text }).pipe(TestClient.as(token))
    }).pipe(Effect.provideContext(services))
  const { add: welcome } = yield* Effect.provide(Directory, services)
  const own = yield* Effect.provide(TestIssuer.TestIssuer, services)
  yield* welcome("acme", acme.issuer)
  return { acme, add, bolt, own, welcome }
})

const callerOf = (tenant: string) => AuthLayer.mock({ subject: "alice", scopes: ["notes:write"], tenant })

const ByLayer = ToolsLive.pipe(Layer.merge(callerOf("acme")))

layer(ByLayer)("by layer", (it) => {
  it.effect("a note belongs to the organisation of its author", () =>
    Effect.gen(function*() {
      const tools = yield* Tools
      const add = (text: string) =>
        tools.handle("add_note", { text }).pipe(
          Effect.flatMap(Stream.runCollect),
          Effect.map((results) => results.map(({ result }) => result))
        )
      yield* add("milk")
      assert.deepStrictEqual(yield* add("bread"), [{ notes: ["milk", "bread"] }])
      assert.deepStrictEqual(yield* add("tea").pipe(Effect.provide(callerOf("bolt"))), [{ notes: ["tea"] }])
    }))
})

it.effect("an organisation vouches only for its people", () =>
  Effect.gen(function*() {
    const { acme, add, bolt } = yield* setup
    yield* add(acme, "acme").pipe(expectAdmitted)
    yield* add(bolt, "acme").pipe(expectRejected("unknown-issuer"))
  }))

it.effect("a token that names no organisation is rejected, also that of the server where people sign in", () =>
  Effect.gen(function*() {
    const { acme, add, own } = yield* setup
    yield* add(acme, undefined).pipe(expectRejected("unknown-tenant"))
    yield* add(own, undefined).pipe(expectRejected("unknown-tenant"))
  }))

it.effect("notes belong to an organisation", () =>
  Effect.gen(function*() {
    const { acme, add, bolt, welcome } = yield* setup
    yield* welcome("bolt", bolt.issuer)
    yield* add(acme, "acme", "secret")
    const { value } = yield* add(bolt, "bolt", "bread").pipe(expectAdmitted)
    assert.deepStrictEqual(value, { notes: ["bread"] })
  }))

it.effect("a new customer is admitted without a restart", () =>
  Effect.gen(function*() {
    const { add, bolt, welcome } = yield* setup
    yield* add(bolt, "bolt").pipe(expectRejected("unknown-tenant"))
    yield* welcome("bolt", bolt.issuer)
    yield* TestClock.adjust("5 seconds")
    yield* add(bolt, "bolt").pipe(expectAdmitted)
  }))

it.effect("an outage of one organisation does not affect another", () =>
  Effect.gen(function*() {
    const { acme, add, bolt, welcome } = yield* setup
    yield* welcome("bolt", bolt.issuer)
    yield* acme.goDown()
    yield* add(acme, "acme").pipe(expectRejected("network"))
    yield* add(bolt, "bolt").pipe(expectAdmitted)
  }))
