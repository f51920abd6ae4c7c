import * as Effect from "effect/Effect"
import { type BoundKey, createFor } from "./BoundKey.ts"
import * as clientProof from "./ClientProof.ts"
import { type CredentialsContent, option } from "./GrantContent.ts"
import * as TokenEndpoint from "./TokenEndpoint.ts"
import type { MakeSource } from "./TokenSource.ts"

/* Obtains tokens with the credentials of a client. */

/** Creates a source for clients that need no person. */
export const fromCredentials = ({ connect, credentials }: CredentialsContent): MakeSource =>
  Effect.fnUntraced(function*({ fetcher, keys }) {
    yield* clientProof.check(credentials, option)
    const parametersFor = yield* connect(fetcher)
    const requestToken = TokenEndpoint.make(fetcher)
    let key: BoundKey | undefined
    return {
      canRenew: () => true,
      request: Effect.fnUntraced(function*({ found, scopes }) {
        const { issuer, resource, server } = found
        const tokenEndpoint = server.token_endpoint!
        const parameters = yield* parametersFor({ issuer, tokenEndpoint, resource, scopes })
        if (keys !== undefined) key ??= yield* createFor(keys, found, { isStored: false })
        const scope = scopes.length === 0 ? [] : [["scope", scopes.join(" ")] as const]
        return yield* requestToken({
          issuer,
          endpoint: tokenEndpoint,
          parameters: [...parameters, ...scope, ["resource", resource]],
          proof: clientProof.make(
            credentials,
            { issuer, methods: server.token_endpoint_auth_methods_supported },
            option
          ),
          key,
          scopes
        })
      })
    }
  })
