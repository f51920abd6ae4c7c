import * as Effect from "effect/Effect"
import * as authorize from "./Authorize.ts"
import * as callback from "./Callback.ts"
import * as consent from "./Consent.ts"
import type { Front, Parts } from "./Front.ts"
import * as pages from "./Pages.ts"
import type { ProxyRequest, ProxyResponse } from "./ProxyRequest.ts"

/* The endpoints that a browser opens. Most requests are from clients, so this code is loaded with the first request of a browser. */

/** Answers a request of a browser. */
type Answer = (request: ProxyRequest) => Effect.Effect<ProxyResponse>

/** The endpoints that a browser opens. */
export interface Browser {
  readonly authorize: Answer
  readonly consent: Answer
  readonly callback: Answer
}

/** Creates the endpoints with their pages. */
export const make = (parts: Parts): Effect.Effect<Browser> =>
  Effect.map(pages.make(parts.appearance), (made) => {
    const front: Front = { ...parts, pages: made }
    return {
      authorize: (request) => authorize.answer(front, request),
      consent: (request) => consent.answer(front, request),
      callback: (request) => callback.answer(front, request)
    }
  })
