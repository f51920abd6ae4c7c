import type { Adapter, AdapterPayload } from "oidc-provider"

type Store = Map<string, { readonly payload: AdapterPayload; readonly expiresAt: number }>

/** The store of `oidc-provider` for sessions, codes, tokens and clients, in memory. */
export class MemoryAdapter implements Adapter {
  readonly #model: string
  readonly #store: Store

  private constructor(model: string, store: Store) {
    this.#model = model
    this.#store = store
  }

  /** Returns a factory with a new store, so that several authorization servers in one process share no data. */
  static factory(): (model: string) => MemoryAdapter {
    const store: Store = new Map()
    return (model) => new MemoryAdapter(model, store)
  }

  #live(): ReadonlyArray<AdapterPayload> {
    return [...this.#store].flatMap(([key, { expiresAt, payload }]) =>
      key.startsWith(`${this.#model}:`) && expiresAt > Date.now() ? [payload] : []
    )
  }

  async upsert(id: string, payload: AdapterPayload, expiresIn?: number): Promise<void> {
    const expiresAt = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000
    this.#store.set(`${this.#model}:${id}`, { payload, expiresAt })
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const found = this.#store.get(`${this.#model}:${id}`)
    return found !== undefined && found.expiresAt > Date.now() ? found.payload : undefined
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#live().find((payload) => payload.uid === uid)
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#live().find((payload) => payload.userCode === userCode)
  }

  async consume(id: string): Promise<void> {
    const payload = await this.find(id)
    if (payload !== undefined) payload.consumed = Math.floor(Date.now() / 1000)
  }

  async destroy(id: string): Promise<void> {
    this.#store.delete(`${this.#model}:${id}`)
  }

  async revokeByGrantId(grantId: string): Promise<void> {
    for (const [key, { payload }] of this.#store) {
      if (payload.grantId === grantId) this.#store.delete(key)
    }
  }
}
