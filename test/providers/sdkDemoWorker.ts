/**
 * The thread that `sdkDemo.ts` starts. It runs the SDK's demo authorization server, which nothing can stop except the end of its
 * thread. A message moves the clock of the server by a number of milliseconds.
 */
import { setupAuthServer } from "@modelcontextprotocol/sdk/examples/server/demoInMemoryOAuthProvider.js"
import { parentPort, workerData } from "node:worker_threads"

const { issuer, resource } = workerData as { readonly issuer: string; readonly resource: string }

setupAuthServer({ authServerUrl: new URL(issuer), mcpServerUrl: new URL(resource), strictResource: false })

const now = Date.now.bind(Date)
parentPort!.on("message", (offset: number) => {
  Date.now = () => now() + offset
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origin
  parentPort!.postMessage("moved")
})
