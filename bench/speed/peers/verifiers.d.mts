/** Gives what it gives, at once or as a promise, and throws or rejects for what it does not accept. */
export type Verify = (token: string) => unknown

export const verifiers: (
  issuer: string,
  resource: string,
  algorithm: "RS256" | "ES256" | "EdDSA"
) => Promise<Record<string, Verify>>
