/** One person uses one client, over two runs of its program, with each pair of real servers. */
import { assert, describe, it } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Effect, type Scope } from "effect"
import { AuthorizedHttpClient } from "effect-mcp-auth/http-client"
import { Connections } from "effect-mcp-auth/sign-in"
import { RecordStore } from "effect-mcp-auth/store"
import { FileStore } from "effect-mcp-auth/store-node"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pairs, type Running } from "./servers.ts"

const account = "alice"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-mcp-auth-acceptance-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

interface Failure extends Error {
  readonly _tag: string
  readonly url: string
  readonly reason: string
  readonly scopes: ReadonlyArray<string>
}

/** One run of the program of the client. The scope ends it. Only the file remains. */
const run = Effect.fnUntraced(function*(
  { issuer, resource }: Running,
  file: string
): Effect.fn.Return<Program, unknown, Scope.Scope> {
  const grants: Array<string> = []
  const connections = yield* Effect.provideService(
    Connections.make({
      client: { name: "Acceptance" },
      redirectUri: "http://127.0.0.1:9/callback",
      allowIssuers: [issuer],
      fetch: async (input, init) => {
        const response = await fetch(input, init)
        const body = init?.body instanceof URLSearchParams ? init.body : new URLSearchParams(String(init?.body ?? ""))
        const grant = body.get("grant_type")
        if (grant !== null && response.ok) grants.push(grant)
        return response
      }
    }),
    RecordStore.RecordStore,
    yield* FileStore.make({ file })
  )
  return {
    grants,
    complete: (callback) => connections.complete({ url: callback.href }, { account }),
    callTool: (name, args = {}) =>
      Effect.tryPromise({
        try: async () => {
          const client = new Client({ name: "acceptance", version: "1.0.0" }, { versionNegotiation: { mode: "auto" } })
          const connected = connections.fetch({ account, resource })
          try {
            await client.connect(new StreamableHTTPClientTransport(new URL(resource), { fetch: connected }))
            const { content, isError, structuredContent } = await client.callTool({ name, arguments: args })
            if (isError === true) throw new Error(JSON.stringify(content))
            return structuredContent as Readonly<Record<string, unknown>>
          } finally {
            await client.close()
          }
        },
        // While this client negotiates the version, it wraps the errors of `fetch`.
        catch: (error) => (AuthorizedHttpClient.clientError(error) ?? error) as Failure
      })
  }
})

interface Program {
  /** The grants of all token requests that succeeded. */
  readonly grants: Array<string>
  readonly complete: (callback: URL) => Effect.Effect<Connections.Completed, Connections.CompleteError>
  readonly callTool: (
    name: string,
    args?: Record<string, unknown>
  ) => Effect.Effect<Readonly<Record<string, unknown>>, Failure>
}

describe("a client of real servers", () => {
  it.live.each(pairs)(
    "signs in, calls, steps up, and refreshes an expired token, also after a restart: $name",
    ({ start }) =>
      Effect.gen(function*() {
        const servers = yield* start
        const file = join(yield* folder, "tokens.json")
        const signIn = (program: Program, required: Failure) =>
          Effect.gen(function*() {
            assert.strictEqual(required._tag, "SignInRequired", required.stack)
            const callback = yield* Effect.promise(() => servers.authorize(required.url))
            return yield* program.complete(callback)
          })

        yield* Effect.scoped(Effect.gen(function*() {
          const program = yield* run(servers, file)
          const first = yield* Effect.flip(program.callTool("list_todos"))
          assert.strictEqual(first.reason, "no-token")
          assert.deepStrictEqual([...first.scopes].sort(), ["create:todos", "read:todos"])
          yield* signIn(program, first)
          const todo = yield* program.callTool("create_todo", { title: "Read RFC 6749" })
          assert.strictEqual(todo["title"], "Read RFC 6749")

          const more = yield* Effect.flip(program.callTool("delete_todo", { id: todo["id"] }))
          assert.strictEqual(more.reason, "scopes")
          const { granted } = yield* signIn(program, more)
          assert.includeMembers([...granted], ["create:todos", "read:todos", "delete:todos"])
          assert.deepStrictEqual(yield* program.callTool("delete_todo", { id: todo["id"] }), todo)

          // Counts from here: a renewal in the background can end while the tokens expire.
          const before = program.grants.length
          yield* servers.expire
          assert.deepStrictEqual((yield* program.callTool("list_todos"))["todos"], [])
          assert.include(program.grants.slice(before), "refresh_token")
          assert.lengthOf(program.grants.filter((grant) => grant === "authorization_code"), 2)
        }))

        const restarted = yield* run(servers, file)
        for (const title of ["Read RFC 9728", "Read RFC 9207"]) {
          const before = restarted.grants.length
          yield* servers.expire
          // The refreshed token still has the scope of the step-up.
          const { id } = yield* restarted.callTool("create_todo", { title })
          assert.strictEqual((yield* restarted.callTool("delete_todo", { id }))["title"], title)
          assert.include(restarted.grants.slice(before), "refresh_token")
        }
        assert.notInclude(restarted.grants, "authorization_code")
      }),
    60_000
  )
})
