/** Creates the key pair of the client: the private key for the client alone, the public one for the authorization server. */
import { exportJWK, generateKeyPair } from "jose"
import { writeFile } from "node:fs/promises"

const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true })
const common = { alg: "ES256", kid: "nightly-report-1" }

await writeFile("private-key.json", JSON.stringify({ ...await exportJWK(privateKey), ...common }), { mode: 0o600 })
await writeFile("public-key.json", JSON.stringify({ ...await exportJWK(publicKey), ...common }))
console.log("wrote private-key.json and public-key.json")
