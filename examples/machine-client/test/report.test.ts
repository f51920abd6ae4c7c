import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Grant, McpAuthClient } from "effect-mcp-auth/client"
import { McpAuthSdk } from "effect-mcp-auth/sdk-v2"
import { SigningKey, TestIssuer } from "effect-mcp-auth/testing"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { scopes } from "../../todo-manager/Scopes.ts"
import { makeServer } from "../../todo-manager/sdk-v2/TodoManager.ts"
import * as TodoStore from "../../todo-manager/TodoStore.ts"
import * as Credentials from "../Credentials.ts"
import * as Report from "../Report.ts"

const resource = "https://todos.example.com/mcp"

/** Starts the servers in memory, and writes the private key of the client to a file. */
const start = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "machine-client-"))),
    (path) => Effect.promise(() => rm(path, { recursive: true }))
  )
  const key = yield* SigningKey.make({ kid: "nightly-report-1" })
  const file = join(folder, "private-key.json")
  yield* Effect.promise(() => writeFile(file, JSON.stringify(key.privateJwk)))
  const issuer = yield* Effect.promise(() =>
    TestIssuer.start({
      resource,
      clients: {
        "nightly-report": { secret: "secret" },
        "nightly-report-with-key": { jwks: { keys: [key.publicJwk] } }
      }
    })
  )
  const auth = yield* Effect.promise(() =>
    McpAuthSdk.make({
      resource,
      authorizationServers: [issuer.issuer],
      scopes,
      fetch: issuer.fetch,
      layer: TodoStore.layer
    })
  )
  const handler = auth.createMcpHandler(() => makeServer(auth))
  const grants: Array<URLSearchParams> = []
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const request = new Request(input, init)
    if (new URL(request.url).origin === "https://todos.example.com") {
      return await auth.metadata(request) ?? await handler.fetch(request)
    }
    if (request.method === "POST") grants.push(new URLSearchParams(await request.clone().text()))
    return issuer.fetch(request)
  }
  const run = (grant: Grant.Grant) =>
    Effect.promise(async () => {
      const lines: Array<string> = []
      const client = await McpAuthClient.make({ resource, grant, fetch })
      try {
        await Report.run(resource, client, (line) => lines.push(line))
      } finally {
        await client.dispose()
      }
      return lines
    })
  return { issuer: issuer.issuer, file, run, grants }
})

describe("the report", () => {
  it.live.each(["a secret", "a private key"])(
    "calls tools and obtains another scope with %s",
    (kind) =>
      Effect.gen(function*() {
        const { file, grants, issuer, run } = yield* start
        const environment = kind === "a secret" ? { CLIENT_SECRET: "secret" } : { CLIENT_KEY: file }
        const by = kind === "a secret" ? "nightly-report" : "nightly-report-with-key"
        const todo = JSON.stringify({ id: 1, title: "Rotate the logs", by })
        assert.deepStrictEqual(yield* run(yield* Effect.promise(() => Credentials.read(issuer, environment))), [
          `create_todo: ${todo}`,
          `list_todos: {"todos":[${todo}]}`,
          `delete_todo: ${todo}`
        ])
        assert.deepStrictEqual(grants.map((form) => form.get("scope")), [
          "create:todos read:todos",
          "create:todos read:todos delete:todos"
        ])
        assert.deepStrictEqual(
          new Set(grants.map((form) => form.has("client_assertion"))),
          new Set([kind === "a private key"])
        )
      })
  )

  it.live("fails with AuthorizationDenied if the secret is wrong, and without credentials before any request", () =>
    Effect.gen(function*() {
      const { issuer, run } = yield* start
      const wrong = Grant.clientCredentials({
        issuer,
        clientId: "nightly-report",
        clientSecret: Redacted.make("wrong")
      })
      const error = yield* Effect.promise(() => Effect.runPromise(run(wrong)).catch((thrown: unknown) => thrown))
      assert.include(String(error), "invalid_client")
      const missing = yield* Effect.promise(() => Credentials.read(issuer, {}).catch((thrown: unknown) => thrown))
      assert.include(String(missing), "CLIENT_SECRET")
    }))
})
