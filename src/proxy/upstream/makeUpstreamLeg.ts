import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as discovery from "../../outbound/Discovery.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import type { AuthConfigError } from "../../protocol/AuthError.ts"
import * as ConfigOption from "../../protocol/ConfigOption.ts"
import type { Store } from "../../store/records/RecordStore.ts"
import type { Seal } from "../../store/records/SealedStore.ts"
import * as AuthorizationServer from "../../verification/issuers/AuthorizationServer.ts"
import * as jwkSet from "../../verification/keys/JwkSet.ts"
import type { Admit, OnRejection } from "../Admit.ts"
import type { RecordKeys } from "../keys/RecordKeys.ts"
import * as Identification from "./Identification.ts"
import * as IdToken from "./IdToken.ts"
import type { ReadUpstream } from "./Preset.ts"
import type { Parts, SignIn } from "./SignIn.ts"
import type { UpstreamLeg } from "./UpstreamLeg.ts"
import * as upstreamRecord from "./UpstreamRecord.ts"
import * as upstreamRequests from "./UpstreamRequests.ts"
import * as upstreamTokens from "./UpstreamTokens.ts"

/** The parts of a proxy that its upstream needs. */
export interface Options<R> {
  readonly upstream: ReadUpstream
  readonly admit: Admit<R>
  /** Receives the rejections of the rule. Default: they are only logged. */
  readonly onRejection?: OnRejection | undefined
  /** The life of the grants of a person that the upstream offers no way to check, in milliseconds. */
  readonly uncheckableLifetime: number
  readonly store: Store
  readonly recordKeys: RecordKeys
  /** Encrypts the tokens before the store of the proxy does. Default: no function. */
  readonly seal?: Seal | undefined
  /** Returns `make` of the module `SignIn`. It runs with each sign-in, so it can load the module on demand. */
  readonly makeSignIn: Effect.Effect<(parts: Parts) => SignIn>
}

/**
 * Creates the operations of a proxy at its upstream. `R` are the services of the rule of admission. Fails with `AuthConfigError` if the
 * rule does not fit the upstream, or if the credentials of the proxy cannot be used.
 */
export const makeUpstreamLeg = Effect.fnUntraced(function*<R>({
  admit,
  makeSignIn,
  onRejection,
  recordKeys,
  seal,
  store,
  uncheckableLifetime,
  upstream
}: Options<R>): Effect.fn.Return<
  UpstreamLeg,
  AuthConfigError,
  R | Fetcher | Scope.Scope
> {
  const { clientId, name, quirks } = upstream
  if (admit.kinds !== undefined && !admit.kinds.includes(upstream.kind)) {
    return yield* ConfigOption.error(
      "admit",
      `Admit.${admit.name} does not work with the upstream ${name}. Use a rule for it, or Admit.custom`,
      "conflict"
    )
  }
  const server = upstream.server.type === "openid"
    ? yield* Effect.fromResult(AuthorizationServer.make({ issuer: upstream.server.issuer }, "upstream"))
    : undefined
  const metadata = yield* discovery.make
  const keys = yield* jwkSet.make.pipe(Effect.provideService(discovery.Discovery, metadata))
  const requests = yield* upstreamRequests.make(upstream, server).pipe(
    Effect.provideService(discovery.Discovery, metadata)
  )
  const verify = server === undefined
    ? undefined
    : yield* IdToken.make(server, clientId).pipe(Effect.provideService(jwkSet.JwkSet, keys))
  const identification = yield* Identification.make({ upstream, admit, onRejection, requests, verify })
  const records = upstreamRecord.make(store, recordKeys, seal)
  const tokens = yield* upstreamTokens.make({
    upstream,
    requests,
    identification,
    records,
    store,
    uncheckableLifetime
  })

  const upstreamScopes: UpstreamLeg["upstreamScopes"] = (scopes) =>
    quirks.hasNoScopes ? [] : [
      ...new Set([
        ...quirks.baseScopes,
        ...admit.scopes(upstream.kind),
        ...scopes.flatMap((scope) => upstream.scopes.get(scope) ?? [])
      ])
    ]

  const signIn = Effect.map(makeSignIn, (make) =>
    make({
      upstream,
      server,
      requests,
      identification,
      saveTokens: tokens.save,
      upstreamScopes,
      grantedScopes: (granted, requested) => upstreamTokens.grantedScopes(upstream, granted, requested)
    }))

  return {
    name,
    apiUrl: upstream.apiUrl,
    subjectOf: identification.subjectOf,
    upstreamScopes,
    check: tokens.check,
    token: tokens.token,
    release: tokens.release,
    begin: (options) => Effect.flatMap(signIn, ({ begin }) => begin(options)),
    complete: (callback) => Effect.flatMap(signIn, ({ complete }) => complete(callback))
  }
})
