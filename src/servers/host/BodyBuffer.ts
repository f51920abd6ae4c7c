/**
 * Collects the chunks of a body in one buffer. When the buffer is full, its size at least doubles, up to the limit. A list of
 * chunks would need about 200 extra bytes for each chunk, and a client can send a body byte by byte.
 */
export class BodyBuffer {
  readonly #limit: number
  #bytes: Uint8Array = nothing
  #size = 0
  #isOwn = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Adds a chunk. If the body exceeds its limit, drops all chunks and returns `false`. */
  add(chunk: Uint8Array): boolean {
    if (chunk.byteLength === 0) return this.#size <= this.#limit
    const size = this.#size + chunk.byteLength
    if (size > this.#limit) {
      this.#bytes = nothing
      this.#size = Number.POSITIVE_INFINITY
      return false
    }
    if (this.#size === 0) {
      // Most bodies have one chunk, which is used without a copy.
      this.#bytes = chunk
    } else {
      if (!this.#isOwn || size > this.#bytes.byteLength) this.#grow(size)
      this.#bytes.set(chunk, this.#size)
    }
    this.#size = size
    return true
  }

  #grow(size: number): void {
    const grown = new Uint8Array(Math.min(this.#limit, Math.max(smallest, 2 * this.#size, size)))
    grown.set(this.#bytes.subarray(0, this.#size))
    this.#bytes = grown
    this.#isOwn = true
  }

  /** Returns the bytes of all chunks. */
  toBytes(): Uint8Array {
    return this.#bytes.byteLength === this.#size ? this.#bytes : this.#bytes.subarray(0, this.#size)
  }
}

const nothing = new Uint8Array(0)
const smallest = 1024
