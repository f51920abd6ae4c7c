/**
 * The level "handler". It runs in a separate process, and calls the listeners of the servers without sockets. With sockets, the
 * kernel would take most of the time of a small request, and the kernel's time depends most on the load of the machine.
 */
import { IncomingMessage, type Server, ServerResponse } from "node:http"
import { Socket } from "node:net"
import { servers as peers } from "./peers/servers.mjs"
import { servers } from "./servers.ts"
import { shuffled } from "./Stats.ts"
import { resource } from "./Subject.ts"

console.warn = () => {}

export interface Work {
  readonly issuer: string
  readonly names: ReadonlyArray<string>
  readonly tokens: ReadonlyArray<string>
  readonly rounds: number
  readonly milliseconds: number
}

/** CPU time per request in microseconds, by contender. Each contender has one value per round. */
export type Measured = Readonly<Record<string, ReadonlyArray<number>>>

const socket = new Socket()

const ask = (server: Server, token: string) =>
  new Promise<number>((resolve) => {
    const request = new IncomingMessage(socket)
    Object.assign(request, {
      method: "GET",
      url: "/mcp",
      httpVersion: "1.1",
      httpVersionMajor: 1,
      httpVersionMinor: 1,
      headers: { host: "127.0.0.1", authorization: `Bearer ${token}`, accept: "*/*" },
      rawHeaders: ["host", "127.0.0.1", "authorization", `Bearer ${token}`, "accept", "*/*"],
      complete: true
    })
    request.push(null)
    const response = new ServerResponse(request)
    // These are own properties, because Express replaces the prototype of a response.
    Object.assign(response, {
      writeHead: (status: number) => {
        response.statusCode = status
        return response
      },
      end: (...args: ReadonlyArray<unknown>) => {
        response.finished = true
        const done = args.find((_) => typeof _ === "function")
        queueMicrotask(() => {
          if (typeof done === "function") done()
          response.emit("finish")
          response.emit("close")
          resolve(response.statusCode)
        })
        return response
      }
    })
    server.emit("request", request, response)
  })

const measure = async ({ issuer, milliseconds, names, rounds, tokens }: Work): Promise<Measured> => {
  const all = new Map<string, Server>()
  for (const name of names) all.set(name, await (servers[name] ?? peers[name])!(issuer, resource))
  const measured: Record<string, Array<number>> = Object.fromEntries(names.map((name) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const name of shuffled(names)) {
      const server = all.get(name)!
      const before = process.cpuUsage()
      const began = performance.now()
      // The first round is a warm-up.
      const least = round === 0 ? 4000 : 0
      let count = 0
      while (performance.now() - began < milliseconds || count < least) {
        for (let turn = 0; turn < 50; turn++) {
          const status = await ask(server, tokens[count++ % tokens.length]!)
          if (status !== 200) throw new Error(`${name} answers ${status}`)
        }
        // Returns to the event loop, as a server does between two reads of a socket. Otherwise objects that live until all
        // microtasks have run would never be released.
        await new Promise(setImmediate)
      }
      const { system, user } = process.cpuUsage(before)
      if (round > 0) measured[name]!.push((user + system) / count)
    }
  }
  return measured
}

process.on("message", (work: Work) => void measure(work).then((measured) => process.send!(measured)))
process.on("disconnect", () => process.exit())
process.send!("ready")
