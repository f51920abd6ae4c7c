// oxlint-disable-next-line no-restricted-imports -- the testing kit creates no certificates of TLS servers
import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto"

/** Encodes a value of ASN.1 as DER (X.690 §8.1). */
const encode = (tag: number, ...parts: ReadonlyArray<Uint8Array>): Buffer => {
  const content = Buffer.concat(parts)
  const length = content.length < 128
    ? [content.length]
    : content.length < 256
    ? [0x81, content.length]
    : [0x82, content.length >> 8, content.length & 255]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}

const sequence = (...parts: ReadonlyArray<Uint8Array>) => encode(0x30, ...parts)
const identifier = (...bytes: ReadonlyArray<number>) => encode(0x06, Buffer.from(bytes))
const integer = (value: number) => encode(0x02, Buffer.from([value]))
const bits = (content: Uint8Array) => encode(0x03, Buffer.from([0]), content)

const commonName = identifier(0x55, 0x04, 0x03)
const subjectAltName = identifier(0x55, 0x1d, 0x11)
const ecdsaWithSha256 = sequence(identifier(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02))

const toName = (text: string) => sequence(encode(0x31, sequence(commonName, encode(0x0c, Buffer.from(text)))))

/** Encodes a time in seconds since 1970 as UTCTime. */
const toTime = (seconds: number) =>
  encode(0x17, Buffer.from(new Date(seconds * 1000).toISOString().replace(/^\d\d|[-:T]|\.\d+/g, "")))

export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** Creates a self-signed certificate for 127.0.0.1, or for another host name (RFC 5280 §4.1). Times are in seconds since 1970. */
export const makeCertificate = (
  { from, name, until }: { readonly from: number; readonly until: number; readonly name?: string }
): Certificate => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" }
  })
  const host = name === undefined ? encode(0x87, Buffer.from([127, 0, 0, 1])) : encode(0x82, Buffer.from(name))
  const content = sequence(
    encode(0xa0, integer(2)),
    integer(1),
    ecdsaWithSha256,
    toName("effect-mcp-auth test"),
    sequence(toTime(from), toTime(until)),
    toName("effect-mcp-auth test"),
    publicKey,
    encode(0xa3, sequence(sequence(subjectAltName, encode(0x04, sequence(host)))))
  )
  const certificate = sequence(content, ecdsaWithSha256, bits(sign("sha256", content, createPrivateKey(privateKey))))
  const lines = certificate.toString("base64").match(/.{1,64}/g)!.join("\n")
  return { key: privateKey, cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n` }
}
