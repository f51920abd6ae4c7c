import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type { Options as AuthOptions, Scopes } from "../composition/AuthOptions.ts"
import type { Fetcher } from "../outbound/Fetcher.ts"
import { AuthConfigError, RevocationStoreUnavailable } from "../protocol/AuthError.ts"
import * as ConfigOption from "../protocol/ConfigOption.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import { own } from "../protocol/Json.ts"
import { RecordStore } from "../store/records/RecordStore.ts"
import * as sealedStore from "../store/records/SealedStore.ts"
import * as TokenType from "../verification/claims/TokenType.ts"
import * as Revocations from "../verification/revocation/Revocations.ts"
import * as clients from "./front/Clients.ts"
import * as dynamicClient from "./front/DynamicClient.ts"
import { type Parts, urlsOf } from "./front/Front.ts"
import * as limits from "./front/Limits.ts"
import * as routes from "./front/Routes.ts"
import * as grantOptions from "./grants/GrantOptions.ts"
import type { Grants } from "./grants/Grants.ts"
import * as grantService from "./grants/GrantService.ts"
import * as proxyKeys from "./keys/ProxyKeys.ts"
import * as recordKeys from "./keys/RecordKeys.ts"
import * as recordSeal from "./keys/RecordSeal.ts"
import * as proxyOptions from "./ProxyOptions.ts"
import { makeUpstreamLeg } from "./upstream/makeUpstreamLeg.ts"
import * as presets from "./upstream/Preset.ts"
import * as upstreamAccess from "./upstream/UpstreamAccess.ts"

/* Connects the endpoints, the grants and the upstream of a proxy, and configures its gate. */

/**
 * The options of the gate of a proxy, for `make` of every adapter.
 *
 * @category models
 * @since 0.1.0
 */
export type GateOptions<S extends Scopes> = AuthOptions<S>

/** A proxy without a host. */
export interface Proxy<S extends Scopes> {
  readonly issuer: string
  readonly routes: routes.Routes
  readonly grants: Grants
  readonly gate: GateOptions<S>
  /** The URL of the API of the upstream. */
  readonly apiUrl: string
  /** The URLs to register at the upstream. */
  readonly callbackUrls: ReadonlyArray<string>
  /** Returns the subject of the person with an id at the upstream. */
  readonly subjectOf: (id: string) => string
  /** Returns the access of the caller with these claims to the upstream. */
  readonly accessFor: (claims: unknown) => upstreamAccess.UpstreamAccess["Service"]
}

/** The functions that create a proxy. */
export type Owner = "OAuthProxy.layer" | "OAuthProxy.make"

/** Adds the name of the function to the path of an option. Functions such as `Upstream.github` name themselves. */
export const named = (owner: Owner) => <E>(error: E): E | AuthConfigError => {
  if (!(error instanceof AuthConfigError) || /^[A-Z]/.test(error.option)) return error
  const { fix, option, reason } = error
  return new AuthConfigError({ reason, fix, option: option === "options" ? owner : `${owner}.${option}` })
}

/** Creates a proxy. Fails with the error of a wrong option, which names the option of `owner`. */
export const makeProxy = <const S extends Scopes, R>(
  options: proxyOptions.Options<S, R>,
  owner: Owner
): Effect.Effect<
  Proxy<S>,
  AuthConfigError | Config.ConfigError,
  Fetcher | Scope.Scope | R
> =>
  Effect.gen(function*() {
    const places = yield* proxyOptions.readPlaces(options)
    const checked = yield* Effect.fromResult(ConfigOption.attempt(() => proxyOptions.check(options, places)))
    const { issuer, privateUse, resource } = checked
    const keys = yield* proxyKeys.make(yield* proxyOptions.readProxySecrets(options.secret))
    const store = sealedStore.make(yield* storeFor(issuer), recordSeal.make(keys, issuer))
    const recordKey = yield* recordKeys.make(issuer)
    const scopes = options.scopes as Scopes
    const { baseline, stepUp = [] } = "baseline" in scopes
      ? scopes as { readonly baseline: ReadonlyArray<string>; readonly stepUp?: ReadonlyArray<string> }
      : { baseline: scopes as ReadonlyArray<string> }
    const offered = [...new Set([...baseline, ...stepUp])]
    if (options.upstream.scopes !== undefined) yield* checkScopes(options.upstream.scopes, offered)
    const { uncheckableLifetime } = yield* Effect.fromResult(
      ConfigOption.attempt(() => grantOptions.resolve(options.grants ?? {}))
    )
    const leg = yield* makeUpstreamLeg({
      upstream: yield* presets.read(options.upstream as presets.Upstream<never>, offered),
      admit: options.admit,
      onRejection: options.onAdmissionRejected,
      uncheckableLifetime,
      store,
      recordKeys: recordKey,
      seal: options.upstreamSeal,
      // Loaded on demand, because most requests come from clients whose people have signed in.
      makeSignIn: Effect.map(Effect.promise(() => import("./front/Browser.ts")), (browser) => browser.makeSignIn)
    })
    const grants = yield* grantService.make({
      issuer,
      store,
      keys,
      offeredScopes: offered,
      options: options.grants,
      onEvent: options.onGrantEvent,
      release: leg.release
    })
    const registrations = dynamicClient.make(keys.mac("registration", "client"), privateUse)
    const documents = (options.clientDocuments ?? true)
      // Loaded on demand, because the code works on Node only.
      ? yield* Effect.flatMap(
        Effect.promise(() => import("./front/ClientDocuments.ts")),
        (loaded) => loaded.forPlatform(privateUse)
      )
      : undefined
    const front: Parts = {
      issuer,
      urls: urlsOf(issuer, leg.name),
      resources: [{ resource, baseline, offered }],
      clients: clients.make(checked.clients, registrations, documents, checked.hasClientSecrets),
      hasDocuments: documents !== undefined,
      registrations,
      appearance: checked.pages,
      limits: limits.make(),
      upstream: { title: titleOf(options.upstream.kind, leg.name), leg },
      grants,
      store,
      recordKey,
      keys
    }
    const grantIdOf = (claims: unknown): string | undefined => {
      const id = own(claims, "sid")
      return typeof id === "string" ? id : undefined
    }
    const accessFor: Proxy<S>["accessFor"] = (claims) => {
      const id = grantIdOf(claims)
      return upstreamAccess.make(
        leg,
        id === undefined ? Effect.undefined : Effect.map(grants.get(id), (grant) => grant?.upstreamKey)
      )
    }
    const gate = {
      ...options.gate,
      resource,
      scopes: options.scopes,
      // The keys are given, so the gate sends no request to its own server.
      authorizationServers: [{
        issuer,
        metadata: routes.metadataOf(front),
        jwks: { keys: keys.publicKeys },
        algorithms: ["ES256"]
      }],
      tokenType: TokenType.strict,
      // A token without the id of its grant is rejected as well. A thief of the secret can sign tokens, but no grant covers them.
      revocation: Revocations.check(({ claims }) => {
        const id = grantIdOf(claims)
        return id === undefined ? Effect.succeed(true) : grants.covers(id, claims).pipe(
          Effect.map((isCovered) => !isCovered),
          Effect.mapError(({ retryAfter }) =>
            new RevocationStoreUnavailable({ reason: "revocation-store-down", retryAfter })
          )
        )
      })
    }
    const callbackUrls = [front.urls.callback]
    yield* Effect.logInfo(
      `Register the callback URL of the OAuth proxy at the upstream ${leg.name}: ${callbackUrls[0]}`
    )
    return {
      issuer,
      routes: routes.routesOf(front),
      grants,
      gate: gate as unknown as GateOptions<S>,
      apiUrl: leg.apiUrl,
      callbackUrls,
      subjectOf: leg.subjectOf,
      accessFor
    }
  }).pipe(Effect.mapError(named(owner)))

/** Returns the provided store, or a new one in memory, which is for demonstrations only. */
const storeFor = (issuer: string) =>
  Effect.flatMap(
    Effect.serviceOption(RecordStore),
    (provided) =>
      Option.isSome(provided) ? Effect.succeed(provided.value) : Effect.gen(function*() {
        if (!HttpUri.isLoopback(new URL(issuer).hostname)) {
          yield* Effect.logWarning(
            "The OAuth proxy has no store, so it keeps grants in memory. All people are signed out when the process ends, and a second " +
              "instance does not know the grants. Set the option store, for example to SqliteStore.layer({ … })"
          )
        }
        // Loaded on demand, because servers in production have another store.
        const memory = yield* Effect.promise(() => import("../store/records/MemoryStore.ts"))
        return yield* memory.make()
      })
  )

/** Fails if the scopes of the upstream are not exactly those of the server. The compiler reports this as well. */
const checkScopes = (
  mapped: ReadonlyMap<string, unknown>,
  offered: ReadonlyArray<string>
): Effect.Effect<void, AuthConfigError> => {
  const missing = offered.find((scope) => !mapped.has(scope))
  const unknown = [...mapped.keys()].find((scope) => !offered.includes(scope))
  return missing !== undefined
    ? Effect.fail(
      ConfigOption.error("upstream.scopes", `${missing} is missing. Add it, with [] for no upstream scope`, "missing")
    )
    : unknown !== undefined
    ? Effect.fail(
      ConfigOption.error("upstream.scopes", `${unknown} is not one of the option scopes. Remove it`, "conflict")
    )
    : Effect.void
}

const titles: Readonly<Record<string, string>> = { github: "GitHub", google: "Google", entra: "Microsoft" }

/** Returns the name of the upstream for pages. */
const titleOf = (kind: string, name: string): string =>
  titles[kind] ?? `${name.charAt(0).toUpperCase()}${name.slice(1)}`
