import * as Effect from "effect/Effect"
import * as authorize from "./Authorize.ts"
import * as callback from "./Callback.ts"
import * as consent from "./Consent.ts"
import * as cookies from "./Cookies.ts"
import type { Front, Parts } from "./Front.ts"
import * as pages from "./Pages.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"
import * as transaction from "./Transaction.ts"

/* The endpoints that a browser opens. Most requests are from clients, so this code is loaded with the first request of a browser. */

// One module to load on demand, because bundlers split shared code into more files for each further one.
export { make as makeSignIn } from "../upstream/SignIn.ts"

/** Answers a request of a browser. */
type Answer = (request: ProxyRequest) => Effect.Effect<ProxyResponse>

/** The endpoints that a browser opens. */
export interface Browser {
  readonly authorize: Answer
  readonly consent: Answer
  readonly callback: Answer
}

/** Creates the endpoints with their pages and cookies. */
export const make = (parts: Parts): Effect.Effect<Browser> =>
  Effect.gen(function*() {
    const { appearance, issuer, keys } = parts
    const front: Front = {
      ...parts,
      pages: yield* pages.make(appearance),
      cookies: yield* cookies.make(issuer, keys.mac("browser", "known")),
      transactions: transaction.make(keys, issuer)
    }
    return {
      authorize: (request) => authorize.answer(front, request),
      consent: (request) => consent.answer(front, request),
      callback: (request) => callback.answer(front, request)
    }
  })
