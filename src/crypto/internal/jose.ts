/*
 * Exports the functions of jose that verify. Other modules import this file on demand, because `import("jose")` would bundle
 * all of jose.
 */
export { compactVerify, importJWK } from "jose"
