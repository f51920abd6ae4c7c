/**
 * Gives servers of both SDKs a fixed caller, for transports without HTTP.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { describeFailure, type reader } from "../../authorization/ClaimsDecoder.ts"
import type { Gate } from "../../authorization/Gate.ts"
import * as localCaller from "../../composition/localCaller.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Principal } from "../../verification/Principal.ts"
import * as authInfo from "../host/AuthInfo.ts"
import type { Registry } from "./SdkRegistry.ts"
import type { Local } from "./SdkTypes.ts"
import * as updateFilter from "./UpdateFilter.ts"

/** The data about a message that a transport passes to a server. */
interface MessageExtra {
  readonly authInfo?: unknown
  readonly request?: unknown
  readonly requestInfo?: unknown
}

type OnMessage = (message: unknown, extra?: MessageExtra) => void

/** The members of a transport of both SDKs that matter here. Those of HTTP transports have a function that takes requests. */
interface Transport {
  onmessage?: OnMessage | undefined
  start: () => Promise<void>
  readonly handleRequest?: unknown
  readonly handlePostMessage?: unknown
}

/** The SDK's server of the protocol, to which `McpServer.connect` passes the transport. */
interface Connectable {
  connect: (transport: Transport) => Promise<void>
}

const isHttp = (transport: Transport): boolean =>
  transport.handleRequest !== undefined || transport.handlePostMessage !== undefined

const overHttp = new AuthConfigError({
  reason: "conflict",
  option: "local",
  fix:
    "a server with a local caller was connected to an HTTP transport, so every client would be that caller. Connect it to " +
    "stdio or to an in-memory transport, and protect another server for HTTP"
})

/** The callers that `local` created, each with its decoded claims as a service. Without the option `claims`: no service. */
export type LocalCallers = WeakMap<Principal, Context.Context<never>>

/** Creates `local` of a gate. `decode` is the option `claims`. Each caller is added to `callers`. */
export const make = (
  gate: Gate,
  registry: Registry,
  decode: ReturnType<typeof reader>,
  callers: LocalCallers
): Local<string> =>
(options) => {
  const caller = localCaller.make(gate.resource, options, "local")
  const claims = decode?.(caller)
  if (Effect.isEffect(claims)) throw asynchronous
  if (claims !== undefined && Result.isFailure(claims)) throw unfit(claims.failure)
  callers.set(caller, claims === undefined ? Context.empty() : claims.success)
  return (server) => {
    if (typeof server !== "object" || server === null || !registry.instrument(server)) {
      throw ConfigOption.invalid(
        "local",
        server,
        "an McpServer of the MCP SDK",
        "Give one to the function that local returns"
      )
    }
    const protocol = server.server as Connectable
    const { connect } = protocol
    protocol.connect = (transport) => {
      if (isHttp(transport)) return Promise.reject(overHttp)
      withCaller(transport, () => authInfo.make(caller, gate))
      updateFilter.storeViewer(transport, { principal: caller, request: undefined })
      return Reflect.apply(connect, protocol, [transport])
    }
    return server
  }
}

/** Makes a transport pass the caller with each message. The server sets `onmessage` before it starts the transport. */
const withCaller = (transport: Transport, makeInfo: () => authInfo.AuthInfo): void => {
  const { start } = transport
  transport.start = () => {
    const receive = transport.onmessage
    const onmessage: OnMessage = (message, extra) =>
      // Data of an HTTP request means that a remote client sent the message, and this client is not the local caller.
      receive?.(
        message,
        extra?.authInfo === undefined && extra?.request === undefined && extra?.requestInfo === undefined
          ? { ...extra, authInfo: makeInfo() }
          : extra
      )
    Object.assign(transport, { onmessage })
    return Reflect.apply(start, transport, [])
  }
}

const unfit = (cause: unknown): AuthConfigError =>
  ConfigOption.error(
    "local.claims",
    `they do not fit the option claims: ${describeFailure(cause)}. Give claims that fit`
  )

const asynchronous = ConfigOption.error(
  "claims",
  "the schema is asynchronous, and local callers need a synchronous one. Give a schema without asynchronous checks",
  "conflict"
)
