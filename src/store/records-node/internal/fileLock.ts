import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { open, readFile, rename, stat, unlink } from "node:fs/promises"
import { hostname } from "node:os"
import { RecordStoreUnavailable } from "../../records/RecordStore.ts"
import { codeOf, fileError } from "./privateFile.ts"

/** How long an operation waits for the lock, and the age at which the lock of a process on another machine is broken. */
const patience = 5_000
const longestHold = 30_000

/**
 * Runs an effect while this process holds the lock of a file: a second file, which is created exclusively and contains the host
 * and the process id of its owner.
 */
export const withFileLock =
  (file: string) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | RecordStoreUnavailable, R> => {
    const lock = `${file}.lock`
    return Effect.acquireUseRelease(
      acquire(lock),
      () => effect,
      () => Effect.promise(() => unlink(lock).catch(() => undefined))
    )
  }

const acquire = (lock: string): Effect.Effect<void, RecordStoreUnavailable> =>
  Effect.gen(function*() {
    const deadline = (yield* Clock.currentTimeMillis) + patience
    while (true) {
      if (yield* tryLock(lock)) return
      yield* breakAbandoned(lock, yield* Clock.currentTimeMillis)
      if ((yield* Clock.currentTimeMillis) >= deadline) {
        return yield* new RecordStoreUnavailable({
          reason: "down",
          detail: `${lock} exists, so another process is writing. If there is none, delete it`,
          retryAfter: 1
        })
      }
      yield* Effect.interruptible(Effect.sleep(Duration.millis(2 + 18 * (yield* Random.next))))
    }
  })

const tryLock = (lock: string): Effect.Effect<boolean, RecordStoreUnavailable> =>
  Effect.tryPromise({
    try: async () => {
      try {
        const created = await open(lock, "wx", 0o600)
        await created.writeFile(`${hostname()} ${process.pid}`)
        await created.close()
        return true
      } catch (error) {
        if (codeOf(error) === "EEXIST") return false
        throw error
      }
    },
    catch: fileError(lock)
  })

/**
 * Removes the lock of a process that has ended without removing it. The lock is renamed first: of several processes that find
 * the same abandoned lock, only one can rename it, so none removes the new lock of another.
 */
const breakAbandoned = (lock: string, now: number): Effect.Effect<void> =>
  Effect.promise(async () => {
    try {
      const { ino, mtimeMs } = await stat(lock)
      const [host, pid] = (await readFile(lock, "utf8")).split(" ")
      const abandoned = host === hostname() && pid !== undefined
        ? !isRunning(Number(pid))
        : now - mtimeMs > longestHold
      if (!abandoned || (await stat(lock)).ino !== ino) return
      const moved = `${lock}.${process.pid}.${crypto.randomUUID()}`
      await rename(lock, moved)
      // If another process took the lock between the two calls, the new lock is put back.
      if ((await stat(moved)).ino !== ino) await rename(moved, lock)
      else await unlink(moved)
    } catch {
      // Its owner has removed the lock meanwhile.
    }
  })

const isRunning = (pid: number): boolean => {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === "EPERM"
  }
}
