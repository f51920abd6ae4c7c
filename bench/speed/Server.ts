/**
 * Runs a contender in a separate process: `node Server.ts <name> <issuer>`. Sends its port to the parent process at the start.
 * On request, sends its CPU time in microseconds, starts a CPU profile, or ends the profile and sends it.
 */
import { Session } from "node:inspector"
import type { AddressInfo } from "node:net"
import { servers as peers } from "./peers/servers.mjs"
import { resource } from "./Subject.ts"

const [name = "", issuer = ""] = process.argv.slice(2)
// Discards warnings, because mcp-auth writes one for each missing member of the metadata.
console.warn = () => {}

// Loads only the modules of this contender: a process of another library must not load this library or Effect.
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
