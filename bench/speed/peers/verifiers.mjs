/** The peers' verification alone, each set up for one issuer, audience and algorithm. */
import { JwtVerifier } from "aws-jwt-verify"
import { auth as auth0 } from "express-oauth2-jwt-bearer"
import { createVerifier } from "fast-jwt"
import buildGetJwks from "get-jwks"
import { verifyWithJwks } from "hono/jwt"
import { createRemoteJWKSet, importJWK, jwtVerify } from "jose"
import jwt from "jsonwebtoken"
import jwksRsa from "jwks-rsa"
import { MCPAuth } from "mcp-auth"
import { createPublicKey, verify } from "node:crypto"

/** A middleware of Express, without Express. */
const middleware = (run) => (token) =>
  new Promise((resolve, reject) => {
    const request = {
      headers: { host: "127.0.0.1", authorization: `Bearer ${token}` },
      protocol: "http",
      originalUrl: "/mcp",
      query: {},
      method: "GET",
      is: () => false,
      get: (name) => request.headers[name.toLowerCase()]
    }
    const response = { setHeader: () => response, status: () => response, json: () => reject(new Error("rejected")) }
    void run(request, response, (error) => error === undefined ? resolve(true) : reject(error))
  })

const hash = { RS256: "sha256", ES256: "sha256", EdDSA: undefined }

/** Each verifier returns a value or a promise, and throws or rejects for a token that it does not accept. */
export const verifiers = async (issuer, resource, algorithm) => {
  const { keys } = await (await fetch(`${issuer}/jwks`)).json()
  const jwk = keys.find((key) => key.alg === algorithm)
  const key = createPublicKey({ key: jwk, format: "jwk" })
  const pem = key.export({ type: "spki", format: "pem" })
  const imported = await importJWK(jwk, algorithm)
  const remote = createRemoteJWKSet(new URL(`${issuer}/jwks`))
  const expected = { issuer, audience: resource, typ: "at+jwt" }
  const found = {
    // The lower bound: only the signature is checked.
    "crypto.verify, nothing else": (token) => {
      const end = token.lastIndexOf(".")
      const signature = Buffer.from(token.slice(end + 1), "base64url")
      const given = algorithm === "ES256" ? { key, dsaEncoding: "ieee-p1363" } : key
      if (!verify(hash[algorithm], Buffer.from(token.slice(0, end)), given, signature)) throw new Error("rejected")
    },
    "jose, key at hand": (token) => jwtVerify(token, imported, expected),
    "jose, remote set": (token) => jwtVerify(token, remote, expected),
    "mcp-auth": middleware(
      new MCPAuth({
        protectedResources: [{
          metadata: { resource, authorizationServers: [{ issuer, type: "oauth" }], scopesSupported: ["todos:read"] }
        }]
      }).bearerAuth("jwt", { resource, audience: resource, requiredScopes: ["todos:read"] })
    ),
    "express-oauth2-jwt-bearer": middleware(
      auth0({ issuer, jwksUri: `${issuer}/jwks`, audience: resource, tokenSigningAlg: algorithm })
    ),
    "fast-jwt, key at hand": createVerifier({ key: pem, allowedIss: issuer, allowedAud: resource }),
    "fast-jwt, key at hand, cache on": createVerifier({
      key: pem,
      allowedIss: issuer,
      allowedAud: resource,
      cache: 10_000
    }),
    "hono/jwt, keys at hand": (token) =>
      verifyWithJwks(token, { keys, allowedAlgorithms: [algorithm], verification: { iss: issuer, aud: resource } })
  }
  if (algorithm !== "EdDSA") {
    const aws = JwtVerifier.create({ issuer, audience: resource, jwksUri: `${issuer.replace("http:", "https:")}/jwks` })
    aws.cacheJwks({ keys })
    found["aws-jwt-verify"] = (token) => aws.verifySync(token)
    const client = jwksRsa({ jwksUri: `${issuer}/jwks`, cache: true, rateLimit: true })
    found["jsonwebtoken + jwks-rsa"] = (token) =>
      new Promise((resolve, reject) => {
        jwt.verify(
          token,
          ({ kid }, callback) =>
            void client.getSigningKey(kid).then((signing) => callback(null, signing.getPublicKey()), callback),
          { algorithms: [algorithm], issuer, audience: resource },
          (error, claims) => error === null ? resolve(claims) : reject(error)
        )
      })
    const jwks = buildGetJwks({ issuersWhitelist: [issuer], jwksPath: "/jwks" })
    found["fast-jwt + get-jwks"] = createVerifier({
      key: ({ header }) => jwks.getPublicKey({ kid: header.kid, alg: header.alg, domain: issuer }),
      allowedIss: issuer,
      allowedAud: resource
    })
  }
  return found
}
