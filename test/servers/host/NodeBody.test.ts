import { assert, describe, it } from "@effect/vitest"
import { ByteSize, Clock, Duration, Effect, Fiber } from "effect"
import type { HttpServerRequest } from "effect/http"
import { EventEmitter } from "node:events"
import { checkLimits } from "../../../src/servers/host/Body.ts"
import { BodyDeadlines } from "../../../src/servers/host/BodyDeadlines.ts"
import * as nodeBody from "../../../src/servers/host/NodeBody.ts"
import * as effectBody from "../../../src/servers/mcp/internal/effectBody.ts"

/** Starts the reader, and then `happens`, which emits the events of the source. Returns the result of the reader. */
const reading = <A, E>(read: Effect.Effect<A, E>, happens: () => void) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(Effect.result(read), { startImmediately: true })
    happens()
    return yield* Fiber.join(fiber)
  })

const deadlines = Effect.gen(function*() {
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  return new BodyDeadlines(yield* Clock.Clock, fork, Duration.seconds(30))
})

describe("the body of a request on Node", () => {
  it.effect("a body over the limit is given up at once, and takes no memory when it ends", () =>
    Effect.gen(function*() {
      const source = new EventEmitter()
      // More bytes than any machine can allocate, so the test fails if the reader keeps the chunk.
      const huge = { byteLength: 2 ** 50 }
      const result = yield* reading(nodeBody.read(source, 1024, yield* deadlines), () => {
        source.emit("data", new Uint8Array(1024))
        source.emit("data", huge)
        source.emit("data", huge)
        assert.doesNotThrow(() => source.emit("end"))
        source.emit("close")
      })
      assert.strictEqual(result._tag === "Failure" ? result.failure.reason : result._tag, "too-large")
    }))

  it.effect("reading again returns only the body, if it was a part of a larger buffer", () =>
    Effect.gen(function*() {
      const source = Object.assign(new EventEmitter(), { rawHeaders: [], readableFlowing: null })
      const request = {
        headers: {},
        source,
        arrayBufferEffect: undefined as Effect.Effect<ArrayBuffer> | undefined,
        textEffect: undefined as unknown,
        get text(): unknown {
          return this.textEffect
        }
      }
      const body = Buffer.from(`preceding bytes {"a":1} following bytes`).subarray(16, 23)
      const result = yield* reading(
        effectBody.read(request as unknown as HttpServerRequest.HttpServerRequest, ByteSize.kibibytes(1), {
          limits: checkLimits({}),
          deadlines: yield* deadlines
        }),
        () => {
          source.emit("data", body)
          source.emit("end")
        }
      )
      assert.strictEqual(result._tag === "Success" ? result.success : result._tag, `{"a":1}`)
      assert.strictEqual(new TextDecoder().decode(yield* request.arrayBufferEffect!), `{"a":1}`)
    }))
})
