import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import type { Scopes } from "../composition/AuthOptions.ts"
import * as Fetcher from "../outbound/Fetcher.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as McpAuthFetch from "../servers/fetch/McpAuthFetch.ts"
import * as McpAuthNode from "../servers/node/McpAuthNode.ts"
import * as MemoryStore from "../store/records/MemoryStore.ts"
import type { RecordStore } from "../store/records/RecordStore.ts"
import * as nodeRouter from "./front/NodeRouter.ts"
import * as webHandler from "./front/WebHandler.ts"
import * as GrantAdministration from "./grants/GrantAdministration.ts"
import { makeProxy, type Proxy } from "./makeProxy.ts"
import type { HostOptions, OAuthProxy } from "./OAuthProxy.ts"
import * as proxyOptions from "./ProxyOptions.ts"
import type { Options as ProxyOptions } from "./ProxyOptions.ts"

/* Runs a proxy for servers outside Effect. */

/** Creates a proxy for hosts outside Effect. */
export const make = async <const S extends Scopes>(options: HostOptions<S>): Promise<OAuthProxy<S>> => {
  ConfigOption.checkNames(options, "", [...proxyOptions.names, "store"])
  const { store = MemoryStore.layer(), ...others } = options
  if (!Layer.isLayer(store)) {
    throw ConfigOption.invalid("store", store, "a layer", "Give one such as SqliteStore.layer({ … })")
  }
  const services = Layer.merge(store as Layer.Layer<RecordStore>, Fetcher.layer)
  const runtime = ManagedRuntime.make(
    Layer.effect(MadeProxy, makeProxy(others as unknown as ProxyOptions<Scopes>)).pipe(Layer.provide(services))
  )
  try {
    return await fromProxy<S>(await runtime.runPromise(MadeProxy) as unknown as Proxy<S>, runtime)
  } catch (error) {
    await runtime.dispose()
    throw error
  }
}

/** The proxy of a runtime, whose scope ends with `dispose`. */
class MadeProxy extends Context.Service<MadeProxy, Proxy<Scopes>>()("effect-mcp-auth/proxy/MadeProxy") {}

const fromProxy = async <S extends Scopes>(
  { accessFor, gate, grants, issuer, routes }: Proxy<S>,
  runtime: ManagedRuntime.ManagedRuntime<MadeProxy, unknown>
): Promise<OAuthProxy<S>> => {
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> => runtime.runPromise(effect)
  const [node, web] = await Promise.all([
    McpAuthNode.make(gate as never),
    McpAuthFetch.make(gate as never)
  ]) as unknown as [OAuthProxy<S>["node"], OAuthProxy<S>["web"]]
  const onNode = nodeRouter.make(routes, run)
  const onWeb = webHandler.make(routes, run)
  const metadata = node.metadataRouter()
  const administration = GrantAdministration.make(grants)
  const dispose = async () => {
    await Promise.all([node.dispose(), web.dispose()])
    await runtime.dispose()
  }
  return {
    issuer,
    router: () => async (req, res, next) => {
      const answered = onNode(req, res)
      if (answered === undefined) return metadata(req, res, next)
      await answered
      return true
    },
    fetch: (request) => onWeb(request) ?? web.metadata(request),
    protect: node.protect,
    node,
    web,
    gateOptions: gate,
    upstreamToken: ({ claims }) => run(accessFor(claims).token),
    grants: {
      list: (subject) => run(administration.list(subject)),
      revoke: (grantId) => run(administration.revoke(grantId)),
      revokeAll: (subject) => run(administration.revokeAll(subject))
    },
    dispose,
    [Symbol.asyncDispose]: dispose
  }
}
