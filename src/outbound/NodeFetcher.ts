import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as AddressGuard from "./AddressGuard.ts"
import * as Fetcher from "./Fetcher.ts"

/*
 * Fetches URLs that other parties chose with `node:https` and `node:http`, whose connections use the addresses that a guard has
 * checked. `fetch` resolves a name again after a check, so it cannot be used for such URLs.
 */

interface Incoming {
  readonly statusCode?: number | undefined
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly on: (event: string, listener: (value: any) => void) => unknown
}

interface Outgoing {
  readonly on: (event: string, listener: (value: any) => void) => unknown
  readonly end: (body?: string) => unknown
  readonly destroy: () => unknown
}

/** The part of `node:http` and `node:https` that the library uses. */
export interface NodeHttp {
  readonly request: (
    url: string,
    options: Readonly<Record<string, unknown>>,
    callback: (response: Incoming) => void
  ) => Outgoing
  readonly Agent?: new(options: Readonly<Record<string, unknown>>) => unknown
  readonly globalAgent?: { readonly options: Readonly<Record<string, unknown>> }
}

/** The modules of Node that a fetcher needs. */
export interface Modules {
  readonly http: NodeHttp
  readonly https: NodeHttp
  readonly dns: { readonly lookup: AddressGuard.Lookup }
}

interface Runtime {
  readonly process?: {
    readonly versions?: Readonly<Record<string, string>>
    readonly getBuiltinModule?: (name: string) => unknown
  }
  readonly navigator?: { readonly userAgent?: string }
}

/** Tells whether the runtime is Node. Others implement `node:https` without its `lookup`, so addresses would not be checked. */
const isNode = ({ navigator, process }: Runtime): boolean =>
  process?.versions?.["node"] !== undefined && process.versions["bun"] === undefined &&
  process.versions["deno"] === undefined && (navigator?.userAgent?.startsWith("Node.js/") ?? true)

/**
 * Provides the modules of Node, or `undefined` on a platform whose connections cannot be checked. The default loads the modules when
 * a program needs them, so no other platform has to resolve their names.
 */
export const NodeModules: Context.Reference<Modules | undefined> = Context.Reference<Modules | undefined>(
  "effect-mcp-auth/NodeFetcher/NodeModules",
  {
    defaultValue: () => {
      const runtime = globalThis as Runtime
      const load = runtime.process?.getBuiltinModule
      if (!isNode(runtime) || load === undefined) return undefined
      return {
        http: load("node:http") as NodeHttp,
        https: load("node:https") as NodeHttp,
        dns: load("node:dns") as Modules["dns"]
      }
    }
  }
)

export interface Options {
  /** Decides about a URL before a connection opens. Node does not resolve an address in a URL, so `lookup` does not see it. */
  readonly allows: (url: URL) => boolean
  /** Resolves names. Must reject addresses to which the fetcher must not connect. */
  readonly lookup: AddressGuard.Lookup
  /** Returns the agent of a request. Default: an agent for each request, which uses no proxy. */
  readonly agentOf?: ((module: NodeHttp) => unknown) | undefined
  /** Further options of the requests of Node. Default: none. */
  readonly more?: Readonly<Record<string, unknown>> | undefined
}

/** Creates a fetcher. Redirects are not followed, and every request has a connection for itself. */
export const make = (
  modules: Pick<Modules, "http" | "https">,
  { agentOf, allows, lookup, more }: Options
): Fetcher.Fetcher["Service"] => ({
  send: ({ body, headers, maximumBytes, method, readsBody, url }) =>
    Effect.callback<Fetcher.Response, Fetcher.FetchError>((resume) => {
      const target = new URL(url)
      if (!allows(target)) {
        resume(Effect.fail(new Fetcher.FetchError({ reason: "not-allowed" })))
        return Effect.void
      }
      const module = target.protocol === "https:" ? modules.https : modules.http
      const options = { ...more, method, headers, lookup, agent: agentOf?.(module) ?? false }
      const request = module.request(url, options, (response) => {
        const head: Fetcher.Head = {
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(
            Object.entries(response.headers).map(([name, value]) => [
              name,
              typeof value === "string" ? value : value?.join(", ")
            ])
          )
        }
        const end = (body: Uint8Array) => {
          resume(Effect.succeed({ ...head, body }))
          request.destroy()
        }
        if (!readsBody(head)) return end(new Uint8Array())
        const chunks: Array<Uint8Array> = []
        let length = 0
        response.on("data", (chunk: Uint8Array) => {
          length += chunk.length
          chunks.push(chunk)
          if (length <= maximumBytes) return
          resume(Effect.fail(new Fetcher.FetchError({ reason: "too-large" })))
          request.destroy()
        })
        response.on("end", () => {
          const body = new Uint8Array(length)
          let offset = 0
          for (const chunk of chunks) {
            body.set(chunk, offset)
            offset += chunk.length
          }
          end(body)
        })
        response.on("error", (error) => resume(Effect.fail(Fetcher.networkError(error))))
      })
      request.on("error", (error) => resume(Effect.fail(Fetcher.networkError(error))))
      request.end(body)
      return Effect.sync(() => request.destroy())
    })
})
