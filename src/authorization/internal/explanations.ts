import * as Effect from "effect/Effect"
import * as base64url from "../../crypto/Base64Url.ts"
import { sanitize } from "../../protocol/RemoteText.ts"
import { attachedTo } from "../../verification/claims/RejectedClaims.ts"
import type { Explanation } from "../Explanation.ts"
import type { ReadToken, RejectedRequest, Setup } from "./explained.ts"
import type * as ExplainRejection from "./explainRejection.ts"

/* Explains rejections. The texts are loaded with the first explanation, because a server that rejects nothing needs none. */

/** The longest token that is decoded, in characters. */
const longestToken = 16 * 1024

let loaded: typeof ExplainRejection | undefined

// Each caller starts a separate import, because in a Worker a request must not wait for another one. If the module cannot be
// loaded, the rejection stays as it is, without an explanation.
const load = Effect.suspend(() =>
  loaded !== undefined ?
    Effect.succeed(loaded) :
    Effect.promise(() => import("./explainRejection.ts").then((module) => loaded = module, () => undefined))
)

/** Reads an unverified token or proof. The text itself never becomes part of an explanation. */
const read = (text: string): ReadToken => {
  const segments = text.length > longestToken ? [] : text.split(".")
  const decode = (index: number) => segments.length < 3 ? {} : base64url.decodeJsonObject(segments[index]!) ?? {}
  return { length: text.length, segments: segments.length, header: decode(0), claims: decode(1) }
}

/** Explains a rejection. An explanation must not affect the decision, so its failure is ignored. */
export const explain = (
  rejected: Omit<RejectedRequest, "proof" | "token">,
  setup: Setup,
  showsValues: boolean
): Effect.Effect<Explanation | undefined> =>
  Effect.map(load, (module) => {
    try {
      const { rejection: { error }, request } = rejected
      const { dpop } = request
      const authorization = setup.tokenHeader?.linesOf(request) ?? request.authorization
      const token = error?._tag !== "InvalidToken" ? undefined : {
        ...read(authorization.length === 1 ? authorization[0]!.trim().split(/\s+/)[1] ?? "" : ""),
        ...attachedTo(error)
      }
      const proof = error?._tag === "InvalidDpopProof" && dpop?.length === 1 ? read(dpop[0]!.trim()) : undefined
      const explanation = module?.explain({ ...rejected, token, proof }, setup, showsValues)
      return explanation && Object.fromEntries(
        Object.entries(explanation).flatMap(([name, text]) => text === undefined ? [] : [[name, sanitize(text)]])
      ) as unknown as Explanation
    } catch {
      return undefined
    }
  })
