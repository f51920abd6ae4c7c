/** The part of `node:dns` that the library uses. */
export interface NodeDns {
  readonly promises: {
    readonly lookup: (
      hostname: string,
      options: { readonly all: true }
    ) => Promise<ReadonlyArray<{ readonly address: string }>>
  }
}

interface Platform {
  readonly process?: { readonly getBuiltinModule?: (name: string) => unknown }
}

/** Returns the module, or `undefined` if the platform has none. Loads it only when called, because few servers need it. */
export const dns = (): NodeDns | undefined =>
  (globalThis as Platform).process?.getBuiltinModule?.("node:dns") as NodeDns | undefined
