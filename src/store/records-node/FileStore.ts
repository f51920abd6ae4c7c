/**
 * Stores records in a file, for a command-line tool of one person.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { open, readFile, rename, unlink } from "node:fs/promises"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import { withLimits } from "../records/RecordLimits.ts"
import { RecordStore, type RecordStoreUnavailable, type Store, type Stored } from "../records/RecordStore.ts"
import { makeVersion } from "../records/RecordVersion.ts"
import { withFileLock } from "./internal/fileLock.ts"
import { checkFileOptions } from "./internal/fileOption.ts"
import { checkPrivateFile, codeOf, fileError, makePrivateFile } from "./internal/privateFile.ts"

/**
 * The options of a store in a file.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The path of the file. It is created for its owner only, together with its folder. */
  readonly file: string
}

interface Entry extends Stored {
  /** The time at which the record expires, in milliseconds since 1970. */
  readonly until: number
}

type Entries = ReadonlyMap<string, Entry>

/** The first member of the file, which tells the format apart from later ones. */
const format = "effect-mcp-auth records 1"

/** The largest file that is read, in bytes. */
const largestFile = 16 * 1024 * 1024

/**
 * Creates a store in one file, which is read and replaced as a whole by each operation. Use it for hundreds of records, and
 * `SqliteStore` for more.
 *
 * **Details**
 *
 * Several processes of one machine can use the file at the same time: a second file with the suffix `.lock` belongs to the one
 * that writes, and the file is replaced by a complete new one. The file belongs to its owner only (mode 0600): the store fails
 * (`unsafe`) if other users could read or replace it, or if it is a link. A file that is torn or has another format counts as
 * empty, and the next write replaces it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Effect.Effect<Store, AuthConfigError | RecordStoreUnavailable> =>
  Effect.gen(function*() {
    yield* Effect.fromResult(ConfigOption.attempt(() => checkFileOptions(options)))
    yield* makePrivateFile(options.file)
    return makeStore(options.file)
  })

/**
 * Provides a store in a file, as `make` creates it.
 *
 * **Example** (A file in the home folder)
 *
 * ```ts
 * import { FileStore } from "effect-mcp-auth/store-node"
 * import { homedir } from "node:os"
 * import { join } from "node:path"
 *
 * const Records = FileStore.layer({ file: join(homedir(), ".my-tool", "records.json") })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<RecordStore, AuthConfigError | RecordStoreUnavailable> =>
  Layer.effect(RecordStore, make(options))

const makeStore = (file: string): Store => {
  const locked = withFileLock(file)

  /** Replaces the records of the file, unless `next` returns `undefined`. */
  const change = <A>(
    next: (entries: Entries, now: number) => readonly [result: A, entries: Entries] | readonly [result: A]
  ): Effect.Effect<A, RecordStoreUnavailable> =>
    // A write that has begun ends, so that an interrupted caller leaves no half of it.
    Effect.uninterruptible(locked(
      Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        const [result, entries] = next(yield* read(file, now), now)
        if (entries !== undefined) yield* write(file, entries)
        return result
      })
    ))

  return withLimits({
    get: (key) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.map(read(file, now), (entries) => {
          const entry = entries.get(key)
          return entry && { value: entry.value, version: entry.version }
        })),
    put: (key, value, lifetime, expected) =>
      change((entries, now) => {
        if ((entries.get(key)?.version ?? "absent") !== expected) return [undefined]
        const version = makeVersion()
        return [version, new Map(entries).set(key, { value, version, until: now + lifetime })]
      }),
    remove: (key, expected) =>
      change<boolean>((entries) => {
        const entry = entries.get(key)
        if (entry === undefined || (expected !== undefined && entry.version !== expected)) return [false]
        const rest = new Map(entries)
        rest.delete(key)
        return [true, rest]
      })
  })
}

/** Reads the records that have not expired. */
const read = (file: string, now: number): Effect.Effect<Entries, RecordStoreUnavailable> =>
  Effect.gen(function*() {
    yield* checkPrivateFile(file)
    const text = yield* Effect.tryPromise({
      try: async () => {
        const bytes = await readFile(file).catch((error) => {
          if (codeOf(error) === "ENOENT") return new Uint8Array(0)
          throw error
        })
        return bytes.byteLength > largestFile ? "" : new TextDecoder().decode(bytes)
      },
      catch: fileError(file)
    })
    return new Map([...parse(text)].filter(([, { until }]) => until > now))
  })

const parse = (text: string): Entries => {
  try {
    const parsed: unknown = JSON.parse(text)
    if (!Array.isArray(parsed) || parsed[0] !== format || !Array.isArray(parsed[1])) return new Map()
    return new Map((parsed[1] as ReadonlyArray<unknown>).filter(isEntry))
  } catch {
    return new Map()
  }
}

const isEntry = (value: unknown): value is [key: string, entry: Entry] => {
  if (!Array.isArray(value) || typeof value[0] !== "string") return false
  const entry = value[1] as Partial<Entry> | null | undefined
  return typeof entry?.value === "string" && typeof entry.version === "string" && typeof entry.until === "number"
}

/** Replaces the file by a complete new one. */
const write = (file: string, entries: Entries): Effect.Effect<void, RecordStoreUnavailable> =>
  Effect.tryPromise({
    try: async () => {
      const temporary = `${file}.${process.pid}.${crypto.randomUUID()}`
      try {
        const created = await open(temporary, "wx", 0o600)
        try {
          await created.writeFile(JSON.stringify([format, [...entries]]))
          await created.sync()
        } finally {
          await created.close()
        }
        await rename(temporary, file)
      } catch (error) {
        await unlink(temporary).catch(() => undefined)
        throw error
      }
    },
    catch: fileError(file)
  })
