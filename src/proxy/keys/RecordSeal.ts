import { BoundedMap } from "../../store/BoundedMap.ts"
import type { Seal } from "../../store/records/SealedStore.ts"
import type { ProxyKeys } from "./ProxyKeys.ts"

/* Seals all records of a proxy in its store, so that write access to the store alone cannot create a code or a grant. */

/** The number of records whose keys are cached. */
const capacity = 1_000

/**
 * Creates the seal: AES-256-GCM with a key for each record, which HKDF derives from the secret with the key of the record as salt. The
 * issuer and the key of the record are authenticated, so a record cannot be moved to another key. The id of the secret precedes the
 * sealed text, so the records of all listed secrets can be opened.
 */
export const make = (keys: ProxyKeys, issuer: string): Seal => {
  // A refresh reads and writes a record, and to derive its key takes longer than to seal it.
  const derived = new BoundedMap<string, ReturnType<ProxyKeys["seal"]>>(capacity)
  const sealOf = (record: string) => {
    const seal = derived.use(record) ?? keys.seal("records", "record", record)
    derived.set(record, seal)
    return seal
  }
  const contextOf = (record: string) => `record\n${record}\n${issuer}`
  return {
    seal: (value, record) => sealOf(record).seal(value, contextOf(record)),
    open: (sealed, record) => sealOf(record).open(sealed, contextOf(record))
  }
}
