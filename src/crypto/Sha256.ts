import { base64url } from "jose"
import * as platform from "./internal/nodeCrypto.ts"

// One synchronous call of about a microsecond; WebCrypto, which everybody has, takes a promise and fifty.
const native = platform.crypto?.hash

/** The same by WebCrypto. */
export const viaWebCrypto = (text: string): Promise<string> =>
  globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)).then((digest) =>
    base64url.encode(new Uint8Array(digest))
  )

/** The whole SHA-256 of a text in base64url: at once where the platform can, else as a promise. */
export const sha256: (text: string) => string | Promise<string> = typeof native === "function"
  ? (text) => native("sha256", text, "base64url")
  : viaWebCrypto
