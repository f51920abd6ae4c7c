import { base64url } from "jose"

type Hash = (algorithm: string, text: string, encoding: "base64url") => string

interface Platform {
  readonly process?: { readonly getBuiltinModule?: (name: string) => { readonly hash?: Hash } | undefined }
}

// Node, Bun, Deno and workerd hash in one synchronous call of about a microsecond; WebCrypto, which everybody has, takes
// a promise and fifty. Asked for at run time: the core imports nothing of a platform.
const native = (globalThis as Platform).process?.getBuiltinModule?.("node:crypto")?.hash

/** The same by WebCrypto. */
export const viaWebCrypto = (text: string): Promise<string> =>
  globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)).then((digest) =>
    base64url.encode(new Uint8Array(digest))
  )

/** The whole SHA-256 of a text in base64url: at once where the platform can, else as a promise. */
export const sha256: (text: string) => string | Promise<string> = typeof native === "function"
  ? (text) => native("sha256", text, "base64url")
  : viaWebCrypto
