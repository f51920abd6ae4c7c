import { Effect, Redacted } from "effect"
import { Grant } from "effect-mcp-auth/client"
import { describe, expect, test } from "tstyche"

const clientSecret = Redacted.make("secret")
const provider = { issuer: "https://idp.test", clientId: "sso", clientSecret }
const person = { issuer: "https://issuer.test", clientId: "client", clientSecret, identityProvider: provider }
const promised = async () => Redacted.make("token")

describe("identityAssertion", () => {
  test("accepts a function that returns a promise or an Effect of a Redacted text, and no plain text", () => {
    expect(Grant.identityAssertion).type.toBeCallableWith({ ...person, subjectToken: promised })
    expect(Grant.identityAssertion).type.toBeCallableWith({
      ...person,
      subjectToken: () => Effect.succeed(Redacted.make("token"))
    })
    expect(Grant.identityAssertion).type.not.toBeCallableWith({ ...person, subjectToken: async () => "token" })
    expect(Grant.identityAssertion).type.not.toBeCallableWith({ ...person, subjectToken: Redacted.make("token") })
  })

  test("accepts no service in the Effect, because no service is provided to it", () => {
    expect(Grant.identityAssertion).type.not.toBeCallableWith({
      ...person,
      subjectToken: () => Effect.map(Effect.scope, () => Redacted.make("token"))
    })
  })

  test("requires an identity provider with a fixed issuer, because it receives the token of the person", () => {
    const { identityProvider: _, ...withoutProvider } = person
    expect(Grant.identityAssertion).type.not.toBeCallableWith({ ...withoutProvider, subjectToken: promised })
    expect(Grant.identityAssertion).type.not.toBeCallableWith({
      ...person,
      identityProvider: { ...provider, issuer: Grant.anyIssuer },
      subjectToken: promised
    })
  })
})

describe("workloadIdentity", () => {
  test("requires a fixed issuer, because another one could send the JWT on", () => {
    expect(Grant.workloadIdentity).type.toBeCallableWith({ issuer: "https://issuer.test", assertion: promised })
    expect(Grant.workloadIdentity).type.not.toBeCallableWith({ issuer: Grant.anyIssuer, assertion: promised })
  })
})
