/* The functions of jose that sign. Apart from those that verify, which bundles without client assertions need alone. */
export { importJWK, SignJWT } from "jose"
