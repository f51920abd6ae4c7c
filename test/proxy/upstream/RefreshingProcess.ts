/** A process that checks one grant at its upstream again and again, several times at once. */
import { Effect } from "effect"
import { RecordStore } from "effect-mcp-auth/store"
import { Fetcher } from "effect-mcp-auth/verification"
import { stores } from "../../store/records/ProcessStores.ts"
import { proxyAt, refreshingApp } from "./world.ts"

const [kind = "", place = "", origin = "", upstreamKey = "", rounds = "0"] = process.argv.slice(2)

const main = Effect.gen(function*() {
  const store = yield* RecordStore.RecordStore
  const leg = yield* proxyAt(refreshingApp(origin), Fetcher.make(fetch), store)
  const outcomes: Array<string> = []
  for (let round = 0; round < Number(rounds); round++) {
    const verdicts = yield* Effect.all(Array.from({ length: 6 }, () => leg.check(upstreamKey)), {
      concurrency: "unbounded"
    })
    outcomes.push(...verdicts.map(({ outcome }) => outcome))
  }
  return outcomes
})

console.log(JSON.stringify(await Effect.runPromise(Effect.scoped(Effect.provide(main, await stores[kind]!(place))))))
