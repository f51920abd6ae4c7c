/**
 * Sends updates of resources only to callers that the policies of the resources admit.
 *
 * A program decides itself when it sends an update, and to which session. The streams of a session can belong to a caller that has
 * lost its role since it subscribed, and no gate checks the subscriptions of a local caller.
 */
import { own } from "../../protocol/Json.ts"
import { anonymousViewer, type Viewer } from "./Visibility.ts"

/** Returns whether a caller may learn that a resource of a server has changed. */
type IsAdmitted = (server: object, uri: string, viewer: Viewer) => boolean | Promise<boolean>

type Send = (message: unknown, options?: unknown) => unknown

/** The callers behind a transport, and its own `send`. */
interface Filter {
  readonly isAdmitted: IsAdmitted
  readonly send: Send
  server: object
  /** The callers of the event streams that can be open. Usually there is one at most. */
  streams: ReadonlyArray<Viewer>
  /** The caller of the last other request. */
  latest: Viewer | undefined
}

// Keys of properties of a transport. `makePolicies` explains why these are not WeakMaps.
const key = Symbol("effect-mcp-auth/UpdateFilter")
const fixedKey = Symbol("effect-mcp-auth/FixedViewer")

type Fixed = { [fixedKey]?: Viewer }

type Transport = object & { [key]?: Filter }

/** Stores the only caller of a transport, or of a server that serves one request. */
export const storeViewer = (owner: object, viewer: Viewer): void => {
  ;(owner as Fixed)[fixedKey] = viewer
}

/** Makes a transport filter the updates that a server sends. */
export const filter = (isAdmitted: IsAdmitted, server: object, transport: Transport): void => {
  const known = transport[key]
  if (known !== undefined) {
    known.server = server
    return
  }
  const { send } = transport as { readonly send?: Send }
  if (typeof send !== "function") return
  transport[key] = { isAdmitted, send, server, streams: [], latest: undefined }
  Object.assign(transport, { send: sendAdmitted })
}

// One function for all transports. If each transport had a closure, V8 would keep it alive until a full garbage collection.
const sendAdmitted: Send = function(this: Transport, message, options) {
  const { isAdmitted, latest, send, server, streams } = this[key]!
  const forward = () => Reflect.apply(send, this, [message, options])
  const uri = updatedUri(message)
  if (uri === undefined) return forward()
  const viewers = new Set(streams)
  // An update that belongs to a request is sent in the response to that request.
  const isOfRequest = own(options, "relatedRequestId") !== undefined
  if (streams.length === 0 || isOfRequest) {
    viewers.add(latest ?? (this as Fixed)[fixedKey] ?? (server as Fixed)[fixedKey] ?? anonymousViewer)
  }
  const decisions = [...viewers].map(({ principal }) =>
    // A new request, so that checks of the caller run again.
    isAdmitted(server, uri, principal === undefined ? anonymousViewer : { principal, request: {} })
  )
  if (decisions.every((decision) => decision === true)) return forward()
  if (decisions.includes(false)) return Promise.resolve()
  return Promise.all(decisions).then((all) => all.includes(false) ? undefined : forward())
}

const updatedUri = (message: unknown): string | undefined => {
  if (own(message, "method") !== "notifications/resources/updated") return undefined
  const uri = own(own(message, "params"), "uri")
  return typeof uri === "string" ? uri : undefined
}

/**
 * Records the caller of a request that an HTTP transport receives. `response` is the response of Node, if there is one. Returns
 * the function that receives the result of the transport.
 */
export const track = (
  transport: Transport,
  viewer: Viewer,
  { isStream, response }: { readonly isStream: boolean; readonly response: unknown }
): (answer: unknown) => void => {
  const filter = transport[key]
  if (filter === undefined) return () => {}
  if (!isStream) {
    filter.latest = viewer
    return () => {}
  }
  // Each request has a new object, so that the same caller can be here twice.
  const stream = { ...viewer }
  filter.streams = [...filter.streams, stream]
  const remove = () => {
    filter.streams = filter.streams.filter((_) => _ !== stream)
  }
  const { once } = (response ?? {}) as { readonly once?: (event: "close", listener: () => void) => unknown }
  if (typeof once === "function") {
    Reflect.apply(once, response, ["close", remove])
    return () => {}
  }
  return (answer) => {
    // A transport has one stream, so an earlier one has ended.
    if (answer instanceof Response && answer.status === 200) filter.streams = [stream]
    else remove()
  }
}
