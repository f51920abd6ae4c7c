/**
 * One gate for all servers of an SDK that one program makes.
 */
import * as Context from "effect/Context"
import type * as Layer from "effect/Layer"
import type { AuthLayer } from "../../authorization/Gate.ts"
import type { Fetcher } from "../../outbound/Fetcher.ts"
import { AuthConfigError } from "../../protocol/AuthError.ts"
import * as OptionValue from "../../protocol/OptionValue.ts"
import type { Principal } from "../../verification/Principal.ts"
import type { Policies } from "../host/Admission.ts"
import * as authInfo from "../host/AuthInfo.ts"
import * as body from "../host/Body.ts"
import * as Host from "../host/Host.ts"
import * as optionNames from "../host/HostOptions.ts"
import * as web from "../host/WebHost.ts"
import * as sdkHandler from "./SdkHandler.ts"
import * as sdkRegistry from "./SdkRegistry.ts"
import * as sdkTasks from "./SdkTasks.ts"
import type { Anonymous } from "./SdkTypes.ts"

type Verified = Principal

export interface Options extends body.Options {
  readonly anonymous?: Anonymous | undefined
  readonly claims?: Context.Key<any, any> | undefined
}

export interface SdkHost {
  readonly host: Host.Host
  readonly registry: sdkRegistry.Registry
  readonly limits: body.Limits
  /** Who calls, as the gate found out: from what an SDK hands to handlers and factories. */
  readonly callerOf: (context: unknown) => sdkRegistry.Caller
  /** Runs a handler of fetch's kind for a request that comes in. */
  readonly serve: (
    request: Request,
    reading: Reading,
    policies: Policies,
    handler: (info: authInfo.AuthInfo | undefined, body: unknown, request: Request) => Response | Promise<Response>
  ) => Promise<Response>
  /** Adopts a server, wraps the handler, has the SDK register it, and notes what it needs. */
  readonly register: <A extends object>(
    server: object,
    what: string,
    demands: Demanded,
    handler: (...parameters: ReadonlyArray<any>) => unknown,
    register: (wrapped: (...parameters: ReadonlyArray<any>) => any) => A
  ) => A
}

/** How the body of a request is had. */
interface Reading {
  /** What somebody else parsed already; `undefined` where nobody did. */
  readonly parsedBody: unknown
  /** In bytes. Default: that of all of them. */
  readonly limit?: number | undefined
  /** As `Reading` of the web host has it. */
  readonly consumes?: boolean | undefined
  /** The tenant that the router of the host found in the request. */
  readonly tenant?: string | undefined
}

interface Demanded {
  readonly scopes?: sdkRegistry.Requirement["scopes"] | undefined
  readonly unauthorized?: sdkRegistry.Requirement["unauthorized"] | undefined
}

const hostNames: Readonly<Record<keyof Options, true>> = {
  anonymous: true,
  claims: true,
  bodyTimeout: true,
  maximumBody: true,
  maximumOperations: true
}

export const make = async <R, E>(
  layer: Layer.Layer<AuthLayer | R, E, Fetcher>,
  options: Options
): Promise<SdkHost> => {
  optionNames.check(options, "fromLayer", hostNames)
  const limits = body.checkLimits(options)
  const host = await Host.make(layer, options.claims)
  const presented = new WeakMap<Verified, object>()

  // A handler's context holds the AuthInfo in `authInfo` (v1) or in `http.authInfo` (v2).
  const callerOf = (context: unknown): sdkRegistry.Caller => {
    const { authInfo: ofV1, http } = (context ?? {}) as { authInfo?: object; http?: { authInfo?: object } }
    const info = ofV1 ?? http?.authInfo
    return info === undefined ? undefined : authInfo.principalOf(info, host.gate)
  }

  const present = (caller: Verified): object => {
    if (options.claims === undefined) return caller
    const known = presented.get(caller)
    if (known !== undefined) return known
    const claims = host.claims(caller)
    const made = Object.freeze({ ...caller, claims })
    // Claims that cannot be frozen are decoded for each request.
    if (Object.isFrozen(claims)) presented.set(caller, made)
    return made
  }

  const registry = sdkRegistry.make(
    host.gate.resource.offered,
    callerOf,
    sdkTasks.makeOwnerOf(host.gate, callerOf)
  )
  const handler = sdkHandler.make<any>({
    runtime: host.runtime,
    anonymous: options.anonymous === "allow-unscoped",
    callerOf,
    present,
    services: (caller) => host.gate.provideCaller(Context.empty(), caller)
  })

  return {
    host,
    registry,
    limits,
    callerOf,
    serve: (request, { consumes, limit = limits.bytes, parsedBody, tenant }, policies, serve) =>
      web.serve(
        host,
        request,
        {
          reading: {
            limits: limit === limits.bytes ? limits : { ...limits, bytes: limit },
            consumes,
            parsedBody: parsedBody === undefined ? undefined : () => parsedBody
          },
          policies,
          tenantOf: tenant === undefined ? undefined : () => tenant
        },
        ({ authInfo, body }, unread) => serve(authInfo, body, unread)
      ),
    register: (server, what, { scopes = [], unauthorized = "challenge" }, own, register) => {
      if (typeof own !== "function") {
        throw new AuthConfigError({
          reason: "missing",
          option: what,
          fix: `the handler: ${OptionValue.isNot(own, "a function")}. Give it as the last argument`
        })
      }
      const requirement = registry.check(what, scopes, unauthorized)
      if (typeof server !== "object" || server === null || !registry.adopt(server)) {
        throw new AuthConfigError({
          reason: "malformed",
          option: "server",
          fix: "the value is not an McpServer of the MCP SDK. Pass one, of an SDK version in the peerDependencies of " +
            "effect-mcp-auth"
        })
      }
      const registration = register(handler(what, requirement, own))
      registry.add(registration, requirement)
      return registration
    }
  }
}
