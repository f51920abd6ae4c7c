import type * as McpServer from "effect/ai/McpServer"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { sanitizeCause } from "../../../protocol/RemoteText.ts"
import { Principal } from "../../../verification/Principal.ts"
import * as Registry from "./registry.ts"

/*
 * Sends updates of resources to a local caller only if the policy of the resource admits the caller.
 *
 * Effect's server runs no middleware for subscriptions, and accepts a subscription to any URI. So the updates are filtered.
 */

type Server = McpServer.McpServer["Service"]

const filtered = new WeakSet<Server>()

/**
 * Filters the updates that a server sends. Every client of the server is the caller of `services`. If the program serves the same
 * server over HTTP as well, the filter applies to those clients too.
 */
export const filterUpdates = (server: Server, services: Context.Context<never>): void => {
  if (filtered.has(server)) return
  filtered.add(server)
  const isAdmitted = makeIsAdmitted(server, services)
  const { notifications } = server
  const update: typeof notifications["notifications/resources/updated"] = (payload, options) =>
    Effect.flatMap(
      isAdmitted(payload.uri),
      (admitted) =>
        admitted
          ? notifications["notifications/resources/updated"](payload, options)
          : Effect.void as Effect.Effect<any>
    )
  Object.defineProperty(server, "notifications", {
    value: new Proxy(notifications, {
      get: (target, name) => name === "notifications/resources/updated" ? update : Reflect.get(target, name)
    }),
    configurable: true,
    enumerable: true
  })
}

const makeIsAdmitted = (server: Server, services: Context.Context<never>) => {
  const policyFor = Registry.makePolicyFor(server)
  const principal = Context.getUnsafe(services as Context.Context<Principal>, Principal)
  return (uri: string): Effect.Effect<boolean> =>
    Effect.suspend(() => {
      const method = "resources/subscribe"
      const params = { uri }
      const policy = policyFor({ method, kind: "resource", target: uri, params, isNotification: false })
      if (policy === undefined) return Effect.succeed(true)
      const { rule, scopes } = policy
      if (rule === undefined) return Effect.succeed(scopes.every((scope) => principal.scopes.has(scope)))
      const evaluated = rule.evaluator.evaluateCall(rule, principal, { method, target: uri, arguments: undefined }, {})
      const verdict = Effect.isEffect(evaluated)
        ? Effect.provideContext(evaluated, services)
        : Effect.succeed(evaluated)
      return Effect.map(verdict, ({ _tag }) => _tag === "Granted")
    }).pipe(Effect.catchDefect((defect) =>
      Effect.as(
        Effect.logError(
          "The check of a policy failed, so an update of its resource is not sent",
          sanitizeCause(Cause.die(defect))
        ),
        false
      )
    ))
}
