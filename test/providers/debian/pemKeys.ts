/** Makes an RSA key in the format that the servers read. */
import { SigningKey } from "effect-mcp-auth/testing"
// oxlint-disable-next-line no-restricted-imports -- converts a key of `SigningKey` to PEM
import { createPrivateKey, createPublicKey } from "node:crypto"

export const makePemKeys = async (): Promise<{ readonly privateKey: string; readonly publicKey: string }> => {
  const { privateJwk } = await SigningKey.start({ algorithm: "RS256" })
  const key = createPrivateKey({ key: { ...privateJwk }, format: "jwk" })
  return {
    privateKey: key.export({ type: "pkcs8", format: "pem" }).toString(),
    publicKey: createPublicKey(key).export({ type: "spki", format: "pem" }).toString()
  }
}
