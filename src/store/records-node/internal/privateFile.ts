import * as Effect from "effect/Effect"
import { chmod, lstat, mkdir, open } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { RecordStoreUnavailable } from "../../records/RecordStore.ts"

const unsafe = (detail: string) => new RecordStoreUnavailable({ reason: "unsafe", detail, retryAfter: 60 })

/** Returns the code of an error of the file system, such as `ENOENT`. */
export const codeOf = (error: unknown): string =>
  String((error as { readonly code?: unknown } | null)?.code ?? "unknown error")

/** The failure of an operation on a file. It names the path, which the author chose. */
export const fileError = (file: string) => (error: unknown): RecordStoreUnavailable => {
  const code = codeOf(error)
  const full = code === "ENOSPC" || code === "EDQUOT"
  return new RecordStoreUnavailable({ reason: full ? "full" : "down", detail: `${file}: ${code}`, retryAfter: 5 })
}

// Windows has no modes. There, the folder of a user is private by the access list that it inherits.
const hasModes = process.platform !== "win32"

/**
 * Checks that a file is a regular file of this user, which no other user can read or write. Does nothing if the file does not
 * exist. The check does not follow links, because another user could have created one in a shared folder.
 */
export const checkPrivateFile = (file: string): Effect.Effect<void, RecordStoreUnavailable> =>
  Effect.tryPromise({
    try: () => lstat(file),
    catch: (error) => error
  }).pipe(
    Effect.flatMap((stats) => {
      if (!stats.isFile()) return Effect.fail(unsafe(`${file} is not a regular file`))
      if (!hasModes) return Effect.void
      if (stats.uid !== process.getuid!()) return Effect.fail(unsafe(`${file} belongs to another user`))
      return (stats.mode & 0o077) === 0
        ? Effect.void
        : Effect.fail(unsafe(`other users can read or write ${file}. Run: chmod 600 ${file}`))
    }),
    Effect.catch((error) => {
      if (error instanceof RecordStoreUnavailable) return Effect.fail(error)
      return codeOf(error) === "ENOENT" ? Effect.void : Effect.fail(fileError(file)(error))
    })
  )

/**
 * Creates a file that only its owner can read and write, unless it exists, and checks it. Creates missing folders, which only
 * their owner can use, and rejects a folder in which other users can replace files.
 */
export const makePrivateFile = (file: string): Effect.Effect<void, RecordStoreUnavailable> => {
  const folder = dirname(resolve(file))
  return Effect.tryPromise({
    try: async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const stats = await lstat(folder)
      // With the sticky bit, as in /tmp, only the owner of a file can replace it.
      if (hasModes && (stats.mode & 0o022) !== 0 && (stats.mode & 0o1000) === 0) {
        throw unsafe(`other users can replace files in ${folder}. Run: chmod 700 ${folder}`)
      }
      try {
        const created = await open(file, "wx", 0o600)
        await created.close()
        // The mode of `open` is reduced by the mask of the process, and must not be more restrictive than this.
        await chmod(file, 0o600)
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error
      }
    },
    catch: (error) => error instanceof RecordStoreUnavailable ? error : fileError(file)(error)
  }).pipe(Effect.andThen(checkPrivateFile(file)))
}
