/** A page that connects to the server, as the documentation of `use-mcp` shows. The test calls the hook through `todos`. */
import { createElement } from "react"
import { createRoot } from "react-dom/client"
import { onMcpAuthorization } from "use-mcp"
import { useMcp } from "use-mcp/react"

const Todos = ({ url }) => {
  const mcp = useMcp({ url, clientName: "page" })
  globalThis.todos = mcp
  return createElement("p", { role: "status" }, mcp.state)
}

if (location.pathname === "/oauth/callback") onMcpAuthorization()
else createRoot(document.body).render(createElement(Todos, { url: new URLSearchParams(location.search).get("url") }))
