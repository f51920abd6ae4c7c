import type * as Deferred from "effect/Deferred"
import type { Principal } from "../../verification/Principal.ts"

/* Bounds the open streams of each caller. */

/** An open stream. `ended` is completed to end it. */
export interface OpenStream {
  /** `undefined` for an anonymous caller. */
  readonly principal: Principal | undefined
  readonly ended: Deferred.Deferred<void>
}

export interface CallerStreams {
  /** Returns whether any caller has as many streams as it may have. It is fast, because it runs for each request. */
  readonly isAnyFull: () => boolean
  /** Returns whether this caller has as many streams as it may have. */
  readonly isFull: (principal: Principal | undefined) => boolean
  /** Adds a stream. If the caller had as many as it may have, removes and returns its oldest one, which must then end. */
  readonly add: (stream: OpenStream) => OpenStream | undefined
  /** Removes a stream that has ended. Does nothing if it was removed before. */
  readonly remove: (stream: OpenStream) => void
}

/** The number of streams of one caller, unless the option `streamsPerCaller` is set: two for each session. */
export const defaultPerCaller = 200

/** All anonymous callers together may have this many times the streams of one principal. */
const anonymousShare = 10

const unbounded: CallerStreams = {
  isAnyFull: () => false,
  isFull: () => false,
  add: () => undefined,
  remove: () => {}
}

/** Creates an empty set of streams. `Infinity` as the maximum means that streams are not counted. */
export const make = (perCaller: number): CallerStreams => {
  if (perCaller === Number.POSITIVE_INFINITY) return unbounded
  const byOwner = new Map<string, Set<OpenStream>>()
  const full = new Set<string>()
  // The owner of a principal is a JSON list, so it is never empty.
  const ownerOf = (principal: Principal | undefined): string => principal?.owner ?? ""
  const maximumOf = (owner: string): number => owner === "" ? anonymousShare * perCaller : perCaller

  const remove: CallerStreams["remove"] = (stream) => {
    const owner = ownerOf(stream.principal)
    const streams = byOwner.get(owner)
    if (streams?.delete(stream) !== true) return
    full.delete(owner)
    if (streams.size === 0) byOwner.delete(owner)
  }

  return {
    isAnyFull: () => full.size > 0,
    isFull: (principal) => full.has(ownerOf(principal)),
    add: (stream) => {
      const owner = ownerOf(stream.principal)
      const oldest = full.has(owner) ? byOwner.get(owner)?.values().next().value : undefined
      if (oldest !== undefined) remove(oldest)
      const streams = byOwner.get(owner) ?? new Set()
      byOwner.set(owner, streams.add(stream))
      if (streams.size >= maximumOf(owner)) full.add(owner)
      return oldest
    },
    remove
  }
}
