/* What Node, Bun, Deno and workerd bring beside WebCrypto, where they do. Asked for at run time: the core imports nothing
 * of a platform. */

/** A key of `node:crypto`. */
export interface KeyObject {
  readonly "~node": unique symbol
}

/** The parts of `node:crypto` that are used. */
export interface NodeCrypto {
  readonly hash?: ((algorithm: string, text: string, encoding: "base64url") => string) | undefined
  readonly verify: (
    algorithm: string | null,
    data: Uint8Array,
    key: KeyObject | { readonly key: KeyObject; readonly [option: string]: unknown },
    signature: Uint8Array
  ) => boolean
  readonly KeyObject: { readonly from: (key: unknown) => KeyObject }
  readonly constants: Readonly<Record<string, number>>
}

interface Platform {
  readonly process?: { readonly getBuiltinModule?: (name: string) => unknown }
  readonly Buffer?: { readonly from: (text: string, encoding: "base64url" | "latin1") => Uint8Array }
}

const { Buffer, process } = globalThis as Platform

/** `undefined` where the platform has none. */
export const crypto = process?.getBuiltinModule?.("node:crypto") as NodeCrypto | undefined

/** Node's own decoder, many times as fast as one in JavaScript; `undefined` where there is none. */
export const bytesOf = typeof Buffer?.from === "function"
  ? (text: string, encoding: "base64url" | "latin1"): Uint8Array => Buffer.from(text, encoding)
  : undefined
