import { member, shown, strings, text } from "../report/Json.ts"
import { fail, pass, type RuleResult, skip } from "../report/Rule.ts"
import * as ClientRules from "./ClientRules.ts"
import { checkMembers, type MetadataDocument } from "./Observations.ts"

/** Checks how clients register and sign in. */
export const checkClients = (document: MetadataDocument): ReadonlyArray<RuleResult> => {
  const { metadata } = document
  const challenges = strings(metadata, "code_challenge_methods_supported")
  const methods = strings(metadata, "token_endpoint_auth_methods_supported")
  const cimd = member(metadata, "client_id_metadata_document_supported") === true
  const registration = text(metadata, "registration_endpoint")
  return [
    checkCodeFlow(document),
    checkMembers(document, ["code_challenge_methods_supported"], ClientRules.pkce, () =>
      challenges === undefined
        ? fail(
          ClientRules.pkce,
          "code_challenge_methods_supported is missing. Both official clients continue, and send a challenge with S256. Clients that follow the text stop, even if the server supports PKCE"
        )
        : challenges.includes("S256")
        ? pass(ClientRules.pkce, challenges.join(", "))
        : fail(ClientRules.pkce, `code_challenge_methods_supported is ${shown(challenges)}, without "S256"`)),
    challenges === undefined
      ? skip(ClientRules.pkcePlain, "code_challenge_methods_supported is missing")
      : challenges.includes("plain")
      ? fail(ClientRules.pkcePlain, "\"plain\" is offered as well")
      : pass(ClientRules.pkcePlain, "\"plain\" is not offered"),
    checkMembers(
      document,
      ["token_endpoint_auth_methods_supported"],
      ClientRules.publicClients,
      () =>
        methods === undefined
          ? fail(
            ClientRules.publicClients,
            "token_endpoint_auth_methods_supported is missing, which means client_secret_basic only"
          )
          : methods.includes("none")
          ? pass(ClientRules.publicClients, "\"none\" is listed")
          : fail(ClientRules.publicClients, `"none" is not among ${methods.join(", ")}`)
    ),
    checkMembers(document, ["client_id_metadata_document_supported"], ClientRules.cimd, () =>
      cimd
        ? pass(ClientRules.cimd, "client_id_metadata_document_supported is true")
        : fail(ClientRules.cimd, "client_id_metadata_document_supported is not true")),
    checkMembers(document, ["registration_endpoint"], ClientRules.registration, () =>
      registration === undefined
        ? fail(ClientRules.registration, "registration_endpoint is missing")
        : pass(ClientRules.registration, shown(registration))),
    checkMembers(
      document,
      ["client_id_metadata_document_supported", "registration_endpoint"],
      ClientRules.unknownClients,
      () =>
        cimd
          ? pass(ClientRules.unknownClients, "through client ID metadata documents")
          : registration !== undefined
          ? pass(ClientRules.unknownClients, "through dynamic registration, if registration is open")
          : fail(
            ClientRules.unknownClients,
            "the server supports neither client ID metadata documents nor dynamic registration, so each client needs a client id from you"
          )
    ),
    checkMembers(
      document,
      ["authorization_response_iss_parameter_supported"],
      ClientRules.issParameter,
      () =>
        member(metadata, "authorization_response_iss_parameter_supported") === true
          ? pass(ClientRules.issParameter, "authorization_response_iss_parameter_supported is true")
          : fail(ClientRules.issParameter, "authorization_response_iss_parameter_supported is not true")
    )
  ]
}

const checkCodeFlow = (document: MetadataDocument): RuleResult => {
  const { metadata } = document
  const rule = ClientRules.codeFlow
  return checkMembers(document, ["authorization_endpoint", "token_endpoint", "response_types_supported"], rule, () => {
    const types = strings(metadata, "response_types_supported")
    const grants = strings(metadata, "grant_types_supported")
    const missing = ["authorization_endpoint", "token_endpoint"].filter((name) => text(metadata, name) === undefined)
    if (missing.length > 0) return fail(rule, `${missing.join(" and ")} ${missing.length === 1 ? "is" : "are"} missing`)
    if (types === undefined) return fail(rule, "response_types_supported is missing, which RFC 8414 requires")
    if (!types.includes("code")) return fail(rule, `response_types_supported is ${shown(types)}, without "code"`)
    if (grants !== undefined && !grants.includes("authorization_code")) {
      return fail(rule, `grant_types_supported is ${shown(grants)}, without "authorization_code"`)
    }
    return pass(rule, "the metadata contain endpoints, response type and grant type")
  })
}
