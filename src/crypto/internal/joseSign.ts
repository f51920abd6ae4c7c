/* Exports the functions of jose that sign. Only client assertions need them. */
export { importJWK, SignJWT } from "jose"
