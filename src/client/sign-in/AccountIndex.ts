import * as Effect from "effect/Effect"
import type { Store } from "../../store/records/RecordStore.ts"
import { Unavailable } from "../ClientError.ts"
import * as records from "./SignInRecords.ts"
import type { Connection } from "./StoredToken.ts"

/* Stores the MCP servers that an account is connected to, so that all its tokens can be removed. */

/** The MCP servers of accounts. */
export interface AccountIndex {
  readonly resources: (account: string) => Effect.Effect<ReadonlyArray<string>, Unavailable>
  readonly add: (connection: Connection) => Effect.Effect<void, Unavailable>
  readonly remove: (connection: Connection) => Effect.Effect<void, Unavailable>
}

/** The number of MCP servers of one account. The value of a record has a limit. */
const maximumResources = 500

/** Creates the index in a store. */
export const make = (store: Store): AccountIndex => {
  const kept = records.make(store)

  const change = Effect.fnUntraced(function*(
    account: string,
    next: (resources: ReadonlyArray<string>) => ReadonlyArray<string>
  ) {
    const key = yield* records.keyOf("account", account)
    // Other processes can write at the same time. Each attempt reads what it replaces.
    for (let attempt = 0; attempt < 16; attempt++) {
      const found = yield* kept.get(key)
      const known = (found && records.texts(found, "resources")) ?? []
      const changed = next(known)
      if (changed === known) return
      if (changed.length > maximumResources) {
        return yield* new Unavailable({
          detail: `An account can be connected to at most ${maximumResources} MCP servers`,
          retryAfter: 60
        })
      }
      const isWritten = changed.length === 0
        ? found === undefined || (yield* kept.remove(key, found.version))
        : yield* kept.put(key, { resources: changed }, records.longestLifetime, found?.version)
      if (isWritten) return
    }
    return yield* new Unavailable({ detail: "Other processes change the connections of the account", retryAfter: 1 })
  })

  return {
    resources: (account) =>
      Effect.flatMap(
        records.keyOf("account", account),
        (key) => Effect.map(kept.get(key), (found) => (found && records.texts(found, "resources")) ?? [])
      ),
    add: ({ account, resource }) => change(account, (known) => known.includes(resource) ? known : [...known, resource]),
    remove: ({ account, resource }) =>
      change(account, (known) => known.includes(resource) ? known.filter((each) => each !== resource) : known)
  }
}
