/**
 * An instance of an MCP server with its proxy, as a process. It stores its records in Redis, prints the origin at which it listens, and
 * ends when its standard input ends. The argument is an `Instance` in JSON.
 */
import { stores } from "../../store/records/ProcessStores.ts"
import { close, listen, makeInstance } from "../server.ts"
import type { UpstreamClient, UpstreamForm } from "../upstreams.ts"

/** The settings of an instance. */
export interface Instance {
  /** The origin that clients use, which is that of the load balancer. */
  readonly origin: string
  /** The URL of Redis. */
  readonly redis: string
  readonly form: UpstreamForm
  readonly upstream: UpstreamClient
}

const { form, origin, redis, upstream }: Instance = JSON.parse(process.argv[2]!)

const { dispose, listener } = await makeInstance({
  origin,
  form,
  upstream,
  store: await stores["redis"]!(redis),
  // A grant that ends at one instance is rejected by the other at once, and not only after some seconds.
  grants: { livenessCache: "0 seconds" }
})
const listening = await listen(listener)
process.stdin.resume().once("end", async () => {
  await close(listening.server)
  await dispose()
})
console.log(listening.origin)
