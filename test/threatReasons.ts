/** Threats of `threats.json` that no test proves, and why. */
export const reasons: Readonly<Record<string, string>> = {
  "T-HTTP-07":
    "No secret and no token is compared in this library: signatures are verified by WebCrypto, verified tokens " +
    "are found by their digest, a client secret is sent and never received. A measurement of differences below a " +
    "microsecond over a socket measures the neighbours of the machine."
}
