/**
 * Runs handlers of the SDK in such a way that they do not find the registrations that are hidden from the caller.
 */
import type { RegistrationPolicies } from "./RegistrationPolicy.ts"
import { getRegistration, type Handler, type McpServer, records, type Registrations } from "./SdkPrivates.ts"
import type { Viewer } from "./Visibility.ts"

/** The error of both SDKs for a resource that does not exist. */
export class ResourceNotFound extends Error {
  override readonly name = "ResourceNotFound"
  readonly code = -32602

  constructor(uri: string) {
    super(`Resource ${uri} not found`)
  }
}

/** Returns a view of registrations without those that are hidden. */
const withoutHidden = (record: Registrations, isHidden: (registration: object) => boolean): Registrations => {
  const hides = (target: Registrations, key: string | symbol) => {
    const registration = typeof key === "string" ? getRegistration(target, key) : undefined
    return registration !== undefined && isHidden(registration)
  }
  // A proxy, not a copy, so that registrations that the handler adds reach the original record.
  return new Proxy(record, {
    get: (target, key) => hides(target, key) ? undefined : Reflect.get(target, key),
    has: (target, key) => !hides(target, key) && Reflect.has(target, key),
    ownKeys: (target) => Reflect.ownKeys(target).filter((key) => !hides(target, key)),
    getOwnPropertyDescriptor: (target, key) =>
      hides(target, key) ? undefined : Reflect.getOwnPropertyDescriptor(target, key)
  })
}

/**
 * Wraps a handler so that it does not find hidden registrations. The records of the server are replaced only until the
 * handler returns. If the handler returns a promise, the records are restored without waiting for it. This is late enough,
 * because the handlers of the SDKs look up registrations before they await anything.
 */
export const hideFromHandler = (
  server: McpServer,
  handler: Handler,
  policies: RegistrationPolicies,
  viewerOf: (extra: unknown) => Viewer
): Handler =>
(request, extra) => {
  if (!policies.canHide()) return handler(request, extra)
  const viewer = viewerOf(extra)
  const isHidden = (registration: object) => policies.isHidden(registration, viewer)
  const replaced = records.filter((name) => {
    for (const key in server[name]) {
      const registration = getRegistration(server[name], key)
      if (registration !== undefined && isHidden(registration)) return true
    }
    return false
  })
  if (replaced.length === 0) return handler(request, extra)
  const originals = replaced.map((name) => [name, server[name]] as const)
  for (const [name, record] of originals) server[name] = withoutHidden(record, isHidden)
  try {
    return handler(request, extra)
  } finally {
    for (const [name, record] of originals) server[name] = record
  }
}
