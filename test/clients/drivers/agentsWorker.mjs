/** An agent on Cloudflare that connects to the server, as the documentation of the package `agents` shows. */
import { Agent, routeAgentRequest } from "agents"

export class Todos extends Agent {
  async onRequest(request) {
    const { args, name, url } = await request.json()
    if (url !== undefined) {
      return Response.json(await this.addMcpServer("todos", url, { callbackHost: new URL(request.url).origin }))
    }
    // After the callback, the agent connects in the background.
    await this.mcp.waitForConnections()
    const [serverId] = Object.keys(this.getMcpServers().servers)
    try {
      return Response.json(await this.mcp.callTool({ serverId, name, arguments: args }))
    } catch (error) {
      return Response.json({ error: String(error), state: this.getMcpServers().servers[serverId].state })
    }
  }
}

export default {
  fetch: async (request, env) => await routeAgentRequest(request, env) ?? new Response(null, { status: 404 })
}
