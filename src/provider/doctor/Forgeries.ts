import { base64 } from "../report/Json.ts"

/** An invalid token. A server that repeats it in a response would also repeat a real token. */
export const invalidToken = "effect-mcp-auth-doctor-this-is-not-a-token"

/** Creates tokens with plausible claims and without a valid signature. */
export const makeForgeries = (
  issuer: string,
  resource: string,
  seconds: number
): ReadonlyArray<{ readonly name: string; readonly token: string }> => {
  const segment = (value: unknown) =>
    base64(JSON.stringify(value)).replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_")
  const claims = {
    iss: issuer,
    aud: resource,
    sub: "effect-mcp-auth-doctor",
    client_id: "effect-mcp-auth-doctor",
    scope: "openid",
    // The token claims to be older than the keys that the server has cached, so that its unknown key does not make the server
    // fetch them again.
    iat: seconds - 120,
    exp: seconds + 300
  }
  const signature = segment("x".repeat(60))
  return [
    { name: "alg none", token: `${segment({ alg: "none", typ: "at+jwt" })}.${segment(claims)}.` },
    {
      name: "an invalid signature",
      token: `${segment({ alg: "RS256", typ: "at+jwt" })}.${segment(claims)}.${signature}`
    },
    { name: "HMAC", token: `${segment({ alg: "HS256", typ: "at+jwt" })}.${segment(claims)}.${signature}` }
  ]
}
