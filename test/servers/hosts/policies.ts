/**
 * Operations with policies that combine, for the table of `policies.test.ts`. They are the same on every host. This file uses no
 * module of Node, because it also runs in workerd.
 */
import { Context, Effect, Layer } from "effect"
import { Policy } from "effect-mcp-auth/policy"

/** A service that checks use. The option `layer` provides it. */
export class Owners extends Context.Service<Owners, {
  readonly ownerOf: (id: unknown) => Effect.Effect<string | undefined>
}>()("test/Owners") {}

const owners: Readonly<Record<string, string>> = { "1": "alice", "2": "bob" }

export const layer: Layer.Layer<Owners> = Layer.succeed(Owners, {
  ownerOf: (id) => id === "dies" ? Effect.die("the database is down") : Effect.succeed(owners[String(id)])
})

/**
 * The argument `id`, or the last segment of the URI of a resource. The arguments are those that a client sent, because the hosts with an
 * option `policy` do not know the schema of a tool.
 */
const idOf = ({ arguments: given, target }: Policy.Call) =>
  (given as { readonly id?: unknown } | undefined)?.id ?? /^item:\/\/[^/]+\/([^/]+)$/.exec(target)?.[1]

const isOwner = Policy.check("owner", (caller, call) =>
  Effect.gen(function*() {
    const { ownerOf } = yield* Owners
    return (yield* ownerOf(idOf(call))) === caller.subject
  }))

const isFirst = Policy.check("first", async (_caller, call) => {
  if (idOf(call) === "rejects") throw new Error("a secret of the author's check")
  return idOf(call) === "1"
})

const isStaff = Policy.claim("staff", (value) => value === true)

/** The policies of tools. Each tool has an optional argument `id`. */
export const policies = {
  any_of: Policy.anyOf(Policy.scopes("todos:write"), isStaff),
  all_of: Policy.allOf(Policy.scopes("todos:read"), Policy.scopes("todos:write")),
  choice: Policy.anyOf(Policy.scopes("todos:read"), Policy.scopes("todos:write")),
  write: Policy.scopes("todos:write"),
  role: Policy.role("admin"),
  staff: isStaff,
  edit: Policy.anyOf(Policy.scopes("todos:write"), Policy.allOf(Policy.scopes("todos:read"), isOwner)),
  first: isFirst
}

/** The policies of tools that answer without a challenge. Only hosts that know their tools have them. */
export const denied = { deny_write: Policy.scopes("todos:write") }

/** The policies of tools that are hidden from callers without access. Only hosts that know their tools have them. */
export const hidden = { secret: Policy.role("admin"), secret_edit: Policy.allOf(Policy.role("admin"), isOwner) }

export type Name = keyof typeof policies

const isAlice = Policy.checkCaller("alice", ({ subject }) => Effect.map(Owners, () => subject === "alice"))

/**
 * The policies of resources, templates and prompts. Each entry is a resource `todo://<name>`, a template `item://<name>/{id}` and a
 * prompt with the argument `id`. Only hosts that know their registrations have them.
 */
export const registrations = {
  any_of: { policy: policies.any_of, unauthorized: "challenge" },
  role: { policy: policies.role, unauthorized: "challenge" },
  alice: { policy: isAlice, unauthorized: "challenge" },
  edit: { policy: policies.edit, unauthorized: "challenge" },
  deny_edit: { policy: policies.edit, unauthorized: "deny" },
  secret: { policy: hidden.secret, unauthorized: "hide" },
  secret_edit: { policy: hidden.secret_edit, unauthorized: "hide" },
  open: { policy: Policy.anyone, unauthorized: "challenge" }
} as const

export type Registration = keyof typeof registrations

/** Returns whether the functions of a server have these policies. */
export const areUsedBy = ({ name }: { readonly name: string }): boolean =>
  name === "policies that combine" || name === "policies with broken roles"

/** The option `policy` of `protect`. */
export const policyOf = (
  { kind, target }: { readonly kind: string | undefined; readonly target: string | undefined }
) => {
  if (target === undefined) return undefined
  if (kind === "tool") {
    if (target === "open") return Policy.anyone
    return Object.hasOwn(policies, target) ? policies[target as Name] : undefined
  }
  const name = kind === "resource" ? /^(?:todo|item):\/\/(\w+)/.exec(target)?.[1] ?? "" : target
  return Object.hasOwn(registrations, name) ? registrations[name as Registration].policy : undefined
}
