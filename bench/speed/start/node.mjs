import { createServer } from "node:http"

const server = createServer((_, response) => void response.end("in"))
server.listen(0, "127.0.0.1", () => process.send(server.address().port))
