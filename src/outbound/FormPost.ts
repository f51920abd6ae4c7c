import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { type AuthConfigError, AuthorizationServerUnavailable, type InvalidMetadata } from "../protocol/AuthError.ts"
import * as HttpUri from "../protocol/HttpUri.ts"
import { type JsonObject, parseObject } from "../protocol/Json.ts"
import * as ClientAuthentication from "./ClientAuthentication.ts"
import { Discovery, type Source } from "./Discovery.ts"
import { Fetcher, type Head, isRedirect } from "./Fetcher.ts"
import { retryAfterOf } from "./internal/retryAfter.ts"
import { isJson, type Purpose } from "./JsonDocument.ts"

/** Limits for one request: the size of the response, and the time until it is complete, which a form can replace. */
const limit = { bytes: 128 * 1024, time: Duration.seconds(5) }

export interface Answered {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Head["headers"]
  /** The media type in lower case, without parameters. */
  readonly contentType: string
  readonly body: Uint8Array
}

export interface Form {
  readonly url: string
  readonly accept: string
  readonly proof: ClientAuthentication.Proof
  readonly parameters: ReadonlyArray<readonly [name: string, value: string]>
  /** Responses that are returned to the caller although they are no success. Redirects are never followed. */
  readonly reads?: ReadonlyArray<401 | 403 | "redirect"> | undefined
  /** The time until the response is complete. Default: 5 seconds. */
  readonly timeLimit?: Duration.Duration | undefined
}

type Reason = AuthorizationServerUnavailable["reason"]

/**
 * Posts a form that contains secrets: over https (or http, on loopback or with `allowInsecureHttp`), without redirects, with a
 * response of at most 128 KiB, within the time limit. Fails with `AuthorizationServerUnavailable` if there is no usable response (no
 * connection, 3xx, 429, 5xx, too large, too late, or a 401 or 403 that `form.reads` does not list). None of these failures
 * means that a token is invalid.
 */
export const postForm = (
  fetcher: Fetcher["Service"],
  form: Form,
  { allowInsecureHttp, issuer }: Purpose
): Effect.Effect<Answered, AuthorizationServerUnavailable> => {
  // Temporary failures may be retried after 1 second. Failures that need a change of the configuration get 30 seconds.
  const unavailable = (
    reason: Reason,
    retryAfter = reason === "client-rejected" || reason === "unusable-answer" ? 30 : 1,
    code?: string
  ) => Effect.fail(new AuthorizationServerUnavailable({ reason, issuer, retryAfter, code }))

  if (!URL.canParse(form.url) || !(allowInsecureHttp || HttpUri.isSecure(new URL(form.url)))) {
    return unavailable("unusable-answer")
  }
  const faultOf = ({ status }: Head): Reason | undefined =>
    isRedirect(status)
      ? form.reads?.includes("redirect") === true ? undefined : "unusable-answer"
      : (status === 401 || status === 403) && form.reads?.includes(status) !== true
      ? "client-rejected"
      : status >= 500 || status === 429
      ? "server-error"
      : undefined

  return Effect.suspend(() =>
    fetcher.send({
      method: "POST",
      url: form.url,
      headers: {
        ...form.proof.headers,
        accept: form.accept,
        "content-type": "application/x-www-form-urlencoded"
      },
      body: new URLSearchParams([
        ...form.parameters.map(([name, value]) => [name, value]),
        ...Object.entries(form.proof.parameters)
      ]).toString(),
      maximumBytes: limit.bytes,
      readsBody: (head) => !isRedirect(head.status) && faultOf(head) === undefined
    })
  ).pipe(
    Effect.catch(({ code, reason }) =>
      reason === "too-large" ? unavailable("unusable-answer") : unavailable("network", 1, code)
    ),
    Effect.flatMap((response) => {
      const { body, headers, status } = response
      const fault = faultOf(response)
      if (fault !== undefined) return unavailable(fault, fault === "server-error" ? retryAfterOf(headers) : undefined)
      const contentType = (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase()
      return Effect.succeed<Answered>({ status, headers, contentType, body })
    }),
    Effect.timeoutOrElse({ duration: form.timeLimit ?? limit.time, orElse: () => unavailable("timeout") }),
    // A custom fetcher may throw. The defect is not logged, because it may contain the request and thereby a token.
    Effect.catchDefect(() =>
      Effect.andThen(
        Effect.logError(`The HTTP client threw an exception while it sent a request to ${new URL(form.url).origin}`),
        unavailable("network")
      )
    )
  )
}

/** Posts a form to one endpoint, with the credentials of this server. */
export type PostToEndpoint = (
  form: Omit<Form, "proof" | "url">
) => Effect.Effect<Answered, AuthorizationServerUnavailable | InvalidMetadata>

/**
 * Creates the function that posts forms to an endpoint of an authorization server. The URL is `endpoint` of `options`, or else
 * the metadata member `member`. `option` is the path of `options` in errors.
 */
export const toEndpoint = Effect.fnUntraced(function*(
  server: Source,
  member: "introspection_endpoint" | "token_endpoint",
  options: ClientAuthentication.ClientAuthentication & { readonly endpoint?: string | undefined },
  option: string
): Effect.fn.Return<PostToEndpoint, AuthConfigError, Discovery | Fetcher> {
  const { endpoint } = options
  const discovery = yield* Discovery
  const fetcher = yield* Fetcher
  const prove = yield* ClientAuthentication.make(options, { issuer: server.issuer, option })
  return Effect.fnUntraced(function*(form) {
    const url = endpoint ?? (yield* discovery.metadata(server, member))[member]!
    return yield* postForm(fetcher, { ...form, url, proof: yield* prove }, server)
  })
})

/** Returns the JSON object of a response, or `undefined` if its content type is not JSON or its body is not a JSON object. */
export const readObject = ({ body, contentType }: Answered): JsonObject | undefined =>
  isJson(contentType) ? parseObject(body) : undefined
