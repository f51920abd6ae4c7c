import express from "express"

const app = express()
app.get("/mcp", (_, response) => void response.send("in"))
const server = app.listen(0, "127.0.0.1", () => process.send(server.address().port))
