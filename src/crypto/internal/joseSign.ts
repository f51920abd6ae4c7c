/* Exports the functions of jose that sign, which only client assertions need. */
export { importJWK, SignJWT } from "jose"
