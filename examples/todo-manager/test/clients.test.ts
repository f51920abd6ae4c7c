import { assert, describe, layer } from "@effect/vitest"
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect, Layer, References } from "effect"
import { execFile } from "node:child_process"
import { createRequire } from "node:module"
import { join } from "node:path"
import { PersonProvider } from "../../../test/providers/officialClients.ts"
import { signIn } from "../../authorization-server/test/signIn.ts"
import * as Serving from "../../shared/Serving.ts"
import { issuer, servers } from "./servers.ts"

interface Connection {
  readonly connect: () => Promise<void>
  readonly callTool: (name: string, args: Record<string, unknown>) => Promise<any>
  readonly finishAuth: (answer: URLSearchParams) => Promise<void>
  readonly close: () => Promise<void>
}

const info = { name: "test", version: "1.0.0" }

/** The official clients of the SDKs, v1 and v2. */
const clients: ReadonlyArray<{ name: string; connection: (url: string, oauth: PersonProvider) => Connection }> = [
  {
    name: "v1",
    connection: (url, authProvider) => {
      const client = new ClientV1(info)
      const transport = new TransportV1(new URL(url), { authProvider })
      return {
        connect: () => client.connect(transport as never),
        callTool: (name, args) => client.callTool({ name, arguments: args }),
        finishAuth: (answer) => transport.finishAuth(answer.get("code")!),
        close: () => client.close()
      }
    }
  },
  ...(["legacy", "auto"] as const).map((mode) => ({
    name: `v2, ${mode}`,
    connection: (url: string, authProvider: PersonProvider): Connection => {
      const client = new ClientV2(info, { versionNegotiation: { mode } })
      const transport = new TransportV2(new URL(url), { authProvider: authProvider as never })
      return {
        connect: () => client.connect(transport),
        callTool: (name, args) => client.callTool({ name, arguments: args }),
        // The client of v2 also checks the issuer in the redirect (RFC 9207), so it needs all parameters, not only the code.
        finishAuth: (answer) => transport.finishAuth(answer),
        close: () => client.close()
      }
    }
  }))
]

const rejectedWith = (promise: Promise<unknown>) =>
  promise.then(() => "nothing", (error: unknown) => (error as Error).constructor.name)

const inspector = join(
  createRequire(import.meta.url).resolve("@modelcontextprotocol/inspector/package.json"),
  "../clients/launcher/build/index.js"
)

/** Runs the command-line mode of the inspector with a token. */
const inspect = (url: string, token: string, ...args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: unknown; readonly stdout: string; readonly stderr: string }>((resolve) =>
    execFile(
      process.execPath,
      [inspector, "--cli", url, "--transport", "http", "--header", `Authorization: Bearer ${token}`, ...args],
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr })
    )
  )

const Quiet = Layer.succeed(References.MinimumLogLevel, "Warn")

describe.each(servers)("$name", ({ layer: Server }) => {
  layer(Server.pipe(Layer.provide([issuer, Quiet])), { excludeTestServices: true })("with real clients", (it) => {
    it.effect.each(clients)(
      "the client $name signs in, and steps up for one scope more",
      ({ connection }) =>
        Effect.gen(function*() {
          const { url } = yield* Serving.Endpoint
          yield* Effect.promise(async () => {
            const oauth = new PersonProvider()
            const first = connection(url, oauth)
            assert.strictEqual(await rejectedWith(first.connect()), "UnauthorizedError")
            await first.finishAuth(oauth.takeAnswer())
            await first.close()
            const granted = () => oauth.tokens()?.scope?.split(" ").sort()
            assert.deepStrictEqual(granted(), ["create:todos", "read:todos"])

            const { callTool, close, connect, finishAuth } = connection(url, oauth)
            await connect()
            const { structuredContent: todo } = await callTool("create_todo", { title: "milk" })
            assert.strictEqual(todo.title, "milk")

            assert.strictEqual(await rejectedWith(callTool("delete_todo", { id: todo.id })), "UnauthorizedError")
            await finishAuth(oauth.takeAnswer())
            assert.deepStrictEqual(granted(), ["create:todos", "delete:todos", "read:todos"])
            assert.deepStrictEqual((await callTool("delete_todo", { id: todo.id })).structuredContent, todo)
            assert.deepStrictEqual((await callTool("list_todos", {})).structuredContent.todos, [])
            await close()
          })
        })
    )

    it.effect("the inspector lists and calls tools with a token", () =>
      Effect.gen(function*() {
        const { authorizationServers, resource, url } = yield* Serving.Endpoint
        yield* Effect.promise(async () => {
          const { access_token: token } = await signIn({
            issuer: authorizationServers[0],
            resource,
            scope: "create:todos"
          })
          const listed = await inspect(url, token, "--method", "tools/list")
          assert.strictEqual(listed.code, 0, listed.stderr)
          const names = JSON.parse(listed.stdout).tools.map((_: { name: string }) => _.name)
          assert.sameMembers(names, ["create_todo", "list_todos", "delete_todo"])

          const call = ["--method", "tools/call", "--tool-name"]
          const created = await inspect(url, token, ...call, "create_todo", "--tool-arg", "title=bread")
          assert.strictEqual(created.code, 0, created.stderr)
          assert.strictEqual(JSON.parse(created.stdout).structuredContent.title, "bread")

          const rejected = await inspect(url, token, ...call, "delete_todo", "--tool-arg", "id=1")
          assert.notStrictEqual(rejected.code, 0)
          assert.notInclude(rejected.stdout + rejected.stderr, token)
        })
      }))
  })
})
