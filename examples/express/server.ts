import { makeApp } from "./app.ts"

const port = Number(process.env["PORT"] ?? 3000)
const resource = process.env["RESOURCE_URL"] ?? `http://127.0.0.1:${port}/mcp`
const [issuer = "http://127.0.0.1:4000", ...others] = process.env["AUTHORIZATION_SERVERS"]?.split(",") ?? []

const { app } = await makeApp({ resource, authorizationServers: [issuer, ...others] })
app.listen(port, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${port}/mcp`))
