/** Verifies the tokens of Doorkeeper at its endpoint `/oauth/token/info`, which names the user of a token. */
import { Clock, Effect, Redacted, Schema } from "effect"
import { Audience, AuthError, Profile } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { Fetcher } from "effect-mcp-auth/verification"

export interface Options {
  /** The issuer in the metadata of Doorkeeper, such as `https://auth.example.com`. */
  readonly issuer: string
  /** The ids of the applications whose tokens are accepted. */
  readonly clientIds: readonly [string, ...ReadonlyArray<string>]
}

const TokenInfo = Schema.Struct({
  /** The user. `null` if an application obtained the token for itself. */
  resource_owner_id: Schema.NullOr(Schema.Union([Schema.Int, Schema.String])),
  /** The class of the user. Present if Doorkeeper has users of several classes, whose ids can be equal. */
  resource_owner_type: Schema.optionalKey(Schema.NullOr(Schema.String)),
  scope: Schema.Array(Schema.String),
  /** The remaining lifetime in seconds. `null` if the token does not expire. */
  expires_in: Schema.NullOr(Schema.Int),
  application: Schema.Struct({ uid: Schema.String })
})

const toAnswer = (info: typeof TokenInfo.Type, nowMillis: number): Introspection.Answer => {
  const { resource_owner_id: id, resource_owner_type: type } = info
  return {
    active: true,
    client_id: info.application.uid,
    scope: info.scope.join(" "),
    exp: info.expires_in === null ? null : Math.floor(nowMillis / 1000) + info.expires_in,
    ...(id === null ? { grant_type: "client_credentials" } : { sub: type == null ? String(id) : `${type}:${id}` })
  }
}

export const doorkeeper = ({ clientIds, issuer }: Options) => {
  const unavailable = (reason: AuthError.AuthorizationServerUnavailable["reason"]) =>
    new AuthError.AuthorizationServerUnavailable({ reason, issuer, retryAfter: 1 })

  const lookUp: Introspection.LookUp<Fetcher.Fetcher> = Effect.fnUntraced(function*(token) {
    const { send } = yield* Fetcher.Fetcher
    const { body, status } = yield* send({
      method: "GET",
      url: new URL("/oauth/token/info", issuer).href,
      headers: { accept: "application/json", authorization: `Bearer ${Redacted.value(token)}` },
      maximumBytes: 16_384,
      readsBody: ({ status }) => status === 200
    }).pipe(Effect.mapError(() => unavailable("network")))
    if (status === 401) return { active: false }
    // Every other status, such as that of a redirect, does not show whether the token is valid.
    if (status !== 200) return yield* Effect.fail(unavailable("server-error"))
    const info = yield* Schema.decodeEffect(Schema.fromJsonString(TokenInfo))(new TextDecoder().decode(body)).pipe(
      Effect.mapError(() => unavailable("unusable-answer"))
    )
    return toAnswer(info, yield* Clock.currentTimeMillis)
  })

  return {
    profile: Profile.make({
      id: "doorkeeper",
      name: "Doorkeeper",
      issuer,
      // Tokens name no resource. They are valid at every server that accepts tokens of these clients.
      audience: Audience.clientIds(clientIds),
      boundTo: "client",
      machineMarks: [{ claim: "grant_type", values: ["client_credentials"] }],
      opaque: { issued: "always", verifiedBy: "call", hint: "every token is opaque, with 43 characters" }
    }),
    introspection: Introspection.lookUp(lookUp)
  }
}
