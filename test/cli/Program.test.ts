import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect } from "effect"
import { TestIssuer } from "effect-mcp-auth/testing"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { issuer, run } from "./run.ts"

describe("check", () => {
  it.effect("exits with 0 if the issuer passes", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* run(["check", issuer])
      assert.strictEqual(code, 0, stdout)
      assert.match(stdout, /✓ MUST {3}PKCE with S256 is advertised/)
      assert.match(stdout, /✓ Pass/)
      assert.notInclude(stdout, "\u001b[")
    }))

  it.effect("exits with 1 if the issuer fails, and names the change", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* run(["check", issuer], {
        prepare: (_) => _.publishMetadata({ code_challenge_methods_supported: undefined })
      })
      assert.strictEqual(code, 1)
      assert.match(stdout, /✗ MUST {3}PKCE with S256 is advertised — fail/)
      assert.match(stdout, /→ Add "code_challenge_methods_supported"/)
      const earlier = yield* run(["check", issuer, "--spec", "2025-06-18"], {
        prepare: (_) => _.publishMetadata({ code_challenge_methods_supported: undefined })
      })
      assert.strictEqual(earlier.code, 0)
    }))

  it.effect("exits with 2 and one line if the issuer cannot be reached", () =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run(["check", issuer], { prepare: (_) => _.goDown() })
      assert.strictEqual(code, 2)
      assert.strictEqual(stdout, "")
      assert.strictEqual(stderr, `effect-mcp-auth: inconclusive: ${issuer} cannot be reached`)
    }))

  it.live.each(["check", "doctor"])(
    "exits with 2 and one line if %s does not finish within its timeout",
    (command) =>
      Effect.gen(function*() {
        const before = Date.now()
        const { code, stderr, stdout } = yield* run([command, issuer, "--timeout", "0.5"], { prepare: (_) => _.hang() })
        // This limit is well below the default timeout of 20 seconds, and long enough for a slow machine.
        assert.isBelow(Date.now() - before, 15_000)
        assert.strictEqual(code, 2)
        assert.strictEqual(stdout, "")
        assert.strictEqual(
          stderr,
          `effect-mcp-auth: inconclusive: ${issuer} did not finish within 0.5 seconds. Set --timeout for more time`
        )
      })
  )

  it.effect.each([
    "check",
    "doctor",
    "doctor mcp",
    "check nonsense",
    `check ${issuer} --spec 2024-01-01`,
    `check ${issuer} --format xml`,
    `check ${issuer} --timeout 0`,
    `check ${issuer} --token abc`,
    "check --document /nowhere.json",
    `check ${issuer} --resource https://server.test/mcp`,
    `check ${issuer} --audience api://todos`,
    `check ${issuer} --client client-1`,
    `check ${issuer} --at 4102444800`,
    `chekc ${issuer}`,
    "page --port 65536",
    "page --local --host 0.0.0.0",
    "proxy",
    "proxy secrets",
    "proxy secret 32",
    "proxy secret --length 8",
    `check ${issuer} --spec`,
    `${issuer} ${issuer}`,
    `${issuer} --token abc`,
    "auth.example.com",
    "localhost:3000",
    "ftp://auth.example.com",
    "https://user:password-1@server.test/mcp",
    "doctor https://user:password-1@server.test/mcp",
    "check https://user:password-1@server.test",
    "check https://user:password-1@server.test/.well-known/openid-configuration",
    "https://",
    ""
  ])("exits with 64 for the command line %j, and writes to standard error only", (line) =>
    Effect.gen(function*() {
      const { code, stderr, stdout } = yield* run(line.split(" ").filter((_) => _ !== ""))
      assert.strictEqual(code, 64)
      assert.match(stderr, /^effect-mcp-auth: /)
      assert.notInclude(stderr, "password-1")
      assert.strictEqual(stdout, "")
    }))

  it.effect.each([
    [
      "chekc",
      /^effect-mcp-auth: chekc is neither a command nor a URL\. The closest command is check\. The commands are check, doctor/
    ],
    ["xyzzy", /^effect-mcp-auth: xyzzy is neither a command nor a URL\. The commands are check, doctor/],
    [
      "check --revison 2025-11-25",
      /^effect-mcp-auth: Unrecognized flag: --revison in command effect-mcp-auth check\. The closest one is\s--revision$/m
    ],
    [
      "--formt json",
      /^effect-mcp-auth: Unrecognized flag: --formt in command effect-mcp-auth\. The closest one is\s--format$/m
    ],
    [
      "doctor --forein-token a",
      /^effect-mcp-auth: Unrecognized flag: --forein-token in[^]*closest\sone\sis\s--foreign-token$/m
    ],
    [
      "decode a --xyzzy",
      /Unrecognized flag: --xyzzy in command effect-mcp-auth decode\. The flags are --at,\s--help, /
    ],
    [
      "check --bogus",
      /--bogus[^]*--format[^]*\nUsage: effect-mcp-auth check .*\nRun effect-mcp-auth check --help for help\.$/
    ],
    [`check ${issuer} --timeout 0`, /--timeout: "0"\. Expected: a number of seconds greater than 0/],
    ["decode abc --at yesterday", /--at: "yesterday"\. Expected: a time with its zone, such as/]
  ])("explains the error of the command line %j", ([line, expected]) =>
    Effect.gen(function*() {
      assert.match((yield* run((line as string).split(" "))).stderr, expected as RegExp)
    }))

  it.effect.each(["check", "doctor", ""])(
    "prints a report in every machine format if %j ends with 2",
    (command) =>
      Effect.gen(function*() {
        const args = [...(command === "" ? [] : [command]), issuer]
        const down = { prepare: (_: TestIssuer.TestIssuer["Service"]) => _.goDown() }
        const json = yield* run([...args, "--format", "json"], down)
        assert.strictEqual(json.code, 2)
        const report = JSON.parse(json.stdout)
        assert.strictEqual(report.outcome, "inconclusive")
        assert.strictEqual(report.subject, issuer)
        assert.strictEqual(report.findings[0].why, "cannot be reached")
        assert.match(json.stderr, /^effect-mcp-auth: inconclusive: .* cannot be reached$/)
        const junit = yield* run([...args, "-f", "junit"], down)
        assert.strictEqual(junit.code, 2)
        assert.match(junit.stdout, /errors="1" skipped="0"[^]*<error message="inconclusive: cannot be reached">/)
        const markdown = yield* run([...args, "-f", "markdown"], down)
        assert.strictEqual(markdown.code, 2)
        assert.match(markdown.stdout, /^## .*[^]*cannot be reached/)
      })
  )

  it.effect("prints colors if the terminal supports them", () =>
    Effect.gen(function*() {
      const { stdout } = yield* run(["check", issuer], { color: true })
      assert.include(stdout, "\u001b[32m✓ MUST")
    }))

  it.effect("prints the same findings in every format", () =>
    Effect.gen(function*() {
      const json = JSON.parse((yield* run(["check", issuer, "--format", "json"])).stdout)
      assert.strictEqual(json.outcome, "pass")
      assert.strictEqual(json.subject, issuer)
      const markdown = (yield* run(["check", issuer, "-f", "markdown"])).stdout
      assert.strictEqual(markdown.split("\n").filter((_) => /^\| [✓✗!·?–]/.test(_)).length, json.findings.length)
      const junit = (yield* run(["check", issuer, "--format=junit"])).stdout
      assert.strictEqual(junit.match(/<testcase /g)!.length, json.findings.length)
    }))

  it.effect("checks saved documents without the network", () =>
    Effect.acquireUseRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "effect-mcp-auth-cli-"))),
      (folder) =>
        Effect.gen(function*() {
          const file = join(folder, "metadata.json")
          writeFileSync(file, JSON.stringify({ issuer: `${issuer}/`, jwks_uri: `${issuer}/jwks` }))
          const { code, stdout } = yield* run(["check", issuer, "--document", file], { prepare: (_) => _.goDown() })
          assert.strictEqual(code, 1)
          assert.match(stdout.replace(/\s+/g, " "), /it has an additional final slash/)
          writeFileSync(file, "<html>")
          const page = yield* run(["check", "--document", file])
          assert.strictEqual(page.code, 64)
          assert.match(page.stderr, /is a web page/)
        }),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    ))

  it.effect("checks a token with the keys of the server, and does not print its signature", () =>
    Effect.gen(function*() {
      const service = yield* TestIssuer.TestIssuer
      const { publicJwk } = yield* service.currentKey
      const check = (token: string, ...args: ReadonlyArray<string>) =>
        run(["check", issuer, "--resource", "https://server.test/mcp", ...args], {
          stdin: `${token}\n`,
          prepare: (_) => _.publishKeys([publicJwk])
        })
      const token = yield* service.mint({ audience: "api://todos", scopes: ["todos:read"] })
      for (const way of [["--token", token], ["--token", "-"]]) {
        const { code, stderr, stdout } = yield* check(token, ...way)
        assert.strictEqual(code, 1)
        assert.match(stdout, /✗ MUST {3}The token is issued for this resource/)
        assert.include(stdout, `Signature: verified with the keys of ${issuer}`)
        assert.notInclude(stdout, "AuthLayer.make")
        assert.notInclude(stdout + stderr, token.split(".")[2]!)
      }
      const named = yield* check(token, "--token", "-", "--audience", "api://todos")
      assert.strictEqual(named.code, 0)
      assert.include(named.stdout, `audience: Audience.oneOf(["api://todos"])`)
      const later = yield* check(token, "--token", "-", "--audience", "api://todos", "--at", "2100-01-01T00:00:00Z")
      assert.strictEqual(later.code, 1)
      assert.include(later.stdout, "rejected: expired")
    }).pipe(Effect.provide(TestIssuer.layer({ issuer }))))

  it.effect("rejects options that would have no effect, and names the option that is missing", () =>
    Effect.gen(function*() {
      const both = yield* run([
        "check",
        "--document",
        "a.json",
        "--token",
        "abc",
        "--resource",
        "https://server.test/mcp"
      ])
      assert.match(both.stderr, /--document and --token cannot be combined/)
      const without = yield* run(["check", issuer, "--client", "client-1", "--at", "4102444800"])
      assert.match(without.stderr, /missing option: --token\. Without it, --client and --at would have no effect/)
    }))

  it.effect("checks a token without an issuer and without a network", () =>
    Effect.gen(function*() {
      const token = yield* (yield* TestIssuer.TestIssuer).mint({ scopes: ["todos:read"] })
      const { code, stdout } = yield* run(["check", "--token", "-", "--resource", "https://server.test/mcp"], {
        stdin: token,
        prepare: (_) => _.goDown()
      })
      assert.strictEqual(code, 0)
      assert.include(stdout, "The signature was not verified")
    }).pipe(Effect.provide(TestIssuer.layer({ issuer }))))
})

describe("a proxy in the environment", () => {
  const check = (env: Record<string, string>, url: string = issuer) =>
    Effect.map(
      Effect.provideService(
        run(["check", url], { issuer: url, prepare: (_) => _.hang() }),
        ConfigProvider.ConfigProvider,
        ConfigProvider.fromEnvRecord(env)
      ),
      ({ stderr }) => stderr
    )

  it.live("is named if the server does not respond and Node does not use the proxy", () =>
    Effect.gen(function*() {
      const hint = "HTTPS_PROXY is set. If this machine needs that proxy, also set NODE_USE_ENV_PROXY=1"
      const [unused, used, none, loopback] = yield* Effect.all([
        check({ HTTPS_PROXY: "http://proxy.test:3128" }),
        check({ HTTPS_PROXY: "http://proxy.test:3128", NODE_USE_ENV_PROXY: "1" }),
        check({}),
        check({ HTTPS_PROXY: "http://proxy.test:3128" }, "http://localhost:3000")
      ], { concurrency: "unbounded" })
      assert.include(unused, `${issuer} does not respond within 5 seconds. ${hint}`)
      for (const other of [used, none, loopback]) {
        assert.include(other, "does not respond within 5 seconds")
        assert.notInclude(other, "PROXY")
      }
    }), 15_000)
})

describe("the command with a URL", () => {
  it.effect("runs check for an authorization server", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* run([issuer, "--format", "json"])
      assert.strictEqual(code, 0, stdout)
      assert.strictEqual(JSON.parse(stdout).kind, "authorization-server")
    }))

  it.effect.each([
    ["a challenge", () => new Response("", { status: 401, headers: { "www-authenticate": "Bearer" } })],
    ["401", () => new Response("", { status: 401 })],
    ["a message of MCP", () => Response.json({ jsonrpc: "2.0", id: 1, result: { tools: [] } })],
    [
      "an error of MCP",
      () => Response.json({ jsonrpc: "2.0", error: { code: -32000, message: "no" } }, { status: 400 })
    ]
  ])("runs doctor for a server that responds with %s", ([, respond]) =>
    Effect.gen(function*() {
      const { stdout } = yield* run([`${issuer}/mcp`, "--format", "json"], {
        prepare: (_) => _.respondWith("/mcp", respond as () => Response)
      })
      assert.strictEqual(JSON.parse(stdout).kind, "mcp-server")
    }))

  it.effect.each([
    [
      "a web page",
      () => new Response("<html>", { headers: { "content-type": "text/html" } }),
      /returns 200 for a request of MCP/
    ],
    ["404", () => new Response("", { status: 404 }), /returns 404 for a request of MCP/],
    [
      "a redirect",
      () => new Response(null, { status: 307, headers: { location: "https://elsewhere.test/mcp/" } }),
      /redirects to https:\/\/elsewhere\.test\/mcp\//
    ]
  ])(
    "exits with 1 for a server that responds with %s, because it is of neither kind",
    ([, respond, why]) =>
      Effect.gen(function*() {
        const prepare = (_: TestIssuer.TestIssuer["Service"]) => _.respondWith("", respond as () => Response)
        const { code, stdout } = yield* run([issuer, "--format", "json"], { prepare })
        assert.strictEqual(code, 1)
        const report = JSON.parse(stdout)
        assert.deepInclude(report, { kind: "server", outcome: "fail" })
        assert.match(report.findings[0].why, why as RegExp)
        const table = yield* run([issuer], { prepare })
        assert.match(table.stdout, /✗ MUST {3}The URL is that of an authorization server or an MCP server — fail/)
      })
  )

  it.effect("runs doctor for a server that redirects to its endpoint within its origin", () =>
    Effect.gen(function*() {
      const { stdout } = yield* run([`${issuer}/mcp`, "--format", "json"], {
        prepare: (_) =>
          Effect.andThen(
            _.respondWith("/mcp", () => new Response(null, { status: 308, headers: { location: "/mcp/" } })),
            _.respondWith("/mcp/", () => new Response("", { status: 401 }))
          )
      })
      assert.strictEqual(JSON.parse(stdout).kind, "mcp-server")
    }))

  it.effect("ends after redirects that do not end", () =>
    Effect.gen(function*() {
      let count = 0
      const { code, stdout } = yield* run([`${issuer}/loop`, "--format", "json"], {
        prepare: (_) =>
          _.respondWith("/loop", () => new Response(null, { status: 308, headers: { location: `/loop/${count++}` } }))
      })
      assert.strictEqual(code, 1)
      assert.strictEqual(JSON.parse(stdout).kind, "server")
      assert.isBelow(count, 200)
    }))

  it.effect("runs check for the issuer of a known provider that publishes no metadata", () =>
    Effect.gen(function*() {
      const github = "https://github.com/login/oauth"
      const { code, stdout } = yield* run([github, "--format", "json"], {
        issuer: github,
        prepare: (_) => _.respondWith("", () => new Response("", { status: 404 }))
      })
      assert.strictEqual(code, 1)
      assert.deepInclude(JSON.parse(stdout), { kind: "authorization-server", provider: "GitHub" })
    }))
})

describe("doctor", () => {
  const url = `${issuer}/mcp`

  /** Starts a server that requires a token, and accepts every token of the issuer. */
  const prepare = (_: TestIssuer.TestIssuer["Service"]) =>
    Effect.andThen(
      _.respondWith("/.well-known/oauth-protected-resource", () =>
        Response.json({ resource: url, authorization_servers: [issuer] })),
      _.respondWith("/mcp", ({ headers }) =>
        headers["authorization"]?.endsWith("accepted") === true
          ? Response.json({ jsonrpc: "2.0", id: 1, result: { tools: [] } })
          : new Response("", { status: 401, headers: { "www-authenticate": "Bearer scope=\"a\"" } }))
    )

  it.effect("fails if the server accepts the token of --foreign-token, which can be read from standard input", () =>
    Effect.gen(function*() {
      for (const [flag, stdin] of [["accepted", ""], ["-", "accepted\n"]] as const) {
        const { code, stdout } = yield* run(["doctor", url, "--foreign-token", flag], { prepare, stdin })
        assert.strictEqual(code, 1, stdout)
        assert.match(stdout, /✗ MUST {3}A token for another server is rejected/)
      }
    }))

  it.effect("exits with 2 without a token for another server, and says what to do", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* run(["doctor", url], { prepare })
      assert.strictEqual(code, 2, stdout)
      assert.match(stdout.replace(/\s+/g, " "), /Run doctor with a valid token for another server/)
    }))

  it.effect("exits with 64 if both tokens are read from standard input", () =>
    Effect.gen(function*() {
      const { code, stderr } = yield* run(["doctor", url, "--token", "-", "--foreign-token", "-"], { stdin: "a" })
      assert.strictEqual(code, 64)
      assert.include(stderr, "standard input contains one token")
    }))
})

describe("decode", () => {
  it.effect("reads the token from standard input, and states that it is not verified", () =>
    Effect.gen(function*() {
      const token = yield* (yield* TestIssuer.TestIssuer).mint({ subject: "alice" })
      const { code, stdout } = yield* run(["decode"], { stdin: `Bearer ${token}\n` })
      assert.strictEqual(code, 0)
      assert.match(stdout, /^Not verified/)
      assert.match(stdout, /sub +"alice"/)
    }).pipe(Effect.provide(TestIssuer.layer({ issuer }))))

  it.effect("describes the token at a given time, in the width of the terminal", () =>
    Effect.gen(function*() {
      const token = yield* (yield* TestIssuer.TestIssuer).mint({ expiresIn: "5 minutes" })
      const { stdout } = yield* run(["decode", "--at", "4102444800"], { stdin: token })
      assert.match(stdout, /exp .* ago\)/)
      assert.match(stdout, /rejects it: expired\.$/)
      for (const at of ["tomorrow", "2026-11-23T12:00:00", "-1"]) {
        assert.strictEqual((yield* run(["decode", "--at", at], { stdin: token })).code, 64)
      }
    }).pipe(Effect.provide(TestIssuer.layer({ issuer }))))

  it.effect("exits with 64 without a token", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* run(["decode"])).code, 64)
    }))
})

describe("help", () => {
  it.effect.each([
    "--help",
    "check --help",
    "decode --help",
    "page --help",
    "proxy --help",
    "proxy secret --help",
    "--completions bash"
  ])(
    "is printed for %s",
    (line) =>
      Effect.gen(function*() {
        const { code, stdout } = yield* run(line.split(" "))
        assert.strictEqual(code, 0)
        assert.include(stdout, "effect-mcp-auth")
      })
  )

  it.effect.each(["", "check", "doctor", "decode", "page", "proxy", "proxy secret"])(
    "fits 60 columns for the command %j",
    (command) =>
      Effect.gen(function*() {
        const { stdout } = yield* run([...command.split(" ").filter((_) => _ !== ""), "--help"], { columns: 60 })
        assert.isAtMost(Math.max(...stdout.split("\n").map((line) => line.length)), 60)
      })
  )
})
