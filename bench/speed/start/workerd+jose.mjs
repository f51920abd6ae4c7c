import { env } from "cloudflare:workers"
import { createRemoteJWKSet, jwtVerify } from "jose"

const keys = createRemoteJWKSet(new URL(`${env.ISSUER}/jwks`))

export default {
  fetch: async (request) => {
    const token = request.headers.get("authorization")?.slice("Bearer ".length) ?? ""
    const options = { issuer: env.ISSUER, audience: env.RESOURCE, typ: "at+jwt" }
    const { payload } = await jwtVerify(token, keys, options)
    return payload.scope.split(" ").includes("todos:read") ? new Response("in") : new Response(null, { status: 403 })
  }
}
