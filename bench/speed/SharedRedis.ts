/** A Redis server behind a proxy that can delay it or cut it off, for the level "instances". */
import { type ChildProcess, spawn } from "node:child_process"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { keep } from "./Child.ts"

export interface SharedRedis {
  /** The port of the proxy. */
  readonly port: number
  /** Delays each response, in milliseconds. 0 removes the delay. */
  readonly slowDown: (milliseconds: number) => void
  /** Closes all connections, and closes new ones at once, until `restore`. */
  readonly cutOff: () => void
  readonly restore: () => void
  readonly stop: () => Promise<void>
}

const listening = (server: ReturnType<typeof createServer>) =>
  new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port))
  })

const freePort = async () => {
  const server = createServer()
  const port = await listening(server)
  await new Promise((resolve) => server.close(resolve))
  return port
}

const waitFor = async (port: number, child: ChildProcess) => {
  for (;;) {
    if (child.exitCode !== null) throw new Error("redis-server does not run")
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.destroy()
        resolve(true)
      }).on("error", () => resolve(false))
    })
    if (isOpen) return
    await delay(20)
  }
}

/** Starts `redis-server`, which must be installed. It stores nothing on disk. */
export const start = async (): Promise<SharedRedis> => {
  const redisPort = await freePort()
  const child = keep(
    spawn("redis-server", ["--port", `${redisPort}`, "--bind", "127.0.0.1", "--save", ""], { stdio: "ignore" })
  )
  await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject))
  await waitFor(redisPort, child)
  const sockets = new Set<Socket>()
  let milliseconds = 0
  let isCutOff = false
  const proxy = createServer((client) => {
    if (isCutOff) return client.destroy()
    const redis = connect(redisPort, "127.0.0.1")
    for (const socket of [client, redis]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on("error", () => {})
      socket.on("close", () => {
        sockets.delete(socket)
        client.destroy()
        redis.destroy()
      })
    }
    client.pipe(redis)
    redis.on("data", (chunk) => {
      if (milliseconds === 0) client.write(chunk)
      else setTimeout(() => client.write(chunk), milliseconds)
    })
  })
  const port = await listening(proxy)
  return {
    port,
    slowDown: (next) => {
      milliseconds = next
    },
    cutOff: () => {
      isCutOff = true
      for (const socket of sockets) socket.destroy()
    },
    restore: () => {
      isCutOff = false
    },
    stop: async () => {
      proxy.close()
      for (const socket of sockets) socket.destroy()
      const ended = new Promise((resolve) => child.once("exit", resolve))
      child.kill()
      await ended
    }
  }
}
