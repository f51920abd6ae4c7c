/** The attacks on the proxy without a mutation, by number. Each value states why no check can be removed. */
export const reasons: Readonly<Record<string, string>> = {
  "67":
    "A registration is stateless: its id is its content with a tag, so no check decides whether to write. The test counts writes.",
  "82": "Metadata is built from the configuration, without the request, so no check rejects a host.",
  "86": "A request of the proxy carries no address of a client, so no check can use one.",
  "89": "The authorization endpoint has no write that a check could prevent. The test counts writes and cookies."
}
