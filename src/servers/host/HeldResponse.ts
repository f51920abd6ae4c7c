import * as Result from "effect/Result"
import type { Rejection } from "../../authorization/Rejection.ts"
import type { Recorded } from "./Host.ts"

/* Holds back a response on Node until its session is recorded in a shared store, because `writeHead` cannot wait. */

type Method = (...args: ReadonlyArray<unknown>) => unknown

const names = ["writeHead", "flushHeaders", "write", "end"] as const

type Methods = { [Name in (typeof names)[number]]: Method }

/** The members of a response of `node:http` that this file uses. */
type Writable = Methods & {
  statusCode: number
  statusMessage?: string | undefined
  readonly headersSent: boolean
  readonly writableEnded: boolean
  readonly destroyed: boolean
  readonly getHeader: (name: string) => unknown
  readonly getHeaderNames: () => ReadonlyArray<string>
  readonly removeHeader: (name: string) => void
  readonly emit: (event: string) => void
  readonly destroy: (error: unknown) => void
}

/** Makes `flushHeaders`, `write` and `end` call `writeHead`, so that the headers of a new session can be held back there. */
export const sendHeadersFirst = (res: object): void => {
  const writable = res as Writable
  for (const name of ["flushHeaders", "write", "end"] as const) {
    const method: Method = writable[name]
    const withHeaders: Method = (...args) => {
      if (writable[name] === withHeaders) writable[name] = method
      const isOpening = !writable.headersSent && writable.getHeader("mcp-session-id") !== undefined
      if (isOpening) writable.writeHead(writable.statusCode)
      // If the headers are held back, `writable[name]` is now the function that holds back this call as well.
      return writable[name].apply(writable, args as never)
    }
    writable[name] = withHeaders
  }
}

/**
 * Holds back the headers and everything that the handler writes. When the session is recorded, sends all of it in the same order.
 * If the session cannot be recorded, sends the rejection instead, and ignores what the handler writes.
 */
export const holdBack = (
  res: object,
  recorded: Promise<Recorded>,
  sendHeaders: () => void,
  sendRejection: (rejection: Rejection) => void
): void => {
  const writable = res as Writable
  const calls: Array<() => unknown> = []
  const before: Methods = {
    writeHead: writable.writeHead,
    flushHeaders: writable.flushHeaders,
    write: writable.write,
    end: writable.end
  }
  const held: Methods = {
    writeHead: () => res,
    flushHeaders: () => undefined,
    write: (...args) => {
      calls.push(() => before.write.apply(res, args as never))
      // The handler waits for `drain`.
      return false
    },
    end: (...args) => {
      calls.push(() => before.end.apply(res, args as never))
      return res
    }
  }
  Object.assign(writable, held)

  recorded.then((result) => {
    // If the stream has to end in the meantime, the functions were replaced, and the new ones stay.
    for (const name of names) if (writable[name] === held[name]) writable[name] = before[name]
    if (writable.destroyed) return
    if (Result.isFailure(result)) {
      for (const name of writable.getHeaderNames()) writable.removeHeader(name)
      writable.statusMessage = undefined
      sendRejection(result.failure)
      Object.assign(writable, {
        writeHead: () => res,
        flushHeaders: () => undefined,
        write: () => false,
        end: () => res
      })
      return
    }
    sendHeaders()
    for (const call of calls) call()
    if (calls.length > 0 && !writable.writableEnded) writable.emit("drain")
  }).catch((error: unknown) => writable.destroy(error))
}
