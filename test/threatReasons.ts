/** The threats of `threats.json` that have no test. Each value states why. */
export const reasons: Readonly<Record<string, string>> = {
  "T-HTTP-07":
    "No secret and no token is compared in this library: signatures are verified by WebCrypto, verified tokens " +
    "are found by their digest, a client secret is sent and never received. Differences below a " +
    "microsecond cannot be measured over a socket."
}
