import { Context, Effect, Layer, Schema } from "effect"
import type { Principal } from "effect-mcp-auth"

/** The owner of data. It contains issuer and subject, because a subject is unique only within its issuer. */
export type Owner = Principal["owner"]

export const Todo = Schema.Struct({
  id: Schema.Int,
  title: Schema.String,
  /** The name of the owner, for display. Access depends on `Owner`, not on this name. */
  by: Schema.String
})
export type Todo = typeof Todo.Type

export class TodoNotFound extends Schema.TaggedError<TodoNotFound>()("TodoNotFound", { id: Schema.Int }) {
  override get message() {
    return `You have no todo ${this.id}`
  }
}

export class TodoStore extends Context.Service<TodoStore, {
  readonly create: (owner: Owner, todo: Omit<Todo, "id">) => Effect.Effect<Todo>
  readonly all: Effect.Effect<ReadonlyArray<Todo>>
  readonly ownedBy: (owner: Owner) => Effect.Effect<ReadonlyArray<Todo>>
  /** Fails with `TodoNotFound` if the todo does not exist or belongs to another owner. */
  readonly remove: (owner: Owner, id: number) => Effect.Effect<Todo, TodoNotFound>
}>()("todo-manager/TodoStore") {}

/** Stores todos in memory. */
export const layer: Layer.Layer<TodoStore> = Layer.sync(TodoStore, () => {
  const stored = new Map<number, { readonly owner: Owner; readonly todo: Todo }>()
  let last = 0
  return {
    create: (owner, { by, title }) =>
      Effect.sync(() => {
        const todo = { id: ++last, title, by }
        stored.set(todo.id, { owner, todo })
        return todo
      }),
    all: Effect.sync(() => [...stored.values()].map(({ todo }) => todo)),
    ownedBy: (owner) =>
      Effect.sync(() => [...stored.values()].filter((_) => _.owner === owner).map(({ todo }) => todo)),
    remove: (owner, id) =>
      Effect.suspend(() => {
        const found = stored.get(id)
        if (found === undefined || found.owner !== owner) return Effect.fail(new TodoNotFound({ id }))
        stored.delete(id)
        return Effect.succeed(found.todo)
      })
  }
})
