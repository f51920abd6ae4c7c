/** Stands in for GitHub until you have an app there. Anyone who reaches it can sign in as anyone. */
import { TestUpstream } from "effect-mcp-auth/testing"
import { createServer } from "node:http"

const port = Number(process.env["ISSUER_PORT"] ?? 4000)
const origin = `http://127.0.0.1:${port}`

const upstream = await TestUpstream.start({ form: "github", origin, login: "page" })

createServer(upstream.listener).listen(port, "127.0.0.1", () => {
  console.log(`upstream ${origin}, client ${upstream.clientId}, secret ${upstream.clientSecret}`)
})
