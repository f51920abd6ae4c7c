/**
 * Starts cognito-local, an emulator of Amazon Cognito, on a free port with an empty database. It is installed separately:
 *
 *     npm ci --ignore-scripts --prefix test/providers/cognitoLocal
 */
import { Effect, type Scope } from "effect"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { freePort, start } from "../program.ts"
import { redirectUri } from "./officialClients.ts"

const program = join(import.meta.dirname, "cognitoLocal/node_modules/cognito-local/lib/bin/start.js")

/**
 * Tells whether to run the tests of the emulator. If it is not installed, they are skipped. With `REQUIRE_COGNITO_LOCAL`, which
 * `.ci/run` sets, they fail instead.
 */
export const isInstalled = process.env["REQUIRE_COGNITO_LOCAL"] !== undefined || existsSync(program)

export interface CognitoLocal {
  /** The URL of the emulator. */
  readonly url: string
  readonly userPoolId: string
  /** The host name of the real service in the region `local`. The emulator writes it into tokens. */
  readonly host: string
  /** Creates a client without a secret. `accessTokenLifetime` is in seconds. Default: 300. */
  readonly createClient: (accessTokenLifetime?: number) => Effect.Effect<string>
  /** Returns the tokens of alice for a client. */
  readonly getTokens: (clientId: string) => Effect.Effect<{ readonly AccessToken: string; readonly IdToken: string }>
}

const password = "any password"

export const make: Effect.Effect<CognitoLocal, never, Scope.Scope> = Effect.gen(function*() {
  const port = yield* freePort
  const url = `http://127.0.0.1:${port}`
  const host = "cognito-idp.local.amazonaws.com"
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "cognito-local-"))),
    (directory) => Effect.sync(() => rmSync(directory, { recursive: true, force: true }))
  )
  mkdirSync(join(directory, ".cognito"))
  writeFileSync(
    join(directory, ".cognito/config.json"),
    JSON.stringify({
      TokenConfig: { IssuerDomain: `https://${host}` },
      ServerConfig: { hostname: "127.0.0.1", port },
      UserPoolDefaults: { UsernameAttributes: [] }
    })
  )
  // The emulator reads its configuration from the working directory.
  yield* start("/bin/sh", ["-c", `cd "$0" && exec "$@"`, directory, process.execPath, program], port)

  const call = (operation: string, request: object) =>
    Effect.promise(async () => {
      const response = await fetch(url, {
        method: "POST",
        headers: {
          "content-type": "application/x-amz-json-1.1",
          "x-amz-target": `AWSCognitoIdentityProviderService.${operation}`
        },
        body: JSON.stringify(request)
      })
      const body = await response.text()
      if (response.status !== 200) throw new Error(`${operation}: ${body}`)
      return JSON.parse(body)
    })

  const { UserPool: { Id: UserPoolId } } = yield* call("CreateUserPool", { PoolName: "todos" })
  yield* call("AdminCreateUser", { UserPoolId, Username: "alice", MessageAction: "SUPPRESS" })
  yield* call("AdminSetUserPassword", { UserPoolId, Username: "alice", Password: password, Permanent: true })
  return {
    url,
    userPoolId: UserPoolId,
    host,
    createClient: (accessTokenLifetime = 300) =>
      Effect.map(
        call("CreateUserPoolClient", {
          UserPoolId,
          ClientName: "todos",
          CallbackURLs: [redirectUri],
          AccessTokenValidity: accessTokenLifetime,
          TokenValidityUnits: { AccessToken: "seconds" }
        }),
        ({ UserPoolClient }) => UserPoolClient.ClientId
      ),
    getTokens: (clientId) =>
      Effect.map(
        call("InitiateAuth", {
          AuthFlow: "USER_PASSWORD_AUTH",
          ClientId: clientId,
          AuthParameters: { USERNAME: "alice", PASSWORD: password }
        }),
        ({ AuthenticationResult }) => AuthenticationResult
      )
  }
})
