/** Runs every command of docs/operations.md against the program of the page, on loopback. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { TestIssuer } from "effect-mcp-auth/testing"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { createServer as createTlsServer } from "node:https"
import { type AddressInfo, createServer as createSocketServer, type Server } from "node:net"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const page = readFileSync(join(root, "docs/operations.md"), "utf8")
const [, program] = /^```ts file=server\.ts\n([\s\S]*?)^```/m.exec(page)!
const commandsOf = (info: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`sh${info}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(([, code]) => code!)
const servers = commandsOf(" terminal=1")
const commands = commandsOf("")

// Inside the package, so that the program imports it by its name.
const folder = mkdtempSync(join(root, ".documents-"))
writeFileSync(join(folder, "server.ts"), program!)
const children = new Set<ChildProcess>()
afterAll(() => {
  for (const child of children) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
})

const listen = async (server: Server): Promise<number> => {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return (server.address() as AddressInfo).port
}

const freePort = async (): Promise<number> => {
  const server = createSocketServer()
  const port = await listen(server)
  await new Promise((closed) => server.close(closed))
  return port
}

const resource = "https://whoami.example.com/whoami"

/** Starts a command of the page that starts the server. `places` replaces parts of the command. */
const start = async (command: string, places: Readonly<Record<string, string>>) => {
  const port = await freePort()
  let text = command.replaceAll("3000", String(port)).replace(
    "node server.ts",
    `exec '${process.execPath}' --conditions=effect-mcp-auth/source server.ts`
  )
  for (const [from, to] of Object.entries(places)) {
    assert.include(text, from)
    text = text.replaceAll(from, to)
  }
  const child = spawn("sh", ["-c", text], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] })
  children.add(child)
  let output = ""
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => output += chunk)
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => output += chunk)
  const ended = once(child, "close")
  for (;;) {
    assert.isNull(child.exitCode, output)
    if (await fetch(`http://localhost:${port}/health`).then((_) => _.ok, () => false)) break
    await new Promise((later) => setTimeout(later, 50))
  }
  const stop = async () => {
    child.kill("SIGTERM")
    await ended
  }
  /** Waits for a line of the log that includes a text. */
  const line = async (text: string): Promise<string> => {
    for (;;) {
      const found = output.split("\n").slice(0, -1).find((_) => _.includes(text))
      if (found !== undefined) return found
      await once(child.stdout, "data")
    }
  }
  return { port, child, ended, line, stop }
}

/** Starts an issuer whose URL has the port of its server. */
const startIssuer = async (make: (listener: Parameters<typeof createServer>[1]) => Server, scheme: string) => {
  let listener: Parameters<typeof createServer>[1] = () => {}
  const server = make((request, response) => listener!(request, response))
  const url = `${scheme}://localhost:${await listen(server)}`
  const issuer = await TestIssuer.start({ issuer: url, resource })
  listener = issuer.listener as never
  return { issuer, url, close: () => void server.close() }
}

describe("the page Operations", () => {
  it("has commands that work", async () => {
    const { close, issuer, url } = await startIssuer((_) => createServer(_!), "http")
    const server = await start(servers[0]!, { "https://auth.example.com": url })
    const run = async (command: string) => {
      // Not `spawnSync`: it would block the issuer, which runs in this process.
      const child = spawn("sh", ["-c", command.replaceAll("3000", String(server.port))], {
        env: { ...process.env, SERVER: String(server.child.pid) },
        stdio: ["ignore", "pipe", "inherit"]
      })
      let output = ""
      child.stdout.setEncoding("utf8").on("data", (chunk: string) => output += chunk)
      const [code] = await once(child, "close")
      assert.strictEqual(code, 0, command)
      return output
    }
    const token = await issuer.mint({ audience: "https://other.example.com" })
    await fetch(`http://localhost:${server.port}/whoami`, { headers: { authorization: `Bearer ${token}` } })
    const [proxied, probes, stop, metrics, ...others] = commands
    assert.deepStrictEqual(others, [])
    assert.deepStrictEqual((await run(proxied!)).split("\n").map((_) => _.trim()), [
      `{"resource":"${resource}","authorization_servers":["${url}"],"scopes_supported":["profile"],"bearer_methods_supported":["header"]}` +
      "www-authenticate: Bearer scope=\"profile\", " +
      "resource_metadata=\"https://whoami.example.com/.well-known/oauth-protected-resource/whoami\"",
      ""
    ])
    assert.strictEqual(await run(probes!), "okready")
    assert.include(
      await run(metrics!),
      "mcp_auth_decisions_total{outcome=\"rejected\",reason=\"audience\"} 1"
    )
    const line = await server.line("rejected with 401: audience")
    const shown = JSON.parse(/^```json\n([\s\S]*?)^```/m.exec(page)![1]!)
    const logged = JSON.parse(line)
    assert.sameMembers(Object.keys(logged.annotations), Object.keys(shown.annotations))
    const { advice, duration: _, ...annotations } = shown.annotations
    assert.deepInclude(logged.annotations, annotations)
    assert.isTrue(logged.annotations.advice.startsWith(advice.slice(0, -1)))
    assert.deepInclude(logged, { message: shown.message, level: shown.level })
    await run(stop!)
    await server.ended
    close()
  })

  it("connects to an authorization server whose certificate is from a private authority", async () => {
    const [key, certificate] = [join(folder, "key.pem"), join(folder, "certificate.pem")]
    const made = spawnSync("openssl", [
      ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost".split(" "),
      "-addext",
      "subjectAltName=DNS:localhost",
      "-keyout",
      key,
      "-out",
      certificate
    ])
    assert.strictEqual(made.status, 0, String(made.stderr))
    const { close, url } = await startIssuer(
      (_) => createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, _ as never),
      "https"
    )
    const trusting = await start(servers[1]!, {
      "https://auth.example.com": url,
      "/etc/ssl/private-authority.pem": certificate
    })
    assert.strictEqual(await fetch(`http://localhost:${trusting.port}/ready`).then((_) => _.text()), "ready")
    await trusting.stop()
    const other = await start(servers[0]!, { "https://auth.example.com": url })
    // The response contains nothing about the failure. The log names it.
    const unready = await fetch(`http://localhost:${other.port}/ready`)
    assert.deepStrictEqual([unready.status, await unready.text()], [503, "not ready"])
    await other.line(
      `Not ready: The authorization server ${url} cannot be reached (network, DEPTH_ZERO_SELF_SIGNED_CERT)`
    )
    await other.stop()
    close()
  })

  it("sends requests through the proxy of the environment", async () => {
    const lines: Array<string> = []
    const proxy = createSocketServer((socket) => {
      socket.on("error", () => {})
      socket.once("data", (data) => {
        lines.push(String(data).split("\r\n")[0]!)
        socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n")
      })
    })
    const port = await listen(proxy)
    const server = await start(servers[2]!, { "http://proxy.example.com:3128": `http://127.0.0.1:${port}` })
    assert.strictEqual(await fetch(`http://localhost:${server.port}/ready`).then((_) => _.status), 503)
    assert.include(lines, "CONNECT auth.example.com:443 HTTP/1.1")
    await server.stop()
    proxy.close()
  })
})
