/** Variants of the tokens of the testing kit, for tests in which two verifiers must agree about each of them. */
import type { TestIssuer } from "effect-mcp-auth/testing"

/** The time of the tests, in seconds since 1970. */
export const now = 1_790_000_000

/** The options of `TestIssuer.mint` that create the token. A member that is `undefined` is removed from the token. */
export type Variant = Pick<TestIssuer.TokenOptions, "header" | "claims" | "audience" | "boundTo">

const resource = "https://server.test/mcp"

/** Creates an object that nests `levels` levels deep. */
const nest = (levels: number): unknown => levels === 0 ? "end" : { more: nest(levels - 1) }

const withClaim = (claim: string, values: Readonly<Record<string, unknown>>): Readonly<Record<string, Variant>> =>
  Object.fromEntries(
    Object.entries(values).map(([title, value]) => [`${claim}: ${title}`, { claims: { [claim]: value } }])
  )

const withHeader = (member: string, values: Readonly<Record<string, unknown>>): Readonly<Record<string, Variant>> =>
  Object.fromEntries(
    Object.entries(values).map(([title, value]) => [`${member} header: ${title}`, { header: { [member]: value } }])
  )

/** The variants by title. All of them are signed with a key of the issuer. */
export const variants: Readonly<Record<string, Variant>> = {
  "the token of the kit": {},
  ...withClaim("scope", {
    "a list of strings": ["todos:read", "todos:write"],
    "an empty list": [],
    "a list with a number": ["todos:read", 1],
    "a number": 7,
    "null": null,
    "an object": { "todos:read": true },
    "a boolean": true,
    "an empty string": "",
    "missing": undefined,
    "strings with quotes": "todos:read \"quoted\""
  }),
  ...Object.fromEntries(
    Object.entries({
      "a string": "todos:read",
      "a list": ["todos:read"],
      "a number": 7,
      "a list with a number": ["a", 1]
    })
      .map(([title, scp]) => [`scp: ${title}`, { claims: { scope: undefined, scp } }])
  ),
  ...withClaim("exp", {
    "1e20": 1e20,
    "a string": String(now + 300),
    "null": null,
    "a fraction": now + 299.5,
    "this second": now,
    "negative": -1,
    "missing": undefined
  }),
  ...withClaim("iat", {
    "a string": String(now),
    "null": null,
    "31 seconds ahead": now + 31,
    "30 seconds ahead": now + 30,
    "1e20": 1e20,
    "missing": undefined
  }),
  ...withClaim("nbf", { "a boolean": true, "a string": String(now), "31 seconds ahead": now + 31, "null": null }),
  ...withClaim("client_id", {
    "a number": 1,
    "a list": ["client-1"],
    "empty": "",
    "null": null,
    "missing": undefined
  }),
  ...withClaim("sub", {
    "a number": 1,
    "empty": "",
    "null": null,
    "a control character": "a\u0007",
    "missing": undefined
  }),
  ...withClaim("aud", {
    "a list with a number": [resource, 1],
    "an empty list": [],
    "a list within a list": [[resource]],
    "a number": 1,
    "null": null,
    "missing": undefined,
    "a list with the resource": ["https://other.test", resource],
    "another server": "https://other.test/mcp",
    "with a final slash": `${resource}/`
  }),
  ...withClaim("iss", { "missing": undefined, "a number": 1, "another issuer": "https://other.test", "empty": "" }),
  ...withHeader("crit", { "a list": ["exp"], "an empty list": [] }),
  ...withHeader("b64", { "false": false, "true": true }),
  ...withHeader("zip", { "DEF": "DEF" }),
  ...withHeader("enc", { "A256GCM": "A256GCM" }),
  ...withHeader("kid", { "a number": 1, "null": null, "of another key": "other", "missing": undefined }),
  ...withHeader("alg", { "none": "none", "HS256": "HS256", "missing": undefined, "a number": 256, "RS256": "RS256" }),
  ...withHeader("typ", {
    "JWT": "JWT",
    "application/at+jwt": "application/at+jwt",
    "dpop+jwt": "dpop+jwt",
    "missing": undefined,
    "a number": 1
  }),
  "typ header: JWT, with a nonce": { header: { typ: "JWT" }, claims: { nonce: "n" } },
  "token_use: id": { claims: { token_use: "id" } },
  "token_type: Refresh": { claims: { token_type: "Refresh" } },
  "a claim that nests deeply": { claims: { deep: nest(40) } },
  "a header member that nests deeply": { header: { deep: nest(40) } },
  "bound to a key": { boundTo: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" },
  "cnf: an object without a thumbprint": { claims: { cnf: {} } }
}
