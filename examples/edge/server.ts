import { start } from "./Workerd.ts"

const port = Number(process.env["PORT"] ?? 3000)
const url = `http://127.0.0.1:${port}/mcp`

const worker = await start({
  port,
  bindings: {
    RESOURCE_URL: process.env["RESOURCE_URL"] ?? url,
    ISSUER: process.env["AUTHORIZATION_SERVERS"] ?? "http://127.0.0.1:4000"
  }
})
console.log(`listening on ${url}`)
process.once("SIGINT", () => void worker.dispose())
