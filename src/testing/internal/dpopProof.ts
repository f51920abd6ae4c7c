import { calculateJwkThumbprint, EmbeddedJWK, type JWK, jwtVerify } from "jose"
import { type EndpointRequest, type IssuerState, reject } from "./endpoints.ts"

/** Verifies a proof (RFC 9449 §4.3). Returns the thumbprint of its key, or the error response (§5, §8). */
export const verifyProof = async (
  proof: string,
  { method, url }: EndpointRequest,
  { now }: IssuerState,
  nonce: string | undefined
): Promise<string | Response> => {
  const verified = await jwtVerify(proof, EmbeddedJWK, {
    typ: "dpop+jwt",
    requiredClaims: ["jti", "htm", "htu", "iat"],
    maxTokenAge: 60,
    clockTolerance: 5,
    currentDate: new Date(now * 1000)
  }).catch(() => undefined)
  const { origin, pathname } = new URL(url)
  if (verified?.payload["htm"] !== method || verified.payload["htu"] !== `${origin}${pathname}`) {
    return reject("invalid_dpop_proof", "the proof is not for this request")
  }
  return nonce === undefined || verified.payload["nonce"] === nonce
    ? calculateJwkThumbprint(verified.protectedHeader.jwk as JWK)
    : reject("use_dpop_nonce", "the proof must contain the nonce of the DPoP-Nonce header", 400, {
      "dpop-nonce": nonce
    })
}
