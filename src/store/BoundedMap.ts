/**
 * Holds at most `capacity` entries. If the map is full, a new entry evicts the least recently set or used entry.
 *
 * Use it for data that grows with the requests of clients and that can be computed again. Do not use it if the eviction of an
 * entry would weaken a check, as for used proofs and revoked tokens.
 */
export class BoundedMap<K, V> {
  // A map keeps the order of insertion, so its first entry is the next one to be evicted.
  readonly #entries = new Map<K, V>()
  readonly #capacity: number

  /** Creates an empty map. If the capacity is 0, it stays empty. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** The number of entries. */
  get size(): number {
    return this.#entries.size
  }

  /** Whether the map has an entry for a key. */
  has(key: K): boolean {
    return this.#entries.has(key)
  }

  /** Returns the value of a key. The entry keeps its place in the order of eviction. */
  get(key: K): V | undefined {
    return this.#entries.get(key)
  }

  /** Returns the value of a key and makes its entry the last one to be evicted. */
  use(key: K): V | undefined {
    const value = this.#entries.get(key)
    if (value !== undefined || this.#entries.has(key)) this.#move(key, value as V)
    return value
  }

  /**
   * Sets the value of a key and makes its entry the last one to be evicted. If the call evicts an entry, returns the key of
   * the evicted entry.
   */
  set(key: K, value: V): K | undefined {
    this.#move(key, value)
    if (this.#entries.size <= this.#capacity) return undefined
    const evicted = this.#entries.keys().next().value as K
    this.#entries.delete(evicted)
    return evicted
  }

  /** Replaces the value of a key that the map has. The entry keeps its place in the order of eviction. */
  replace(key: K, value: V): void {
    if (this.#entries.has(key)) this.#entries.set(key, value)
  }

  /** Deletes the entry of a key. Returns whether there was one. */
  delete(key: K): boolean {
    return this.#entries.delete(key)
  }

  /** Iterates over the keys, beginning with the next one to be evicted. */
  keys(): MapIterator<K> {
    return this.#entries.keys()
  }

  /** Iterates over the values, beginning with the next one to be evicted. */
  values(): MapIterator<V> {
    return this.#entries.values()
  }

  #move(key: K, value: V): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
  }
}
