/** The tools, their scopes and their handlers. */
import { Effect, Schema } from "effect"
import { Principal, requireScopes } from "effect-mcp-auth"
import { Tool, Toolkit } from "effect/ai"
import { Todo, TodoNotFound, TodoStore } from "./TodoStore.ts"

const CreateTodo = requireScopes("create:todos")(Tool.make("create_todo", {
  description: "Creates a todo that belongs to you",
  parameters: Schema.Struct({ title: Schema.String }),
  success: Todo
}))

// Requires a principal but no scope. The handler decides by the scopes of the caller which todos it returns.
const ListTodos = Tool.make("list_todos", {
  description: "Lists your todos; with the scope read:todos, all todos",
  success: Schema.Struct({ todos: Schema.Array(Todo) }),
  dependencies: [Principal]
})

const DeleteTodo = requireScopes("delete:todos")(Tool.make("delete_todo", {
  description: "Deletes a todo of yours",
  parameters: Schema.Struct({ id: Schema.Int }),
  success: Todo,
  failure: TodoNotFound
}))

export const Todos = Toolkit.make(CreateTodo, ListTodos, DeleteTodo)

export const layer = Todos.toLayer(Effect.gen(function*() {
  const store = yield* TodoStore
  return {
    create_todo: ({ title }) =>
      Effect.flatMap(Principal, (caller) => store.create(caller.owner, { title, by: caller.subject ?? "a program" })),
    list_todos: () =>
      Effect.gen(function*() {
        const caller = yield* Principal
        const todos = yield* caller.scopes.has("read:todos") ? store.all : store.ownedBy(caller.owner)
        return { todos }
      }),
    delete_todo: ({ id }) => Effect.flatMap(Principal, (caller) => store.remove(caller.owner, id))
  }
}))
