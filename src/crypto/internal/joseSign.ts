/* Exports the functions of jose that sign. Only client assertions and DPoP proofs need them. */
export { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from "jose"
