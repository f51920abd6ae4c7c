/* The functions of jose that verify. Loaded when they are first needed, by name: `import("jose")` would put all of jose
 * into a bundle. */
export { compactVerify, importJWK } from "jose"
