/** The resource, scopes, token lifetime and response that all contenders use. */
export const resource = "https://todos.example.com/mcp"
export const scopes = ["todos:read", "todos:write"]
/** The lifetime of tokens, which is longer than any run. */
export const tokenLifetime = "1 day"
/** Body of every response to an admitted request. */
export const answer = "in"
