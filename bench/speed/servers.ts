/** The servers of this library, and servers without protection. Each server loads only the packages that it uses. */
import { Context, Effect, Layer } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { KeyObject, verify } from "node:crypto"
import { createServer } from "node:http"
import { type Make, onEffect, options, quiet } from "./onEffect.ts"
import { answer } from "./Subject.ts"
import { toolServers } from "./toolServers.ts"

const guardedRoute = async (issuer: string, resource: string, signatures: "default" | "jose") => {
  const { AuthLayer, Principal } = await import("effect-mcp-auth")
  const own = signatures === "jose" ? (await import("effect-mcp-auth/verification")).Signature.layerJose : Layer.empty
  const Auth = AuthLayer.make(options(issuer, resource))
  return HttpRouter.add("GET", "/mcp", Effect.map(Principal, () => HttpServerResponse.text(answer))).pipe(
    Layer.provide(Layer.provide(Auth, own))
  )
}

const openRoute = (path: `/${string}`) => HttpRouter.add("GET", path, Effect.succeed(HttpServerResponse.text(answer)))

class Caller extends Context.Service<Caller, { readonly subject: string | undefined }>()("bench/Caller") {}

const greeting = Effect.map(Caller, () => HttpServerResponse.text(answer))

const bearerOf = ({ headers }: HttpServerRequest.HttpServerRequest): string =>
  headers["authorization"]?.slice("Bearer ".length) ?? ""

const unauthorized = HttpServerResponse.empty({ status: 401, headers: { "www-authenticate": "Bearer" } })

/** Returns a middleware that calls jose for each token, as a server without an authorization library would. */
const plainJose = async (issuer: string, resource: string) => {
  const { createRemoteJWKSet, jwtVerify } = await import("jose")
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
  return HttpRouter.middleware<{ provides: Caller }>()(Effect.succeed((app) =>
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const { payload } = yield* Effect.tryPromise(() =>
        jwtVerify(bearerOf(request), keys, { issuer, audience: resource, typ: "at+jwt" })
      )
      if (typeof payload["scope"] !== "string" || !payload["scope"].split(" ").includes("todos:read")) {
        return HttpServerResponse.empty({ status: 403 })
      }
      return yield* Effect.provideService(app, Caller, { subject: payload.sub })
    }).pipe(Effect.catchTag("UnknownError", () => Effect.succeed(unauthorized)))
  )).layer
}

/**
 * A lower bound: a middleware that provides a service to the handler, as every gate must, and verifies at most a signature. It
 * checks no claim, so it is not secure, and no secure gate can take less time.
 */
const floorRoute = (path: `/${string}`, isSigned?: (token: string) => Effect.Effect<boolean, unknown>) =>
  HttpRouter.add("GET", path, greeting).pipe(
    Layer.provide(
      HttpRouter.middleware<{ provides: Caller }>()(Effect.succeed((app) => {
        const entered = Effect.provideService(app, Caller, { subject: "constant" })
        if (isSigned === undefined) return entered
        return Effect.withFiber((fiber) => {
          const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
          return Effect.matchEffect(isSigned(bearerOf(request)), {
            onSuccess: (signed) => signed ? entered : Effect.succeed(unauthorized),
            onFailure: () => Effect.succeed(unauthorized)
          })
        })
      })).layer
    )
  )

/** Returns the public key that verifies tokens of this algorithm. */
const keyOf = async (issuer: string, algorithm: string) => {
  const { importJWK } = await import("jose")
  const { keys } = await (await fetch(`${issuer}/jwks`)).json() as { readonly keys: ReadonlyArray<{ alg?: string }> }
  const key = await importJWK(keys.find(({ alg }) => alg === algorithm)!, algorithm)
  if (key instanceof Uint8Array) throw new Error("a public key, not a secret")
  return key
}

const floorOfJose = async (issuer: string) => {
  const { compactVerify } = await import("jose")
  const key = await keyOf(issuer, "RS256")
  return onEffect(
    floorRoute("/mcp", (token) =>
      Effect.as(
        Effect.tryPromise(() => compactVerify(token, key, { algorithms: ["RS256"] })),
        true
      ))
  )
}

const floorOfNodeCrypto = async (issuer: string) => {
  const key = KeyObject.from(await keyOf(issuer, "RS256"))
  return onEffect(floorRoute("/mcp", (token) => {
    const end = token.lastIndexOf(".")
    const signed = verify(
      "sha256",
      Buffer.from(token.slice(0, end), "latin1"),
      key,
      Buffer.from(token.slice(end + 1), "base64url")
    )
    return Effect.succeed(signed)
  }))
}

// By default this library logs decisions. The other libraries log none, so logging is off in the comparison.
const onNode = async (issuer: string, resource: string) => {
  const { McpAuthNode } = await import("effect-mcp-auth/node")
  return McpAuthNode.make({ ...options(issuer, resource), layer: quiet })
}

export const servers: Readonly<Record<string, Make>> = {
  "effect": () => onEffect(openRoute("/mcp")),
  "effect + effect-mcp-auth": async (issuer, resource) => onEffect(await guardedRoute(issuer, resource, "default")),
  "effect + effect-mcp-auth, jose": async (issuer, resource) => onEffect(await guardedRoute(issuer, resource, "jose")),
  "effect, three routes": async (issuer, resource) =>
    onEffect(Layer.mergeAll(await guardedRoute(issuer, resource, "default"), openRoute("/open"), floorRoute("/floor"))),
  "effect + jose": async (issuer, resource) =>
    onEffect(
      HttpRouter.add("GET", "/mcp", greeting).pipe(Layer.provide(await plainJose(issuer, resource)))
    ),
  "floor, jose": floorOfJose,
  "floor, node:crypto": floorOfNodeCrypto,
  "express + effect-mcp-auth": async (issuer, resource) => {
    const { default: express } = await import("express")
    const auth = await onNode(issuer, resource)
    const app = express()
    app.get("/mcp", auth.protectRoute({ scopes: ["todos:read"] }), (_, response) => void response.send(answer))
    return createServer(app)
  },
  "node:http": () => createServer((_, response) => void response.end(answer)),
  "node:http + effect-mcp-auth": async (issuer, resource) => {
    const auth = await onNode(issuer, resource)
    const protect = auth.protectRoute({ scopes: ["todos:read"] })
    return createServer((request, response) => void protect(request, response, () => response.end(answer)))
  },
  "node:http + effect-mcp-auth, DPoP": async (issuer, resource) => {
    const { Dpop } = await import("effect-mcp-auth/dpop")
    const { McpAuthNode } = await import("effect-mcp-auth/node")
    const auth = await McpAuthNode.make({ ...options(issuer, resource), dpop: Dpop.optional(), layer: quiet })
    const protect = auth.protectRoute({ scopes: ["todos:read"] })
    return createServer((request, response) => void protect(request, response, () => response.end(answer)))
  },
  ...toolServers
}
