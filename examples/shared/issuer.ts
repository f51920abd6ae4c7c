/** An authorization server for experiments. Its keys and tokens are real. The secrets of its clients are in this file. */
import { TestIssuer } from "effect-mcp-auth/testing"
import { createServer } from "node:http"

const port = Number(process.env["ISSUER_PORT"] ?? 4000)
const url = `http://127.0.0.1:${port}`

const issuer = await TestIssuer.start({
  issuer: url,
  clients: { carol: { secret: "carols-secret" }, "orders-tool": { secret: "orders-tools-secret" } }
})

createServer(issuer.listener).listen(port, "127.0.0.1", () => console.log(`issuer ${url}`))
