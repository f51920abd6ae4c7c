/** Decides which modules of `dist` share a file in `dist/node`. */
import { resolve } from "node:path"
import type { ChunkingContext } from "rolldown"

/** The entry points of servers outside Effect. */
const adapters = [
  "dist/servers/node/index.js",
  "dist/servers/fetch/index.js",
  "dist/servers/sdk-v1/index.js",
  "dist/servers/sdk-v2/index.js",
  "dist/servers/host/entry/index.js"
]

/** The files, in this order, and the other entry point that needs all modules of the file. */
const files = [
  { name: "protocol", entry: "dist/protocol/index.js" },
  { name: "client", entry: "dist/client/index.js" },
  { name: "verification", entry: "dist/verification/index.js" },
  { name: "gate", entry: "dist/index.js" }
]

/** Returns the modules that an entry point loads when it starts, without those that are imported on demand. */
const loadedBy = (entry: string, context: ChunkingContext): ReadonlySet<string> => {
  const found = new Set([resolve(entry)])
  for (const id of found) for (const imported of context.getModuleInfo(id)?.importedIds ?? []) found.add(imported)
  return found
}

/**
 * Creates a function that returns the name of the file for a module that every adapter loads: the first of `files` whose entry point
 * loads it as well, else `host`. It returns `null` for any other module. The bundler then joins the module with those that the same
 * entry points load.
 *
 * Without these files, the bundler would write one for each set of entry points, and a server would load more than 50.
 *
 * A module imports only modules that the same entry points load. So a file imports only the files before it, and files never import
 * each other in a circle.
 */
export const makeGroups = (): (id: string, context: ChunkingContext) => string | null => {
  let find: ((id: string) => string | null) | undefined
  return (id, context) => {
    find ??= finder(context)
    return find(id)
  }
}

const finder = (context: ChunkingContext) => {
  const everywhere = adapters.map((entry) => loadedBy(entry, context))
    .reduce((left, right) => new Set([...left].filter((id) => right.has(id))))
  const groups = files.map(({ entry, name }) => ({ name, modules: loadedBy(entry, context) }))
  return (id: string) => everywhere.has(id) ? groups.find(({ modules }) => modules.has(id))?.name ?? "host" : null
}
