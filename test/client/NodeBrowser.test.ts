/** A person signs in with a browser on the same machine. Numbers in titles are those of the faults that clients of MCP servers had. */
import { assert, describe, it } from "@effect/vitest"
import { getRequestListener } from "@hono/node-server"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Effect, Fiber, type Scope } from "effect"
import { McpAuthClient } from "effect-mcp-auth/client"
import { NodeBrowser } from "effect-mcp-auth/client-node"
import { AuthorizationCode } from "effect-mcp-auth/sign-in"
import { MemoryStore } from "effect-mcp-auth/store"
import { FileStore } from "effect-mcp-auth/store-node"
import { TestBrowser } from "effect-mcp-auth/testing"
import { Fetcher } from "effect-mcp-auth/verification"
import { TestClock } from "effect/testing"
import { execFile } from "node:child_process"
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createServer, get, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { makeNotes } from "../../examples/hosts/NotesV2.ts"
import { makeSession } from "../../src/client/Session.ts"
import { keyOf } from "../../src/client/sign-in/SignInRecords.ts"
import { freePort } from "../program.ts"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "sign-in-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

/** Starts a real authorization server and an MCP server on loopback. */
const start = (options: AuthorizationServer.Options = {}) =>
  Effect.gen(function*() {
    const { issuer } = yield* AuthorizationServer.make({
      scopes: { baseline: ["notes:read"], stepUp: ["notes:write"] },
      refreshTokens: "always",
      ...options
    })
    const tokens: Array<string> = []
    const server = yield* Effect.acquireRelease(
      Effect.callback<ReturnType<typeof createServer>>((resume) => {
        const created = createServer()
        created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
      }),
      (created) =>
        Effect.callback<void>((resume) => {
          created.close(() => resume(Effect.void))
          created.closeAllConnections()
        })
    )
    const resource = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
    const notes = yield* Effect.promise(() => makeNotes({ resource, authorizationServers: [issuer] }))
    server.on(
      "request",
      getRequestListener(async (request) => {
        const authorization = request.headers.get("authorization")
        if (authorization !== null) tokens.push(authorization)
        return await notes.metadata(request) ?? await notes.mcp(request)
      })
    )
    return { issuer, resource, tokens }
  })

/** A person with a browser: signs in, and opens the callback. */
const person = () => {
  const agent = TestBrowser.start()
  const pages: Array<Response> = []
  const urls: Array<string> = []
  return {
    pages,
    urls,
    open: (url: string) => {
      urls.push(url)
      // The browser works beside the program, as a real one.
      void agent.signIn(url).then(async (callback) => void pages.push(await fetch(callback)))
    }
  }
}

const connect = (
  resource: string,
  grant: ReturnType<typeof AuthorizationCode.grant>
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.gen(function*() {
    const auth = yield* Effect.acquireRelease(
      Effect.promise(() => McpAuthClient.make({ resource, grant })),
      (made) => Effect.promise(made.dispose)
    )
    const client = new Client({ name: "tool", version: "1.0.0" })
    yield* Effect.acquireRelease(
      Effect.promise(() => client.connect(new StreamableHTTPClientTransport(new URL(resource), { fetch: auth.fetch }))),
      () => Effect.promise(() => client.close())
    )
    return client
  })

const text = async (client: Client, name: string) => {
  const { content } = await client.callTool({ name, arguments: {} })
  return (content as ReadonlyArray<{ readonly text: string }>)[0]!.text
}

describe("a program with a browser", () => {
  it.live("signs in, calls a tool, steps up, expires, refreshes, and uses the token after a restart", () =>
    Effect.gen(function*() {
      const { resource, tokens } = yield* start({ accessTokenLifetime: 2 })
      const file = join(yield* folder, "tokens.json")
      const port = yield* freePort
      const someone = person()
      const grant = AuthorizationCode.grant({
        client: { name: "Test" },
        redirect: NodeBrowser.loopback({ ports: [port], open: someone.open }),
        store: FileStore.make({ file })
      })
      const client = yield* connect(resource, grant)
      assert.include(yield* Effect.promise(() => text(client, "list_notes")), "alice")
      assert.lengthOf(someone.urls, 1)
      assert.include(yield* Effect.promise(() => text(client, "add_note")), "alice")
      assert.lengthOf(someone.urls, 2)
      assert.strictEqual(new URL(someone.urls[1]!).searchParams.get("scope"), "notes:read notes:write offline_access")
      const before = new Set(tokens)
      yield* Effect.sleep("2.1 seconds")
      assert.include(yield* Effect.promise(() => text(client, "add_note")), "alice")
      assert.isFalse(before.has(tokens.at(-1)!))
      const restarted = yield* connect(
        resource,
        AuthorizationCode.grant({
          client: { name: "Test" },
          redirect: NodeBrowser.loopback({ ports: [port], open: () => assert.fail("a browser was opened") }),
          store: FileStore.make({ file })
        })
      )
      assert.include(yield* Effect.promise(() => text(restarted, "list_notes")), "alice")
      for (const page of someone.pages) {
        assert.strictEqual(page.status, 200)
        assert.strictEqual(page.headers.get("cache-control"), "no-store")
      }
    }))

  it.live("33: refreshes once for 8 processes with one rotating refresh token in a file", () =>
    Effect.gen(function*() {
      const { resource, tokens } = yield* start()
      const file = join(yield* folder, "tokens.json")
      const port = yield* freePort
      const someone = person()
      yield* connect(
        resource,
        AuthorizationCode.grant({
          client: { name: "Test" },
          redirect: NodeBrowser.loopback({ ports: [port], open: someone.open }),
          store: FileStore.make({ file })
        })
      )
      assert.lengthOf(someone.urls, 1)
      const used = tokens.at(-1)!
      const store = yield* FileStore.make({ file })
      const key = yield* keyOf("token", "local", resource)
      const { value, version } = (yield* store.get(key))!
      const expired = JSON.stringify({ ...JSON.parse(value), renewAt: 1, expiresAt: 1 })
      yield* store.put(key, expired, { lifetime: "1 hour", expected: version })
      tokens.length = 0
      const call = Effect.callback<string, Error>((resume) => {
        const program = join(import.meta.dirname, "SignedInCall.ts")
        const options = ["--no-warnings", "--conditions=effect-mcp-auth/source", program]
        execFile(
          process.execPath,
          [...options, file, resource, `http://127.0.0.1:${port}/callback`],
          (error, stdout, stderr) =>
            resume(error === null ? Effect.succeed(stdout.trim()) : Effect.fail(new Error(stderr)))
        )
      })
      const statuses = yield* Effect.all(Array.from({ length: 8 }, () => call), { concurrency: "unbounded" })
      assert.deepStrictEqual(new Set(statuses), new Set(["200"]))
      assert.strictEqual(new Set(tokens).size, 1)
      assert.notInclude(tokens, used)
    }), 120_000)
})

/** Sends a request to the listener. */
const request = (port: number, path: string, headers: Record<string, string> = {}, host = "127.0.0.1") =>
  Effect.callback<IncomingMessage, Error>((resume) => {
    get({ host, port, path, headers }, (response) => {
      response.resume()
      resume(Effect.succeed(response))
    }).on("error", (error) => resume(Effect.fail(error)))
  })

describe("the file of the tokens", () => {
  it.live("56: is an error of the setup if other users can read it or if it is a link, and stays as it is", () =>
    Effect.gen(function*() {
      const made = yield* folder
      const open = join(made, "open")
      writeFileSync(open, "tokens", { mode: 0o644 })
      chmodSync(open, 0o644)
      symlinkSync(open, join(made, "link"))
      for (const file of [open, join(made, "link")]) {
        const grant = AuthorizationCode.grant({
          client: { name: "Test" },
          redirect: { redirectUris: ["http://127.0.0.1:13316/callback"], listen: Effect.never },
          store: FileStore.make({ file })
        })
        const failure = yield* Effect.flip(Effect.tryPromise({
          try: () => McpAuthClient.make({ resource: "https://todos.test/mcp", grant }),
          catch: (error) => error as Error
        }))
        assert.include(failure.message, "grant.store")
        assert.include(failure.message, file)
      }
      assert.strictEqual(readFileSync(open, "utf8"), "tokens")
    }))
})

describe("the listener on a loopback port", () => {
  it.live("21: listens on the next port if the first one is taken, on 127.0.0.1 only", () =>
    Effect.gen(function*() {
      const taken = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const created = createServer()
          created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
        }),
        (created) => Effect.sync(() => created.close())
      )
      const first = (taken.address() as AddressInfo).port
      const second = yield* freePort
      const { listen, redirectUris } = NodeBrowser.loopback({ ports: [first, second], open: () => {} })
      assert.deepStrictEqual(redirectUris, [
        `http://127.0.0.1:${first}/callback`,
        `http://127.0.0.1:${second}/callback`
      ])
      const { redirectUri } = yield* listen
      assert.strictEqual(redirectUri, redirectUris[1])
      const busy = yield* Effect.flip(Effect.scoped(NodeBrowser.loopback({ ports: [first], open: () => {} }).listen))
      assert.include(busy.message, `${first}`)
      yield* Effect.flip(request(second, "/callback", {}, "127.0.0.2"))
    }))

  it.live("24, 26: passes callbacks of this host on, answers with a page that is not stored, and closes with the sign-in", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const callbacks: Array<string> = []
      const signIn = yield* Effect.forkChild(
        Effect.scoped(Effect.gen(function*() {
          const { open } = yield* NodeBrowser.loopback({ ports: [port], open: () => {} }).listen
          return yield* open("https://auth.test/authorize", (url) => {
            callbacks.push(url)
            return url.includes("code") ? Effect.succeed("done") : Effect.fail({ _tag: "CallbackRejected" })
          })
        })),
        { startImmediately: true }
      )
      yield* Effect.retry(request(port, "/other"), { times: 50 })
      assert.strictEqual((yield* request(port, "/callback?code=c", { host: `evil.test:${port}` })).statusCode, 404)
      assert.strictEqual((yield* request(port, "/callback?foreign=1")).statusCode, 400)
      const { headers, statusCode } = yield* request(port, "/callback?code=c")
      assert.strictEqual(statusCode, 200)
      assert.include(headers, { "cache-control": "no-store", "referrer-policy": "no-referrer" })
      assert.strictEqual(yield* Fiber.join(signIn), "done")
      assert.deepStrictEqual(callbacks, ["/callback?foreign=1", "/callback?code=c"])
      yield* Effect.flip(request(port, "/callback?code=c"))
    }))

  it.effect("24: closes after ten minutes if the person does not return", () =>
    Effect.gen(function*() {
      const { resource } = yield* start()
      const port = yield* freePort
      let isOpened = false
      const grant = AuthorizationCode.grant({
        client: { name: "Test" },
        redirect: NodeBrowser.loopback({ ports: [port], open: () => void (isOpened = true) }),
        store: MemoryStore.make()
      })
      const { keeper } = yield* Effect.provide(makeSession({ resource, grant }), Fetcher.layer)
      const need = { challengeUrl: undefined, scopes: ["notes:read"], isRequired: false, rejected: undefined }
      const waiting = yield* Effect.forkChild(Effect.flip(keeper.obtain(need)), { startImmediately: true })
      const nextTurn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      yield* Effect.repeat(nextTurn, { until: () => isOpened })
      assert.strictEqual((yield* request(port, "/other")).statusCode, 404)
      yield* TestClock.adjust("11 minutes")
      const error = yield* Fiber.join(waiting)
      assert.strictEqual(error._tag, "Unavailable")
      assert.include(error.message, "ten minutes")
      yield* Effect.flip(request(port, "/other"))
    }))
})

describe.skipIf(process.platform !== "linux")("the browser of the operating system", () => {
  const withProgram = <A, E, R>(script: string, use: (file: string) => Effect.Effect<A, E, R>) =>
    Effect.gen(function*() {
      const made = yield* folder
      const file = join(made, "arguments")
      writeFileSync(join(made, "xdg-open"), `#!/bin/sh\n${script.replaceAll("FILE", file)}\n`)
      chmodSync(join(made, "xdg-open"), 0o755)
      const { PATH } = process.env
      return yield* Effect.acquireUseRelease(
        Effect.sync(() => void (process.env["PATH"] = `${made}:${PATH}`)),
        () => use(file),
        () => Effect.sync(() => void (process.env["PATH"] = PATH))
      )
    })

  it.live("17: receives the URL as one argument, without a shell", () =>
    withProgram(`printf '%s\\n' "$#" "$1" > FILE`, (file) =>
      Effect.gen(function*() {
        const port = yield* freePort
        const { open } = yield* NodeBrowser.loopback({ ports: [port] }).listen
        const url = `https://auth.test/authorize?a=$(touch ${file}.evil)&calc;\`id\``
        yield* Effect.timeoutOption(open(url, () => Effect.void), "1 second")
        assert.strictEqual(readFileSync(file, "utf8"), `1\n${new URL(url).href}\n`)
      })))

  it.live("names the other ways if the browser cannot be opened", () =>
    withProgram("exit 3", () =>
      Effect.gen(function*() {
        const port = yield* freePort
        const { open } = yield* NodeBrowser.loopback({ ports: [port] }).listen
        const error = yield* Effect.flip(open("https://auth.test/authorize", () => Effect.void))
        assert.include(error.message, "paste")
        const other = yield* Effect.flip(open("javascript:alert(1)", () => Effect.void))
        assert.include(other.message, "cannot be opened")
      })))
})
