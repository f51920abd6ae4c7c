/** Creates the key pair of the client: the private key for the client alone, the public one for the authorization server. */
import { writeFile } from "node:fs/promises"

const algorithm = { name: "ECDSA", namedCurve: "P-256" }
// oxlint-disable-next-line no-restricted-properties -- this is the key of a client, not of a test
const { privateKey, publicKey } = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
const common = { alg: "ES256", kid: "nightly-report-1" }

const toJwk = async (key: CryptoKey) => JSON.stringify({ ...await crypto.subtle.exportKey("jwk", key), ...common })

await writeFile("private-key.json", await toJwk(privateKey), { mode: 0o600 })
await writeFile("public-key.json", await toJwk(publicKey))
console.log("wrote private-key.json and public-key.json")
