/**
 * Defines the command `proxy`, which helps to set up the OAuth proxy.
 *
 * @since 0.1.0
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import * as HttpUri from "../protocol/HttpUri.ts"
import { InvalidInput } from "../provider/check/Check.ts"
import { shown } from "../provider/report/Json.ts"
import { urlsOf } from "../proxy/front/Front.ts"
import { problemOf } from "../proxy/keys/SecretStrength.ts"
import * as presets from "../proxy/upstream/Preset.ts"

/**
 * Creates a secret for the OAuth proxy: 32 random bytes in base64, which are 44 characters.
 *
 * **Details**
 *
 * The proxy rejects a secret that contains a word of an example. A random text contains one in one of ten million cases, so the
 * function then takes further bytes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeSecret = (random: () => Uint8Array = () => crypto.getRandomValues(new Uint8Array(32))): string => {
  const secret = Base64.encode(random())
  return problemOf(secret) === undefined ? secret : makeSecret(random)
}

const secret = Command.make(
  "secret",
  {},
  // Only the secret is printed, so that the output can be piped into a file or a secret manager.
  () => Effect.flatMap(Effect.sync(() => makeSecret()), (text) => Console.log(text))
).pipe(
  Command.withDescription(
    "Prints a new secret for the option secret of OAuthProxy: 32 random bytes in base64. Prints nothing else and stores nothing, so " +
      "pass the output to the place where you keep secrets."
  ),
  Command.withShortDescription("Print a new secret"),
  Command.withExamples([
    { command: "effect-mcp-auth proxy secret", description: "Print a secret" },
    {
      command: "(umask 077 && effect-mcp-auth proxy secret > proxy-secret)",
      description: "Write one to a private file"
    }
  ])
)

const callback = Command.make(
  "callback",
  {
    issuer: Argument.String("issuer").pipe(
      Argument.withDescription(
        "The issuer of the proxy, such as https://auth.example.com. Without the option issuer: the origin of the resource"
      )
    ),
    upstream: Argument.String("upstream").pipe(
      Argument.withDescription("The name of the upstream: github, google, entra, oidc, or the one of the option name")
    )
  },
  Effect.fnUntraced(function*({ issuer, upstream }) {
    const url = Result.getOrUndefined(HttpUri.parse(issuer))
    if (url === undefined || !HttpUri.isSecure(url)) {
      return yield* new InvalidInput({
        detail: `${shown(issuer)} is not an issuer. Write an https URL such as https://auth.example.com`
      })
    }
    if (!presets.isName(upstream)) {
      return yield* new InvalidInput({
        detail: `${shown(upstream)} is not the name of an upstream. Write one such as github`
      })
    }
    yield* Console.log(urlsOf(url.href, upstream).callback)
  })
).pipe(
  Command.withDescription(
    "Prints the callback URL of the OAuth proxy. Register exactly this URL for the client of the proxy at the upstream. The log of the " +
      "proxy names it as well, when the proxy starts."
  ),
  Command.withShortDescription("Print the callback URL to register at the upstream"),
  Command.withExamples([
    {
      command: "effect-mcp-auth proxy callback https://auth.example.com github",
      description: "Print the callback URL for GitHub"
    }
  ])
)

/**
 * The command `proxy`.
 *
 * @category commands
 * @since 0.1.0
 */
export const proxy = Command.make(
  "proxy",
  {},
  // Without a handler, the help would be printed to standard output, as if it were a secret.
  () =>
    new InvalidInput({ detail: "missing argument: the command secret or callback. Run effect-mcp-auth proxy --help" })
).pipe(
  Command.withDescription("Helps to set up the OAuth proxy of effect-mcp-auth/proxy, which is experimental."),
  Command.withShortDescription("Set up the OAuth proxy (experimental)"),
  Command.withSubcommands([secret, callback])
)
