/** An authorization server to try things with: real keys and tokens, and clients whose secrets stand here. */
import { TestIssuer } from "effect-mcp-auth/testing"
import { createServer } from "node:http"

const port = Number(process.env["ISSUER_PORT"] ?? 4000)
const url = `http://127.0.0.1:${port}`

const issuer = await TestIssuer.start({
  issuer: url,
  clients: { carol: { secret: "carols-secret" }, "orders-tool": { secret: "orders-tools-secret" } }
})

createServer(async (req, res) => {
  let body = ""
  for await (const chunk of req) body += chunk
  const { method = "GET" } = req
  const response = await issuer.respond(
    new Request(url + req.url, {
      method,
      headers: req.headers as Record<string, string>,
      ...(method === "POST" ? { body } : {})
    })
  )
  res.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text())
}).listen(port, "127.0.0.1", () => console.log(`issuer ${url}`))
