import * as base64url from "./Base64Url.ts"
import * as platform from "./internal/nodeCrypto.ts"

// One synchronous call of about a microsecond. WebCrypto takes a promise and about 50 microseconds.
const native = platform.crypto?.hash

/** Hashes a text with WebCrypto, as `sha256` does where there is no `node:crypto`. */
export const viaWebCrypto = (text: string): Promise<string> =>
  globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)).then((digest) =>
    base64url.encode(new Uint8Array(digest))
  )

/** Returns the SHA-256 of a text in base64url: at once where the platform can, otherwise as a promise. */
export const sha256: (text: string) => string | Promise<string> = typeof native === "function"
  ? (text) => native("sha256", text, "base64url")
  : viaWebCrypto
