/** A contender, a process of its own: `node Server.ts <name> <issuer>`. Tells its port, and what it has used when asked. */
import { Session } from "node:inspector"
import type { AddressInfo } from "node:net"
import { servers as peers } from "./peers/servers.mjs"
import { resource } from "./Subject.ts"

const [name = "", issuer = ""] = process.argv.slice(2)
// mcp-auth talks to the console about metadata that it would like to have.
console.warn = () => {}

// A peer does not load what is ours, nor Effect; nor does a server of ours load a peer.
const make = peers[name] ?? (await import("./servers.ts")).servers[name]
if (make === undefined) throw new Error(`there is no server called ${name}`)
const server = await make(issuer, resource)
if (!server.listening) await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))

let session: Session | undefined

process.on("message", (question) => {
  if (typeof question === "object" && question !== null && "profile" in question) {
    if (question.profile === true) {
      session = new Session()
      session.connect()
      session.post("Profiler.enable")
      session.post("Profiler.setSamplingInterval", { interval: 200 })
      session.post("Profiler.start", () => process.send!(true))
      return
    }
    session!.post("Profiler.stop", (_, { profile }) => process.send!(profile))
    return
  }
  const { system, user } = process.cpuUsage()
  process.send!(user + system)
})
process.on("disconnect", () => process.exit())
process.send!((server.address() as AddressInfo).port)
