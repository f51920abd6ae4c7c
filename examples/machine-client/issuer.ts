/** An authorization server for experiments. It knows one client with a secret, and one with a public key. */
import { TestIssuer } from "effect-mcp-auth/testing"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"

const port = Number(process.env["ISSUER_PORT"] ?? 4000)
const url = `http://127.0.0.1:${port}`

const issuer = await TestIssuer.start({
  issuer: url,
  clients: {
    "nightly-report": { secret: "secret-of-the-report" },
    "nightly-report-with-key": { jwks: { keys: [JSON.parse(await readFile("public-key.json", "utf8"))] } }
  }
})

createServer(issuer.listener).listen(port, "127.0.0.1", () => console.log(`issuer ${url}`))
