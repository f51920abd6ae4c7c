/** What all contenders serve and accept. */
export const resource = "https://todos.example.com/mcp"
export const scopes = ["todos:read", "todos:write"]
/** Longer than any run. */
export const tokenLifetime = "1 day"
/** The body of every answer that lets a request in. */
export const answer = "in"
