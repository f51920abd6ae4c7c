/** A proxy at an upstream in memory, with the memory store and the clock of the test. */
import { Effect, Redacted, Result } from "effect"
import { MemoryStore, type RecordStore, SealedStore } from "effect-mcp-auth/store"
import { TestUpstream } from "effect-mcp-auth/testing"
import { TestClock } from "effect/testing"
import * as AddressGuard from "../../../src/outbound/AddressGuard.ts"
import { Fetcher } from "../../../src/outbound/Fetcher.ts"
import * as Admit from "../../../src/proxy/Admit.ts"
import * as ProxyKeys from "../../../src/proxy/keys/ProxyKeys.ts"
import * as RecordKeys from "../../../src/proxy/keys/RecordKeys.ts"
import * as RecordSeal from "../../../src/proxy/keys/RecordSeal.ts"
import { makeUpstreamLeg } from "../../../src/proxy/upstream/makeUpstreamLeg.ts"
import * as Preset from "../../../src/proxy/upstream/Preset.ts"
import * as SignIn from "../../../src/proxy/upstream/SignIn.ts"
import * as Upstream from "../../../src/proxy/upstream/Upstream.ts"
import type { UpstreamLeg } from "../../../src/proxy/upstream/UpstreamLeg.ts"

export const issuer = "https://todos.example.com"
export const redirectUri = "https://todos.example.com/callback/upstream"
/** It is random, because the proxy rejects other secrets. */
export const secret = Redacted.make("q1Xv8sZr3TnYw5uKc7hLm2pGd9fJb4eA0iOyRkVtWxE")
export const startTime = 1_800_000_000_000
/** Four hours, in milliseconds. */
export const uncheckableLifetime = 14_400_000

export type Form = TestUpstream.Form
export type Service = TestUpstream.TestUpstream["Service"]

const scopes = { "todos:read": [], "todos:write": ["repo"] } as const

/** The preset that fits a form. */
export const presetFor = ({ clientId, clientSecret, form, origin, tenant }: Service) => {
  const common = { clientId, clientSecret: Redacted.make(clientSecret) }
  switch (form) {
    case "github":
      return Upstream.github({ ...common, server: origin, scopes })
    case "rotating":
    case "slow":
      return Upstream.githubApp({ ...common, server: origin, scopes: { "todos:read": [], "todos:write": [] } })
    case "google":
    case "rejecting":
      return Upstream.google({ ...common, issuer: origin, scopes })
    case "entra":
      return Upstream.entra({ ...common, authority: origin, tenant, scopes })
  }
}

/** A GitHub App whose every check sends its refresh token, which works once. */
export const refreshingApp = (origin: string): ReturnType<typeof presetFor> => {
  const preset = Upstream.githubApp({
    clientId: "proxy-client",
    clientSecret: Redacted.make("proxy-client-secret"),
    server: origin,
    scopes: { "todos:read": [], "todos:write": [] }
  })
  return { ...preset, quirks: { ...preset.quirks, check: "refresh" } }
}

export interface Options<R> {
  readonly form: Form
  readonly admit?: Admit.Admit<R>
  readonly accounts?: TestUpstream.Options["accounts"]
  readonly store?: RecordStore.Store
  readonly onRejection?: Admit.OnRejection
  /** Changes the requests and responses. */
  readonly through?: (fetcher: Fetcher["Service"], upstream: Service) => Fetcher["Service"]
  /** Default: that of `TestUpstream`. */
  readonly origin?: string
  /** Changes the preset. */
  readonly preset?: (upstream: ReturnType<typeof presetFor>) => ReturnType<typeof presetFor>
}

/** Creates a proxy at a fetcher. Several of them are several processes. */
export const proxyAt = <R = never>(
  upstream: ReturnType<typeof presetFor>,
  fetcher: Fetcher["Service"],
  store: RecordStore.Store,
  admit: Admit.Admit<R> = Admit.anyone as Admit.Admit<R>,
  seal?: SealedStore.Seal,
  onRejection?: Admit.OnRejection
) =>
  Effect.gen(function*() {
    const keys = yield* ProxyKeys.make(secret)
    const recordKeys = yield* RecordKeys.make(issuer)
    return yield* makeUpstreamLeg({
      upstream: yield* Preset.read(upstream, []),
      admit,
      onRejection,
      store: SealedStore.make(store, RecordSeal.make(keys, issuer)),
      recordKeys,
      seal,
      uncheckableLifetime,
      makeSignIn: Effect.succeed(SignIn.make)
    })
  }).pipe(
    Effect.provideService(Fetcher, fetcher),
    // Names of test servers do not resolve.
    Effect.provideService(AddressGuard.Resolver, undefined)
  )

export const world = <R = never>(
  { accounts, admit, form, onRejection, origin, preset = (same) => same, store, through = (same) => same }: Options<R>
) =>
  Effect.gen(function*() {
    yield* TestClock.setTime(startTime)
    const made = yield* TestUpstream.make({
      form,
      ...(accounts === undefined ? {} : { accounts }),
      ...(origin === undefined ? {} : { origin })
    })
    const { upstream } = made
    const fetcher = through(made.fetcher, upstream)
    const records = store ?? (yield* MemoryStore.make())
    const values = new Map<string, string>()
    const writes: Array<string> = []
    // Records what the store contains, as a thief of the store sees it.
    const observed: RecordStore.Store = {
      ...records,
      put: (key, value, options) =>
        Effect.tap(records.put(key, value, options), (version) =>
          Effect.sync(() => {
            if (version === undefined) return
            values.set(key, value)
            writes.push(key)
          }))
    }
    const description = preset(presetFor(upstream))
    const leg = yield* proxyAt(description, fetcher, observed, admit, undefined, onRejection)
    return { upstream, fetcher, description, leg, store: observed, values, writes, ...browser(leg, upstream) }
  })

/** The browser of a person. */
export const browser = (leg: UpstreamLeg, upstream: Service) => {
  const spend = Effect.void
  const begin = (scopes: ReadonlyArray<string> = ["todos:read"]) => leg.begin({ redirectUri, scopes })
  return {
    begin,
    /** Begins a sign-in, and returns the callback of the upstream. */
    approve: (scopes?: ReadonlyArray<string>, login?: string) =>
      Effect.gen(function*() {
        const begun = yield* begin(scopes)
        const callback = yield* upstream.signIn(begun.url, login)
        return { ...begun, parameters: new URL(callback).searchParams }
      }),
    complete: (
      { flow, parameters }: {
        readonly flow: Effect.Success<ReturnType<typeof begin>>["flow"]
        readonly parameters: URLSearchParams
      },
      uri = redirectUri
    ) => leg.complete({ parameters, flow, redirectUri: uri, spend }),
    signIn: (scopes?: ReadonlyArray<string>, login?: string) =>
      Effect.gen(function*() {
        const begun = yield* begin(scopes)
        const callback = yield* upstream.signIn(begun.url, login)
        return yield* leg.complete({
          parameters: new URL(callback).searchParams,
          flow: begun.flow,
          redirectUri,
          spend
        })
      })
  }
}

/** Returns the reason of a failure. */
export const reasonOf = <A, E extends { readonly _tag: string; readonly reason?: string }, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<string, never, R> =>
  Effect.map(
    Effect.result(effect),
    (result) => Result.isSuccess(result) ? "success" : result.failure.reason ?? result.failure._tag
  )

/** Waits until a condition holds. Requests and keys take real time, which the clock of the test does not measure. */
export const until = <E>(condition: Effect.Effect<boolean, E>): Effect.Effect<void, E> =>
  Effect.gen(function*() {
    while (!(yield* condition)) yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 1)))
  })
