import * as Effect from "effect/Effect"
import * as base64url from "./Base64Url.ts"
import * as platform from "./internal/nodeCrypto.ts"

// A synchronous call takes about 1 microsecond. WebCrypto returns a promise and takes about 50 microseconds.
const native = platform.crypto?.hash

/** Hashes a text with WebCrypto. `sha256` uses it on platforms without `node:crypto`. */
export const viaWebCrypto = (text: string): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() => globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))),
    (digest) => base64url.encode(new Uint8Array(digest))
  )

/** Returns the SHA-256 of a text in base64url. Completes synchronously if the platform has `hash` of `node:crypto`. */
export const sha256: (text: string) => Effect.Effect<string> = typeof native === "function"
  ? (text) => Effect.succeed(native("sha256", text, "base64url"))
  : viaWebCrypto
