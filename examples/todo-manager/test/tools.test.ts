import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { AuthLayer } from "effect-mcp-auth"
import { expectAdmitted, expectChallenge, expectRejected, TestClient, TestIssuer } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import * as TodoManager from "../TodoManager.ts"
import * as Todos from "../Todos.ts"
import * as TodoStore from "../TodoStore.ts"

const issuer = "https://auth.example.com"
const resource = "https://todos.example.com/mcp"

const Server = TodoManager.layer({ resource, authorizationServers: [issuer] })
const Test = TestClient.layer(Server).pipe(Layer.provideMerge(TestIssuer.layer({ issuer, resource })))

const alice = { subject: "alice", scopes: ["create:todos", "read:todos", "delete:todos"] }
const bob = { subject: "bob", scopes: ["create:todos"] }

const Tools = Todos.layer.pipe(
  Layer.provide(TodoStore.layer),
  Layer.merge(AuthLayer.mock({ subject: "alice", scopes: ["create:todos", "delete:todos"] }))
)

layer(Tools)("by layer", (it) => {
  it.effect("a todo is created, listed and deleted", () =>
    Effect.gen(function*() {
      const tools = yield* Todos.Todos
      const milk = { id: 1, title: "milk", by: "alice" }
      const created = yield* tools.handle("create_todo", { title: "milk" }).pipe(Effect.flatMap(Stream.runCollect))
      assert.deepStrictEqual(created.map(({ result }) => result), [milk])
      const listed = yield* tools.handle("list_todos", {}).pipe(Effect.flatMap(Stream.runCollect))
      assert.deepStrictEqual(listed.map(({ result }) => result), [{ todos: [milk] }])
      const deleted = yield* tools.handle("delete_todo", { id: 1 }).pipe(Effect.flatMap(Stream.runCollect))
      assert.deepStrictEqual(deleted.map(({ result }) => result), [milk])
    }))
})

layer(Test)("by client", (it) => {
  it.effect("with read:todos all todos are listed, and without it those of the caller", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { value: milk } = yield* client.callTool("create_todo", { title: "milk" }).pipe(TestClient.as(alice))
      const { value: bread } = yield* client.callTool("create_todo", { title: "bread" }).pipe(TestClient.as(bob))
      const list = client.callTool("list_todos").pipe(Effect.map(({ value }) => value))
      assert.deepStrictEqual(yield* list.pipe(TestClient.as(alice)), { todos: [milk, bread] })
      assert.deepStrictEqual(yield* list.pipe(TestClient.as(bob)), { todos: [bread] })
    }))

  it.effect("todos of other owners are not found", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { result, value } = yield* client.callTool("delete_todo", { id: 2 }).pipe(TestClient.as(alice))
      assert.isTrue(result?.isError)
      assert.strictEqual(value, "You have no todo 2")
    }))

  it.effect("deleting is requested by step-up, and not earlier", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      yield* client.listTools.pipe(expectChallenge({ error: null, scope: ["create:todos", "read:todos"] }))
      yield* client.callTool("delete_todo", { id: 2 }).pipe(
        TestClient.as(bob),
        expectChallenge({ error: "insufficient_scope", scope: ["delete:todos"] })
      )
    }))

  it.effect("the same subject of another issuer is another owner", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const foreign = { ...alice, claims: { iss: "https://other.example.com" } }
      yield* client.callTool("list_todos").pipe(TestClient.as(foreign), expectRejected("unknown-issuer"))
    }))
})

layer(Test)("by fault", (it) => {
  it.effect("an outage has no effect while keys are cached", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { goDown, recover } = yield* TestIssuer.TestIssuer
      const list = client.callTool("list_todos").pipe(TestClient.as(alice))
      yield* list.pipe(expectAdmitted)
      yield* goDown()
      yield* TestClock.adjust("1 hour")
      yield* list.pipe(expectAdmitted)
      yield* recover
    }))

  it.effect("a token ends in the middle of a day's work", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { mint } = yield* TestIssuer.TestIssuer
      const list = client.callTool("list_todos").pipe(TestClient.as(yield* mint(alice)))
      yield* list.pipe(expectAdmitted)
      yield* TestClock.adjust("5 minutes")
      yield* list.pipe(expectChallenge({ error: "invalid_token" }), expectRejected("expired"))
    }))

  it.effect("a key set behind a sign-in wall is an outage, not a bad token", () =>
    Effect.gen(function*() {
      const client = yield* TestClient.TestClient
      const { answerHtml, rotateKeys } = yield* TestIssuer.TestIssuer
      yield* rotateKeys
      yield* answerHtml("/jwks")
      const { status } = yield* client.callTool("list_todos").pipe(TestClient.as(alice), expectRejected("content-type"))
      assert.strictEqual(status, 503)
    }))
})
