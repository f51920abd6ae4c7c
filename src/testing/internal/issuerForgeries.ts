import { type Forgeries, issueWith } from "./forge.ts"

/** Maps Latin letters to Cyrillic letters that look the same. */
const cyrillic: Readonly<Record<string, string>> = {
  a: "\u0430",
  c: "\u0441",
  e: "\u0435",
  o: "\u043e",
  p: "\u0440",
  s: "\u0455"
}

/** Tokens that name another issuer (RFC 8725 §3.8, RFC 9068 §4). */
export const issuerForgeries = {
  "issuer-other": {
    title: "another issuer, under the keys of this one",
    reason: "unknown-issuer",
    forge: issueWith(() => ({ claims: { iss: "https://attacker.test" } }))
  },
  "issuer-missing": {
    title: "no issuer",
    reason: "unknown-issuer",
    forge: issueWith(() => ({ claims: { iss: undefined } }))
  },
  "issuer-slash": {
    title: "the issuer with one slash more or less",
    reason: "unknown-issuer",
    forge: issueWith(({ issuer }) => ({ claims: { iss: issuer.endsWith("/") ? issuer.slice(0, -1) : `${issuer}/` } }))
  },
  "issuer-list": {
    title: "a list with the issuer",
    reason: "unknown-issuer",
    forge: issueWith(({ issuer }) => ({ claims: { iss: [issuer] } }))
  },
  "issuer-longer": {
    title: "an issuer that starts with the valid one",
    reason: "unknown-issuer",
    forge: issueWith(({ issuer }) => ({ claims: { iss: `${issuer}.evil.test` } }))
  },
  "issuer-upper-case": {
    title: "the issuer in capital letters",
    reason: "unknown-issuer",
    forge: issueWith(({ issuer }) => ({ claims: { iss: issuer.toUpperCase() } }))
  },
  "issuer-port": {
    title: "the issuer with the default port",
    reason: "unknown-issuer",
    forge: issueWith(({ issuer }) => {
      const { host, pathname, protocol } = new URL(issuer)
      return { claims: { iss: `${protocol}//${host}:443${pathname}` } }
    })
  },
  "issuer-user": {
    title: "the issuer as the user of another host",
    reason: "unknown-issuer",
    forge: issueWith(({ issuer }) => ({ claims: { iss: `https://${new URL(issuer).host}@evil.test` } }))
  },
  "issuer-look-alike": {
    title: "the issuer with a Cyrillic letter",
    reason: "unknown-issuer",
    // Every issuer begins with "http", so it contains at least one of the letters that can be replaced: "p".
    forge: issueWith(({ issuer }) => ({
      claims: { iss: issuer.replace(/[aceops](?=[^aceops]*$)/, (letter) => cyrillic[letter]!) }
    }))
  },
  "issuer-prototype": {
    title: "an issuer named like a member of every object",
    reason: "unknown-issuer",
    forge: issueWith(() => ({ claims: { iss: "constructor" } }))
  }
} as const satisfies Forgeries
