/** Shares the sessions of callers, sign-outs and the todos between all instances of the todo manager, through Redis. */
import { NodeRedis } from "@effect/platform-node"
import { Config, Context, Effect, Layer, Schema, type Scope } from "effect"
import { Revocations } from "effect-mcp-auth/revocation"
import { SessionStore } from "effect-mcp-auth/sessions"
import { Persistence, Redis } from "effect/persistence"
import * as TodoStore from "../TodoStore.ts"

export interface Shared {
  /** The options of the gate. */
  readonly gate: { readonly sessionStore: SessionStore.Mechanism; readonly revocation: Revocations.Mechanism }
  readonly todos: Layer.Layer<TodoStore.TodoStore>
  /** Signs a caller out: its tokens are revoked, and its sessions end on every instance. */
  readonly signOut: (
    caller: { readonly issuer: string; readonly subject: string | undefined }
  ) => Effect.Effect<void>
}

/** Connects with the Redis at `REDIS_URL`, by default the local one. The connection ends with the scope. */
export const connect: Effect.Effect<Shared, Config.ConfigError, Scope.Scope> = Effect.gen(function*() {
  const url = yield* Config.String("REDIS_URL").pipe(Config.withDefault("redis://127.0.0.1:6379"))
  const services = yield* Effect.orDie(
    Layer.build(Persistence.layerBackingRedis.pipe(Layer.provideMerge(NodeRedis.layer({ url }))))
  )
  const redis = Context.get(services, Redis.Redis)
  const stores = Context.get(services, Persistence.BackingPersistence)
  const revocations = Revocations.make(yield* stores.make("todo-manager:revocations"))
  return {
    gate: {
      sessionStore: SessionStore.make(SessionStore.redis(redis)),
      revocation: Revocations.from(revocations)
    },
    todos: Layer.succeed(TodoStore.TodoStore, todosIn(redis)),
    signOut: ({ issuer, subject = "" }) => Effect.orDie(revocations.revoke({ issuer, subject }))
  }
})

const Stored = Schema.fromJsonString(Schema.Struct({ owner: Schema.String, todo: TodoStore.Todo }))
const encode = Schema.encodeSync(Stored)
const decode = Schema.decodeSync(Stored)

/** Stores todos in a hash of Redis, by their ids. */
const todosIn = (redis: Redis.Redis["Service"]): TodoStore.TodoStore["Service"] => {
  const key = "todo-manager:todos"
  const stored = Effect.map(
    Effect.orDie(redis.send<ReadonlyArray<string>>("HVALS", key)),
    (_) => _.map((_) => decode(_))
  )
  return {
    create: (owner, { by, title }) =>
      Effect.orDie(Effect.gen(function*() {
        const todo = { id: yield* redis.send<number>("INCR", `${key}:last`), title, by }
        yield* redis.send("HSET", key, String(todo.id), encode({ owner, todo }))
        return todo
      })),
    all: Effect.map(stored, (_) => _.map(({ todo }) => todo)),
    ownedBy: (owner) => Effect.map(stored, (_) => _.filter((_) => _.owner === owner).map(({ todo }) => todo)),
    remove: (owner, id) =>
      Effect.gen(function*() {
        const text = yield* Effect.orDie(redis.send<string | null>("HGET", key, String(id)))
        const found = text === null ? undefined : decode(text)
        if (found?.owner !== owner) return yield* new TodoStore.TodoNotFound({ id })
        // Another instance may have removed it in the meantime.
        const removed = yield* Effect.orDie(redis.send<number>("HDEL", key, String(id)))
        return removed === 1 ? found.todo : yield* new TodoStore.TodoNotFound({ id })
      })
  }
}
