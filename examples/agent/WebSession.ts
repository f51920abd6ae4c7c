/** The web sessions of the application: a cookie with a random secret, and a record that names the account. */
import { Effect } from "effect"
import { RecordStore } from "effect-mcp-auth/store"
import { HttpServerRequest, HttpServerResponse } from "effect/http"

const cookie = "agent-session"

/** The key of the record contains only the hash, so that a reader of the store cannot take over a session. */
const toKey = (secret: string) =>
  Effect.promise(async () => {
    const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(secret))
    return `agent:session:${Buffer.from(hash).toString("base64url")}`
  })

export interface Options {
  readonly account: string
  /** Whether the browser sends the cookie over https only. */
  readonly isSecure: boolean
}

/** Begins a session, and adds its cookie to a response. */
export const begin = Effect.fnUntraced(function*(
  { account, isSecure }: Options,
  response: HttpServerResponse.HttpServerResponse
) {
  const store = yield* RecordStore.RecordStore
  const secret = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
  yield* store.put(yield* toKey(secret), account, { lifetime: "1 day", expected: "absent" })
  return yield* HttpServerResponse.setCookie(response, cookie, secret, {
    httpOnly: true,
    path: "/",
    // The redirect of an authorization server sends the cookie, and a form of another site does not.
    sameSite: "lax",
    secure: isSecure
  })
})

/** The account of the session in which the request arrives, or `undefined`. */
export const account = Effect.gen(function*() {
  const store = yield* RecordStore.RecordStore
  const { cookies } = yield* HttpServerRequest.HttpServerRequest
  const secret = cookies[cookie]
  return secret === undefined ? undefined : (yield* store.get(yield* toKey(secret)))?.value
})
