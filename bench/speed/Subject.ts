/** The resource, tokens and responses that all contenders share. */
export const resource = "https://todos.example.com/mcp"
export const scopes = ["todos:read", "todos:write"]
/** Longer than any run. */
export const tokenLifetime = "1 day"
/** Body of every response to an admitted request. */
export const answer = "in"
