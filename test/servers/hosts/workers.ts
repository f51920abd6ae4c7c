/** Starts Workers in workerd, the runtime of Cloudflare Workers. */
import type { HttpClient } from "effect/http"
import { build } from "esbuild"
import { Miniflare } from "miniflare"
import type * as Functions from "./functions.ts"
import { fetchFrom, type Options, overSocket, type Running, type Sent } from "./Host.ts"

/** The description, in JSON, of one server of the Worker. */
export type Server =
  | { readonly kind: "todos"; readonly options: Options; readonly functions: Functions.Name }
  | {
    readonly kind: "tenants"
    readonly options: {
      readonly resource: string
      readonly authorizationServers: readonly [string]
      readonly scopes: readonly ["todos:read"]
    }
    readonly tenants: Functions.TenantOptions
  }
  | {
    readonly kind: "mock"
    readonly options: { readonly resource: string; readonly subject: string; readonly scopes: readonly ["todos:read"] }
    readonly limits: object
  }

export type RunningWorker = Running & Pick<ReturnType<typeof overSocket>, "leave"> & {
  readonly port: number
  /** The header that selects this server among the servers of the Worker. */
  readonly line: readonly [name: string, value: string]
}

let bundled: Promise<string> | undefined

const bundle = async (): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [new URL("worker.ts", import.meta.url).pathname],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2022",
    // With "node", esbuild would leave imports of Node's modules to the runtime. "neutral" makes them errors of the build.
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["effect-mcp-auth/source", "workerd", "import", "default"]
  })
  return outputFiles[0]!.text
}

/** Starts several servers in one Worker, since a Worker starts slowly. The Worker stops when all its servers have stopped. */
export const start = async (
  servers: ReadonlyArray<Server>,
  client: HttpClient.HttpClient
): Promise<ReadonlyArray<RunningWorker>> => {
  bundled ??= bundle()
  const worker = new Miniflare({
    modules: true,
    script: `globalThis.SERVERS = ${JSON.stringify(servers)}\n${await bundled}`,
    compatibilityDate: "2026-07-01",
    outboundService: fetchFrom(client) as never,
    host: "127.0.0.1",
    port: 0
  })
  const port = Number((await worker.ready).port)
  const socket = overSocket(port)
  let running = servers.length
  return servers.map((_, index): RunningWorker => {
    const line = ["x-server", String(index)] as const
    const to = (sent: Sent): Sent => ({ ...sent, headers: [...sent.headers, line] })
    const ask = async (path: string, message?: Functions.Message) => {
      const { body, status } = await socket.send(to({
        method: "POST",
        path: `/test/${path}`,
        headers: [],
        body: JSON.stringify(message ?? null)
      }))
      if (status !== 200) throw new Error(`the Worker answered ${status}: ${body}`)
      return JSON.parse(body)
    }
    return {
      port,
      line,
      send: (sent) => socket.send(to(sent)),
      open: (sent) => socket.open(to(sent)),
      leave: (sent) => socket.leave(to(sent)),
      hold: async (sent) => {
        const id = crypto.randomUUID()
        const begun = socket.begin({ ...to(sent), headers: [...to(sent).headers, ["x-held", id]] })
        let early: number | undefined
        begun.answer.then(({ status }) => (early = status), () => (early = 0))
        // workerd never answers `100 Continue`, so the loop asks the Worker whether it has begun to read the body.
        while (!await ask(id)) {
          if (early !== undefined) throw new Error(`answered ${early} before the body was read`)
        }
        return begun
      },
      ran: () => ask("ran"),
      decisions: () => ask("decisions"),
      checks: () => ask("checks"),
      tell: (message) => ask("tell", message),
      stop: async () => {
        if (--running === 0) await worker.dispose()
      }
    }
  })
}
