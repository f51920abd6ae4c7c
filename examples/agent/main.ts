/** Runs the agent with the servers that it uses. */
await import("../shared/todos.ts")
await import("./server.ts")
