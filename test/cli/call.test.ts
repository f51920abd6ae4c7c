/** The command `call` signs in at real authorization servers, and calls tools of the todo managers. */
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stdio, Terminal } from "effect"
import { TerminalCapabilities } from "effect/cli"
import { TestConsole } from "effect/testing"
import { spawn } from "node:child_process"
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as AuthorizationServer from "../../examples/authorization-server/AuthorizationServer.ts"
import { UserAgent } from "../../examples/authorization-server/UserAgent.ts"
import { Endpoint } from "../../examples/shared/Serving.ts"
import { scopes } from "../../examples/todo-manager/Scopes.ts"
import { servers } from "../../examples/todo-manager/test/servers.ts"
import * as Network from "../../src/cli/Network.ts"
import * as Program from "../../src/cli/Program.ts"
import { freePort } from "../program.ts"
import type { Exit } from "./run.ts"

const root = join(import.meta.dirname, "../..")

/** Runs the command in this process, over the real network. */
const run = (...args: ReadonlyArray<string>): Effect.Effect<Exit> =>
  Effect.gen(function*() {
    const code = yield* Program.run(args, "0.0.0")
    const text = (lines: ReadonlyArray<unknown>) => lines.map(String).join("\n")
    return { code, stdout: text(yield* TestConsole.logLines), stderr: text(yield* TestConsole.errorLines) }
  }).pipe(
    Effect.provide(Layer.mergeAll(
      Network.layer(),
      NodeServices.layer,
      Layer.effect(
        Terminal.Terminal,
        Effect.map(Terminal.Terminal, (terminal) => Terminal.make({ ...terminal, columns: Effect.succeed(0) }))
      ).pipe(Layer.provide(NodeServices.layer)),
      Layer.fresh(TestConsole.layer),
      Stdio.layerTest({ stdinIsTerminal: Effect.succeed(false), stderrIsTerminal: Effect.succeed(false) }),
      Layer.succeed(TerminalCapabilities.TerminalCapabilities, { canColor: false, canAnimate: false, canPrompt: false })
    ))
  )

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "call-"))),
  (made) => Effect.sync(() => rmSync(made, { recursive: true, force: true }))
)

/** Makes `xdg-open` a browser in which alice signs in. Returns the number of the URLs that it has opened. */
const browser = Effect.gen(function*() {
  const made = yield* folder
  const log = join(made, "opened")
  const node = `${process.execPath} --no-warnings --conditions=effect-mcp-auth/source`
  writeFileSync(log, "")
  writeFileSync(
    join(made, "xdg-open"),
    `#!/bin/sh\necho "$1" >> ${log}\nexec ${node} ${join(import.meta.dirname, "person.ts")} "$1" alice\n`
  )
  chmodSync(join(made, "xdg-open"), 0o755)
  const { PATH } = process.env
  yield* Effect.acquireRelease(
    Effect.sync(() => void (process.env["PATH"] = `${made}:${PATH}`)),
    () => Effect.sync(() => void (process.env["PATH"] = PATH))
  )
  return { opened: () => readFileSync(log, "utf8").split("\n").filter((line) => line !== "") }
})

/** Starts a todo manager and an authorization server, and returns the arguments of every call. */
const start = (layer: typeof servers[number]["layer"], options: AuthorizationServer.Options = {}) =>
  Effect.gen(function*() {
    const issuer = AuthorizationServer.layer({ scopes, refreshTokens: "always", ...options })
    const context = yield* Effect.orDie(Layer.build(Layer.provide(layer, issuer)))
    const { resource } = yield* Effect.provideContext(Endpoint, context)
    const file = join(yield* folder, "tokens.json")
    const port = String(yield* freePort)
    const call = (...args: ReadonlyArray<string>) =>
      run("call", resource, ...args, "--token-store", file, "--port", port)
    return { call, file, port, resource }
  })

const onLinux = describe.skipIf(process.platform !== "linux")

onLinux("call", () => {
  it.live.each(servers)(
    "signs in with a browser, lists tools, calls one and steps up, and needs no browser after a restart ($name)",
    ({ layer }) =>
      Effect.gen(function*() {
        const { opened } = yield* browser
        const { call, file } = yield* start(layer)
        const listed = yield* call()
        assert.strictEqual(listed.code, 0, listed.stderr)
        assert.include(listed.stdout, "create_todo(title)\n  Creates a todo that belongs to you")
        assert.match(
          listed.stderr,
          /^Opening the browser to sign in at 127\.0\.0\.1:\d+ for the scopes create:todos read:todos/
        )
        assert.lengthOf(opened(), 1)
        const created = yield* call("create_todo", `{"title":"Water plants"}`)
        assert.strictEqual(created.code, 0, created.stderr)
        assert.include(created.stdout, "Water plants")
        assert.strictEqual(created.stderr, "")
        const deleted = yield* call("delete_todo", `{"id":1}`, "--format", "json")
        assert.strictEqual(deleted.code, 0, deleted.stderr)
        assert.include(JSON.stringify(JSON.parse(deleted.stdout)), "Water plants")
        assert.match(deleted.stderr, /^The server asks for the scopes delete:todos.* \(step-up\)\nOpening the browser/)
        assert.lengthOf(opened(), 2)
        assert.include(new URL(opened()[1]!).searchParams.get("scope"), "delete:todos")
        const again = yield* call("list_todos")
        assert.strictEqual(again.code, 0, again.stderr)
        assert.lengthOf(opened(), 2)
        assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      }),
    60_000
  )

  it.live("37: refreshes an expired token without a browser", () =>
    Effect.gen(function*() {
      const { opened } = yield* browser
      const { call } = yield* start(servers[0]!.layer, { accessTokenLifetime: 1 })
      assert.strictEqual((yield* call()).code, 0)
      yield* Effect.sleep("1.1 seconds")
      const later = yield* call("list_todos")
      assert.strictEqual(later.code, 0, later.stderr)
      assert.lengthOf(opened(), 1)
    }), 60_000)

  it.live("exits with 1 if the tool fails, and if the server rejects the call", () =>
    Effect.gen(function*() {
      yield* browser
      const { call } = yield* start(servers[0]!.layer)
      const missing = yield* call("create_todo", "{}")
      assert.strictEqual(missing.code, 1, missing.stdout)
      const unknown = yield* call("no_such_tool")
      assert.strictEqual(unknown.code, 1, unknown.stdout)
    }), 60_000)
})

/** Starts the command as a separate process. `answer` receives standard error as it grows, and can write to standard input. */
const spawned = (
  args: ReadonlyArray<string>,
  answer: (shown: string, write: (line: string) => void) => Promise<void> | void,
  until: RegExp
) =>
  Effect.callback<Exit, Error>((resume) => {
    const child = spawn(process.execPath, [
      "--no-warnings",
      "--conditions=effect-mcp-auth/source",
      join(root, "src/cli/main.ts"),
      ...args
    ], { env: { ...process.env, PATH: "/nonexistent" } })
    let stdout = ""
    let stderr = ""
    let isAnswered = false
    child.stdout.on("data", (data) => void (stdout += data))
    child.stderr.on("data", (data) => {
      stderr += data
      if (isAnswered || !until.test(stderr)) return
      isAnswered = true
      Promise.resolve(answer(stderr, (line) => child.stdin.write(`${line}\n`)))
        .catch((error) => resume(Effect.fail(error)))
    })
    child.once("close", (code) => resume(Effect.succeed({ code: code ?? -1, stdout, stderr })))
    return Effect.sync(() => void child.kill())
  })

describe("call on a machine without a browser", () => {
  it.live(
    "signs in with a code on another device, if the authorization server offers it",
    () =>
      Effect.gen(function*() {
        const { file, port, resource } = yield* start(servers[0]!.layer, { deviceAuthorization: true })
        const exit = yield* spawned(
          ["call", resource, "--token-store", file, "--port", port],
          async (shown) => {
            const [, page, code] = /\n(http\S+\/device)\n[^]*the code (\S+)\./.exec(shown) ?? assert.fail(shown)
            const heading = await new UserAgent({ username: "alice" }).approveDevice(`${page}?user_code=${code}`)
            assert.strictEqual(heading, "You are signed in")
          },
          /the code \S+\./
        )
        assert.strictEqual(exit.code, 0, exit.stderr)
        assert.include(exit.stdout, "create_todo(title)")
        const { code, stderr } = yield* run("call", resource, "list_todos", "--token-store", file, "--port", port)
        assert.strictEqual(code, 0, stderr)
      }),
    120_000
  )

  it.live("signs in with a pasted URL otherwise", () =>
    Effect.gen(function*() {
      const { file, port, resource } = yield* start(servers[2]!.layer)
      const exit = yield* spawned(
        ["call", resource, "list_todos", "--token-store", file, "--port", port, "--sign-in", "paste"],
        async (shown, write) => {
          const url = /^http\S+\/auth\?\S+$/m.exec(shown)?.[0] ?? assert.fail(shown)
          write((await new UserAgent({ username: "alice" }).authorize(url)).href)
        },
        /Paste the URL of that page/
      )
      assert.strictEqual(exit.code, 0, exit.stderr)
      assert.include(exit.stdout, "todos")
    }), 120_000)
})

describe("the command line of call", () => {
  it.effect.each([
    "call",
    "call todos.example.com/mcp",
    "call http://todos.example.com/mcp",
    "call https://user:password-1@todos.example.com/mcp",
    "call https://todos.example.com/mcp add_todo {",
    "call https://todos.example.com/mcp add_todo [1]",
    "call https://todos.example.com/mcp --client-id abc",
    "call https://todos.example.com/mcp --issuer http://auth.example.com",
    "call https://todos.example.com/mcp --client-metadata https://tool.example.com",
    "call https://todos.example.com/mcp --port 70000",
    "call https://todos.example.com/mcp --sign-in magic",
    "call https://todos.example.com/mcp --timeout 0"
  ])("exits with 64 for %j, and names what is wrong", (line) =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run(...line.split(" "))
      assert.strictEqual(code, 64, stderr)
      assert.match(stderr, /^effect-mcp-auth: /)
      assert.notInclude(stderr, "password-1")
      assert.notInclude(stderr, "grant.")
      assert.strictEqual(stdout, "")
    }))

  it.live("exits with 2 if the server cannot be reached or does not answer in time", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const file = join(yield* folder, "tokens.json")
      const refused = yield* run("call", `http://127.0.0.1:${port}/mcp`, "--token-store", file)
      assert.strictEqual(refused.code, 2)
      assert.match(refused.stderr, /^effect-mcp-auth: inconclusive: http:\/\/127\.0\.0\.1:\d+\/mcp .*ECONNREFUSED/)
      const silent = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const created = createServer(() => {})
          created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
        }),
        (created) => Effect.sync(() => created.closeAllConnections())
      )
      const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/mcp`
      const late = yield* run("call", url, "--token-store", file, "--timeout", "0.2")
      assert.strictEqual(late.code, 2, late.stderr)
      assert.include(late.stderr, "inconclusive")
    }))

  it.live("writes text of the server without commands to the terminal", () =>
    Effect.gen(function*() {
      const evil = "\u001b[2Jevil\u202e"
      const server = yield* Effect.acquireRelease(
        Effect.callback<ReturnType<typeof createServer>>((resume) => {
          const created = createServer((request, response) => {
            let body = ""
            request.on("data", (data) => void (body += data))
            request.on("end", () => {
              const { id, method } = JSON.parse(body)
              const result = method === "tools/list"
                ? { tools: [{ name: evil, description: evil, inputSchema: { properties: { [evil]: {} } } }] }
                : { content: [{ type: "text", text: evil }, { type: evil, mimeType: evil, data: evil }] }
              response.setHeader("content-type", "application/json")
              response.end(JSON.stringify({ jsonrpc: "2.0", id, result }))
            })
          })
          created.listen(0, "127.0.0.1", () => resume(Effect.succeed(created)))
        }),
        (created) => Effect.sync(() => created.close())
      )
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
      const file = join(yield* folder, "tokens.json")
      for (const more of [[], ["tool"], ["--format", "json"], ["tool", "--format", "json"]]) {
        const { code, stdout } = yield* run("call", url, ...more, "--token-store", file)
        assert.strictEqual(code, 0)
        assert.include(stdout, "evil")
        assert.notMatch(stdout, /[\u001b\u202e]/)
      }
    }))
})
