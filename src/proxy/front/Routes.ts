import * as Effect from "effect/Effect"
import * as answers from "./Answers.ts"
import type { Browser } from "./Browser.ts"
import type { Parts } from "./Front.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"
import * as tokenEndpoint from "./TokenEndpoint.ts"

/* Answers the requests to the endpoints of the proxy. Hosts only translate requests and responses. */

/** Returns the metadata of the authorization server (RFC 8414 §2). */
export const metadataOf = (front: Parts) => ({
  issuer: front.issuer,
  authorization_endpoint: front.urls.authorize,
  token_endpoint: front.urls.token,
  registration_endpoint: front.urls.register,
  revocation_endpoint: front.urls.revoke,
  jwks_uri: front.urls.jwks,
  scopes_supported: [...new Set(front.resources.flatMap(({ offered }) => offered))],
  response_types_supported: ["code"],
  response_modes_supported: ["query"],
  grant_types_supported: ["authorization_code", "refresh_token"],
  token_endpoint_auth_methods_supported: front.clients.methods,
  revocation_endpoint_auth_methods_supported: front.clients.methods,
  code_challenge_methods_supported: ["S256"],
  authorization_response_iss_parameter_supported: true,
  ...(front.hasDocuments ? { client_id_metadata_document_supported: true } : {})
})

interface Route {
  readonly method: "GET" | "POST"
  /** Whether pages of every origin may call the endpoint. Endpoints with cookies are closed to them. */
  readonly isOpen: boolean
  /** Whether a GET request changes something, so that HEAD is not answered. Default: no. */
  readonly hasEffect?: true
  readonly answer: (request: ProxyRequest) => Effect.Effect<ProxyResponse>
}

/** The routes of a proxy. */
export interface Routes {
  /** The paths of the endpoints. */
  readonly paths: ReadonlyArray<string>
  /** Answers a request. Returns `undefined` for a path that is not one of the proxy. */
  readonly answer: (request: ProxyRequest) => Effect.Effect<ProxyResponse> | undefined
}

/** Answers a defect with status 500. Express 4 and `node:http` would end the process because of a rejected promise. */
const safely = (route: Route, request: ProxyRequest): Effect.Effect<ProxyResponse> =>
  Effect.catchDefect(
    route.answer(request),
    (defect) => Effect.as(Effect.logError(`The endpoint ${request.path} failed`, defect), answers.defect)
  )

/** Creates the routes of the proxy. */
export const routesOf = (front: Parts): Routes => {
  const pathOf = (url: string) => new URL(url).pathname
  const { urls } = front
  let browser: Browser | undefined
  const load = Effect.flatMap(Effect.promise(() => import("./Browser.ts")), (loaded) => loaded.make(front))
  const ofBrowser = (name: keyof Browser): Route["answer"] => (request) =>
    browser !== undefined ? browser[name](request) : Effect.flatMap(load, (made) => {
      browser = made
      return made[name](request)
    })
  const fixed = (content: unknown): Route["answer"] => {
    const response = Effect.succeed(answers.document(content))
    return () => response
  }
  const routes = new Map<string, Route>([
    [pathOf(urls.metadata), { method: "GET", isOpen: true, answer: fixed(metadataOf(front)) }],
    [pathOf(urls.jwks), { method: "GET", isOpen: true, answer: fixed({ keys: front.keys.publicKeys }) }],
    [pathOf(urls.authorize), { method: "GET", isOpen: false, answer: ofBrowser("authorize") }],
    [pathOf(urls.consent), { method: "POST", isOpen: false, answer: ofBrowser("consent") }],
    [pathOf(urls.callback), { method: "GET", isOpen: false, hasEffect: true, answer: ofBrowser("callback") }],
    [pathOf(urls.token), { method: "POST", isOpen: true, answer: (request) => tokenEndpoint.answer(front, request) }],
    [pathOf(urls.revoke), { method: "POST", isOpen: true, answer: (request) => tokenEndpoint.revoke(front, request) }],
    [pathOf(urls.register), {
      method: "POST",
      isOpen: true,
      answer: (request) => tokenEndpoint.register(front, request)
    }]
  ])
  return {
    paths: [...routes.keys()],
    answer: (request) => {
      const route = routes.get(request.path)
      if (route === undefined) return undefined
      const answersHead = route.method === "GET" && route.hasEffect !== true
      const methods = answersHead ? "GET, HEAD" : route.method
      if (request.method === route.method) return safely(route, request)
      if (request.method === "HEAD" && answersHead) {
        return Effect.map(safely(route, { ...request, method: "GET" }), (response) => ({ ...response, body: "" }))
      }
      return Effect.succeed(
        request.method === "OPTIONS" && route.isOpen
          ? answers.preflight(`${methods}, OPTIONS`)
          : answers.notAllowed(methods)
      )
    }
  }
}
