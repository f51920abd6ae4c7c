import { base64url } from "jose"
import { type Forgeries, issueWith } from "./forge.ts"
import { defined, segment, signSegments } from "./keys.ts"

/** Tokens of another kind, and tokens with faulty times, subjects, clients or scopes. */
export const claimForgeries = {
  // Another kind of token (RFC 8725 §3.11, RFC 9068 §4)
  "id-token": {
    title: "an ID token whose client has the identifier of the resource",
    reason: "id-token",
    forge: issueWith(({ now }) => ({
      header: { typ: "JWT" },
      claims: { client_id: undefined, scope: undefined, nonce: "n-0S6_WzA2Mj", auth_time: now }
    }))
  },
  "id-token-with-scope": {
    title: "an ID token with a scope",
    reason: "id-token",
    forge: issueWith(() => ({ header: { typ: "JWT" }, claims: { at_hash: "MTIzNDU2Nzg5MDEyMzQ1Ng", scope: "openid" } }))
  },
  "refresh-token": {
    title: "a refresh token with claims of an access token",
    reason: "token-type",
    forge: issueWith(() => ({ header: { typ: "JWT" }, claims: { token_use: "refresh" } }))
  },
  "refresh-token-of-keycloak": {
    title: "a refresh token by its claim typ",
    reason: "token-type",
    forge: issueWith(() => ({ header: { typ: "JWT" }, claims: { typ: "Refresh" } }))
  },
  "logout-token": {
    title: "a logout token",
    reason: "token-type",
    forge: issueWith(() => ({
      header: { typ: "logout+jwt" },
      claims: { events: { "http://schemas.openid.net/event/backchannel-logout": {} } }
    }))
  },
  "identity-assertion": {
    title: "an ID-JAG, which is for authorization servers",
    reason: "token-type",
    forge: issueWith(() => ({ header: { typ: "oauth-id-jag+jwt" } }))
  },
  "typ-missing": {
    title: "no typ, and no claim of an access token",
    reason: "token-type",
    forge: issueWith(() => ({ header: { typ: undefined }, claims: { client_id: undefined, scope: undefined } }))
  },
  "typ-not-a-string": {
    title: "a typ that is a list",
    reason: "token-type",
    forge: issueWith(() => ({ header: { typ: ["at+jwt"] } }))
  },

  // The times (RFC 7519 §4.1.4–4.1.6)
  "expired": {
    title: "expired a moment ago",
    reason: "expired",
    forge: issueWith(({ now }) => ({ claims: { iat: now - 300, exp: now } }))
  },
  "exp-missing": { title: "never expires", reason: "expiry", forge: issueWith(() => ({ claims: { exp: undefined } })) },
  "exp-not-a-number": {
    title: "an exp that is a string",
    reason: "expiry",
    forge: issueWith(({ now }) => ({ claims: { exp: String(now + 300) } }))
  },
  "exp-infinite": {
    title: "an exp that is not finite",
    reason: "expiry",
    forge: ({ claims, header, key }) =>
      signSegments(
        key,
        segment(header),
        base64url.encode(JSON.stringify({ ...claims, exp: 0 }).replace("\"exp\":0", "\"exp\":1e400"))
      )
  },
  "exp-null": { title: "an exp that is null", reason: "expiry", forge: issueWith(() => ({ claims: { exp: null } })) },
  "not-yet-valid": {
    title: "valid in five minutes",
    reason: "not-yet-valid",
    forge: issueWith(({ now }) => ({ claims: { nbf: now + 300, exp: now + 600 } }))
  },
  "issued-in-the-future": {
    title: "issued in five minutes",
    reason: "issued-in-the-future",
    forge: issueWith(({ now }) => ({ claims: { iat: now + 300, exp: now + 600 } }))
  },

  // The subject, the client, the scope and the binding to a key
  "subject-missing": {
    title: "no subject",
    reason: "subject",
    forge: issueWith(() => ({ claims: { sub: undefined } }))
  },
  "subject-empty": { title: "an empty subject", reason: "subject", forge: issueWith(() => ({ claims: { sub: "" } })) },
  "subject-not-a-string": {
    title: "a subject that is a number",
    reason: "subject",
    forge: issueWith(() => ({ claims: { sub: 1 } }))
  },
  "subject-null": {
    title: "a subject that is null",
    reason: "subject",
    forge: issueWith(() => ({ claims: { sub: null } }))
  },
  "subject-control": {
    title: "a subject with a NUL character",
    reason: "subject",
    forge: issueWith(() => ({ claims: { sub: "admin\u0000" } }))
  },
  "subject-from-prototype": {
    title: "a subject inside __proto__",
    reason: "subject",
    forge: ({ claims, header, key }) => {
      const text = JSON.stringify(defined({ ...claims, sub: undefined }))
      return signSegments(key, segment(header), base64url.encode(`{"__proto__":{"sub":"admin"},${text.slice(1)}`))
    }
  },
  "client-not-a-string": {
    title: "a client identifier that is a list",
    reason: "client-id",
    forge: issueWith(({ claims }) => ({ claims: { client_id: [claims["client_id"]] } }))
  },
  "scope-not-a-string": {
    title: "a scope that is an object",
    reason: "scope",
    forge: issueWith(() => ({ claims: { scope: { admin: true } } }))
  },
  "bound-to-key": {
    title: "a token bound to a key, stolen and sent as a bearer token",
    reason: "bound-to-key",
    forge: issueWith(() => ({ claims: { cnf: { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" } } }))
  }
} as const satisfies Forgeries
