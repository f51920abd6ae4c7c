/** Verifies the tokens of Django OAuth Toolkit by introspection, which names the user of a token in `username`. */
import { Effect, Redacted, Schema } from "effect"
import { Audience, AuthError, Profile } from "effect-mcp-auth"
import { Introspection } from "effect-mcp-auth/introspection"
import { Fetcher } from "effect-mcp-auth/verification"

export interface Options {
  /** The issuer in the metadata, such as `https://auth.example.com/o`. */
  readonly issuer: string
  /** The ids of the applications whose tokens are accepted. */
  readonly clientIds: readonly [string, ...ReadonlyArray<string>]
  /** The id and the secret of a confidential application, with which this server calls the introspection endpoint. */
  readonly introspector: { readonly clientId: string; readonly clientSecret: Redacted.Redacted }
}

const Inactive = Schema.Struct({ active: Schema.Literal(false) })

const Active = Schema.Struct({
  active: Schema.Literal(true),
  scope: Schema.String,
  exp: Schema.Int,
  client_id: Schema.optionalKey(Schema.String),
  /** The user. Missing if an application obtained the token for itself. */
  username: Schema.optionalKey(Schema.String)
})

const Answer = Schema.fromJsonString(Schema.Union([Inactive, Active]))

export const djangoOauthToolkit = ({ clientIds, introspector, issuer }: Options) => {
  const unavailable = (reason: AuthError.AuthorizationServerUnavailable["reason"]) =>
    new AuthError.AuthorizationServerUnavailable({ reason, issuer, retryAfter: 1 })

  const lookUp: Introspection.LookUp<Fetcher.Fetcher> = Effect.fnUntraced(function*(token) {
    const { send } = yield* Fetcher.Fetcher
    const { body, status } = yield* send({
      method: "POST",
      // Django's URLs end with a slash. The metadata does not contain this one.
      url: `${issuer}/introspect/`,
      headers: {
        accept: "application/json",
        authorization: `Basic ${btoa(`${introspector.clientId}:${Redacted.value(introspector.clientSecret)}`)}`,
        "content-type": "application/x-www-form-urlencoded"
      },
      body: new URLSearchParams({ token: Redacted.value(token) }).toString(),
      maximumBytes: 16_384,
      readsBody: ({ status }) => status === 200
    }).pipe(Effect.mapError(() => unavailable("network")))
    // If the endpoint rejects the secret, it returns 403 without a body.
    if (status !== 200) return yield* Effect.fail(unavailable(status === 403 ? "client-rejected" : "server-error"))
    const answer = yield* Schema.decodeEffect(Answer)(new TextDecoder().decode(body)).pipe(
      Effect.mapError(() => unavailable("unusable-answer"))
    )
    if (!answer.active) return answer
    const { username, ...claims } = answer
    return { ...claims, ...(username === undefined ? { grant_type: "client_credentials" } : { sub: username }) }
  })

  return {
    profile: Profile.make({
      id: "django-oauth-toolkit",
      name: "Django OAuth Toolkit",
      issuer,
      // Tokens name no resource. They are valid at every server that accepts tokens of these clients.
      audience: Audience.clientIds(clientIds),
      boundTo: "client",
      machineMarks: [{ claim: "grant_type", values: ["client_credentials"] }],
      opaque: { issued: "always", verifiedBy: "introspection", hint: "every token is opaque, with 30 characters" }
    }),
    introspection: Introspection.lookUp(lookUp)
  }
}
