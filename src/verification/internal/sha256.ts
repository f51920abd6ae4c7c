type Hash = (algorithm: string, text: string, encoding: "base64url") => string

interface Platform {
  readonly process?: { readonly getBuiltinModule?: (name: string) => { readonly hash?: Hash } | undefined }
}

// Node, Bun, Deno and workerd hash in one synchronous call of about a microsecond; WebCrypto, which everybody has, takes
// a promise and fifty. Asked for at run time: the core imports nothing of a platform.
const native = (globalThis as Platform).process?.getBuiltinModule?.("node:crypto")?.hash

const viaWebCrypto = (text: string): Promise<string> =>
  globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)).then((digest) =>
    String.fromCharCode(...new Uint8Array(digest))
  )

/** The whole SHA-256 of a text: at once where the platform can, else as a promise. Good as a key, not for the wire. */
export const sha256: (text: string) => string | Promise<string> = typeof native === "function"
  ? (text) => native("sha256", text, "base64url")
  : viaWebCrypto
