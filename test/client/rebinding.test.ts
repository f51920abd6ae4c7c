/**
 * Names whose addresses change between the check of a client and its connection (DNS rebinding). The servers, connections and look-ups
 * are real; the look-ups of one name have other results in this file.
 */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Exit, Redacted, Scope } from "effect"
import { Grant, McpAuthClient } from "effect-mcp-auth/client"
import { Connections, DeviceAuthorization } from "effect-mcp-auth/sign-in"
import { MemoryStore, RecordStore } from "effect-mcp-auth/store"
import { TestIssuer } from "effect-mcp-auth/testing"
import dns from "node:dns"
import { createServer, type RequestListener, type Server } from "node:http"
import { syncBuiltinESMExports } from "node:module"
import { createServer as createSocketServer, type Server as SocketServer } from "node:net"

const host = "rebound.example"
/** The name is public when it is looked up for the first time, and on this machine afterwards. */
const addresses = { first: "93.184.216.34", later: "127.0.0.1" }

const state = { lookups: 0, connections: 0, handler: undefined as RequestListener | undefined }
const { lookup } = dns
const { lookup: lookupPromise } = dns.promises
let trap: SocketServer
let server: Server

const portOf = (listening: { readonly address: () => unknown }) =>
  (listening.address() as { readonly port: number }).port

beforeAll(async () => {
  const next = () => ({ address: state.lookups++ === 0 ? addresses.first : addresses.later, family: 4 })
  dns.lookup = ((name: string, ...rest: [{ readonly all?: boolean }, (...found: Array<unknown>) => void]) => {
    if (name !== host) return Reflect.apply(lookup, dns, [name, ...rest])
    const { address, family } = next()
    const [options, callback] = rest
    process.nextTick(() =>
      options.all === true ? callback(null, [{ address, family }]) : callback(null, address, family)
    )
  }) as typeof dns.lookup
  dns.promises.lookup = ((name: string, options?: { readonly all?: boolean }) =>
    name !== host
      ? Reflect.apply(lookupPromise, dns.promises, [name, options])
      : Promise.resolve(options?.all === true ? [next()] : next())) as typeof dns.promises.lookup
  syncBuiltinESMExports()
  trap = createSocketServer((socket) => {
    state.connections++
    socket.destroy()
  })
  server = createServer((request, response) => state.handler!(request, response))
  await Promise.all(
    [trap, server].map((each) => new Promise<void>((resolve) => each.listen(0, "127.0.0.1", () => resolve())))
  )
})

afterAll(() => {
  dns.lookup = lookup
  dns.promises.lookup = lookupPromise
  syncBuiltinESMExports()
  trap.close()
  server.close()
})

afterEach(() => {
  state.lookups = 0
  state.connections = 0
})

const client = { name: "Test" }

/**
 * Serves an MCP server and its authorization server on loopback. `members` replaces members of the metadata with URLs on the name, and
 * `authorizationServer` is the issuer in the metadata of the MCP server.
 */
const serve = (members: ReadonlyArray<string>, authorizationServer?: string) =>
  Effect.promise(async () => {
    const origin = `http://127.0.0.1:${portOf(server)}`
    const elsewhere = `https://${host}:${portOf(trap)}`
    const resource = `${origin}/mcp`
    const issuer = await TestIssuer.start({
      issuer: origin,
      resource,
      signIn: "immediate",
      clients: { machine: { secret: "secret" } },
      metadata: {
        revocation_endpoint: `${origin}/revoke`,
        ...Object.fromEntries(members.map((member) => [member, `${elsewhere}/${member}`]))
      }
    })
    state.handler = (request, response) => {
      if (request.url === "/.well-known/oauth-protected-resource/mcp") {
        const authorization_servers = [authorizationServer === undefined ? origin : elsewhere]
        response.writeHead(200, { "content-type": "application/json" })
        response.end(JSON.stringify({ resource, authorization_servers, scopes_supported: ["todos:read"] }))
      } else if (request.url === "/mcp") {
        response.writeHead(request.headers.authorization === undefined ? 401 : 200).end()
      } else issuer.listener(request, response)
    }
    return { origin, resource }
  })

/** Sends a request of a client with a grant, and returns the error. */
const failureOf = (resource: string, grant: Grant.Grant) =>
  Effect.promise(async () => {
    const auth = await McpAuthClient.make({ resource, grant })
    const error: unknown = await auth.fetch(resource).then(() => undefined, (error: unknown) => error)
    await auth.dispose()
    return error as { readonly _tag: string }
  })

const machine = (issuer: string | typeof Grant.anyIssuer) =>
  Grant.clientCredentials({ issuer, clientId: "machine", clientSecret: Redacted.make("secret") })

/** Creates the connections of an application, and the function that sends a request of an account. */
const application = Effect.fnUntraced(function*(issuer: string, resource: string) {
  const store = yield* MemoryStore.make()
  const connections = yield* Connections.make({
    client,
    redirectUri: "https://app.example.com/callback",
    allowIssuers: [issuer]
  }).pipe(Effect.provideService(RecordStore.RecordStore, store))
  const call = Effect.tryPromise({
    try: () => connections.fetch({ account: "alice", resource })(resource),
    catch: (error) => error as { readonly _tag: string; readonly url: string }
  })
  /** The URL of the callback with which the person returns. */
  const callback = Effect.flatMap(
    Effect.flip(call),
    ({ url }) =>
      Effect.promise(async () => ({ url: (await fetch(url, { redirect: "manual" })).headers.get("location")! }))
  )
  return { ...connections, call, callback }
})

/** Each kind of request, sent to the name after a check has seen a public address. */
const kinds: Readonly<Record<string, Effect.Effect<unknown, unknown, Scope.Scope>>> = {
  "metadata of an authorization server": Effect.gen(function*() {
    const { resource } = yield* serve([], "named by the MCP server")
    assert.strictEqual((yield* failureOf(resource, machine(Grant.anyIssuer)))._tag, "Unavailable")
  }),
  "client credentials": Effect.gen(function*() {
    const { origin, resource } = yield* serve(["token_endpoint"])
    assert.strictEqual((yield* failureOf(resource, machine(origin)))._tag, "Unavailable")
  }),
  "a registration": Effect.gen(function*() {
    const { origin, resource } = yield* serve(["registration_endpoint"])
    const { call } = yield* application(origin, resource)
    assert.strictEqual((yield* Effect.flip(call))._tag, "Unavailable")
  }),
  "a code": Effect.gen(function*() {
    const { origin, resource } = yield* serve(["token_endpoint"])
    const { callback, complete } = yield* application(origin, resource)
    const error = yield* Effect.flip(complete(yield* callback, { account: "alice" }))
    assert.strictEqual(error._tag, "Unavailable")
  }),
  "a revocation": Effect.gen(function*() {
    const { origin, resource } = yield* serve(["revocation_endpoint"])
    const { call, callback, complete, disconnect } = yield* application(origin, resource)
    yield* complete(yield* callback, { account: "alice" })
    assert.strictEqual((yield* call).status, 200)
    assert.deepStrictEqual(yield* disconnect({ account: "alice" }), [{ account: "alice", resource, isRevoked: false }])
  }),
  "a sign-in on another device": Effect.gen(function*() {
    const { origin, resource } = yield* serve(["device_authorization_endpoint"])
    const grant = DeviceAuthorization.grant({
      client,
      allowIssuers: [{ issuer: origin, clientId: "machine", clientSecret: Redacted.make("secret") }],
      prompt: () => assert.fail("The client must not reach the authorization server"),
      store: MemoryStore.make()
    })
    assert.strictEqual((yield* failureOf(resource, grant))._tag, "Unavailable")
  })
}

describe("a name that is public when it is checked, and on this machine when the client connects", () => {
  it.live.each(Object.keys(kinds))("2: opens no connection for %s", (kind) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Effect.provideService(kinds[kind]!, Scope.Scope, scope)
      yield* Scope.close(scope, Exit.void)
      assert.isAbove(state.lookups, 1)
      assert.strictEqual(state.connections, 0)
    }))

  it("is reached by fetch, so these tests would notice a missing check", async () => {
    state.lookups = 1
    await fetch(`https://${host}:${portOf(trap)}/`).catch(() => {})
    assert.strictEqual(state.connections, 1)
  })
})
