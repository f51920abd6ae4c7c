/* Exports the functions of jose that verify, which are loaded on demand. `import("jose")` would put all of jose into a bundle. */
export { compactVerify, importJWK } from "jose"
