import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { makeSources } from "../../src/client/ServerDiscovery.ts"
import * as Discovery from "../../src/outbound/Discovery.ts"
import * as Fetcher from "../../src/outbound/Fetcher.ts"

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const fetch: typeof globalThis.fetch = async (input) => {
  const { origin } = new URL(String(input))
  return Response.json({ issuer: origin, token_endpoint: `${origin}/token` })
}

describe("the metadata of authorization servers that MCP servers name", () => {
  it.live("leave the memory after more than 64 others, however many there are", () =>
    Effect.gen(function*() {
      const discovery = yield* Effect.provideService(Discovery.make, Fetcher.Fetcher, Fetcher.make(fetch))
      const { sourceFor } = makeSources()
      const metadata = Effect.fnUntraced(function*(number: number) {
        const source = sourceFor(`https://issuer-${number}.test`)
        yield* discovery.metadata(source, "token_endpoint")
        return new WeakRef(source)
      })
      const first = yield* metadata(0)
      for (let number = 1; number <= 70; number++) yield* metadata(number)
      yield* Effect.sleep("1 millis")
      collectGarbage()
      assert.isUndefined(first.deref())
      assert.isDefined((yield* metadata(70)).deref())
    }))
})
