/**
 * A client with little overhead. It writes prepared bytes to raw sockets, one request at a time on each connection. A client on
 * `node:http` would use so much CPU time that it would limit the traffic.
 */
import { connect } from "node:net"

export interface Connections {
  /** Status of the response, or the reason why there is none. */
  readonly send: (request: Uint8Array) => Promise<string>
  readonly close: () => void
}

interface Job {
  readonly request: Uint8Array
  readonly resolve: (status: string) => void
}

/** Timeout of the client, in milliseconds. */
const patience = 15_000

/** Returns the length of the response at the start of the text, or `undefined` if it is incomplete. */
const lengthOf = (text: string): number | undefined => {
  const head = text.indexOf("\r\n\r\n")
  if (head < 0) return undefined
  const body = head + 4
  const headers = text.slice(0, head)
  const announced = /\r\ncontent-length: *(\d+)/i.exec(headers)
  if (announced !== null) return text.length < body + Number(announced[1]) ? undefined : body + Number(announced[1])
  if (!/\r\ntransfer-encoding: *chunked/i.test(headers)) return body
  const end = text.indexOf("0\r\n\r\n", body)
  return end < 0 ? undefined : end + 5
}

/**
 * Creates a client that opens a further connection, up to `most`, whenever none is idle. A request that waits for a hanging
 * authorization server then does not delay others.
 */
export const make = (port: number, most: number): Connections => {
  const waiting: Array<Job> = []
  const idle: Array<(job: Job) => void> = []
  const sockets = new Set<ReturnType<typeof connect>>()
  let closed = false

  const open = () => {
    const socket = connect(port, "127.0.0.1")
    sockets.add(socket)
    let current: Job | undefined
    let text = ""
    const begin = (job: Job) => {
      current = job
      socket.write(job.request)
    }
    const free = () => {
      const next = waiting.shift()
      if (next === undefined) idle.push(begin)
      else begin(next)
    }
    const finish = (status: string) => {
      const done = current
      current = undefined
      done?.resolve(status)
    }
    socket.setNoDelay(true).setEncoding("latin1").setTimeout(patience)
    socket.on("connect", free)
    socket.on("timeout", () => {
      if (current !== undefined) socket.destroy(new Error("no answer"))
    })
    socket.on("data", (chunk) => {
      text += chunk
      const length = lengthOf(text)
      if (length === undefined) return
      const status = text.slice(9, 12)
      const closes = /\r\nconnection: *close/i.test(text.slice(0, length))
      text = text.slice(length)
      finish(status)
      if (closes) socket.destroy()
      else free()
    })
    socket.on("error", (error) => finish(error.message))
    socket.on("close", () => {
      sockets.delete(socket)
      const at = idle.indexOf(begin)
      if (at >= 0) idle.splice(at, 1)
      finish("closed")
      if (!closed && waiting.length > 0) open()
    })
  }

  return {
    send: (request) =>
      new Promise((resolve) => {
        const job = { request, resolve }
        const begin = idle.pop()
        if (begin !== undefined) return begin(job)
        waiting.push(job)
        if (sockets.size < most) open()
      }),
    close: () => {
      closed = true
      for (const socket of sockets) socket.destroy()
    }
  }
}
