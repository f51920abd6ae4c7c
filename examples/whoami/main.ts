/** Runs the server of `WhoAmI.ts`, with an authorization server if none is configured. */
import * as Serving from "../shared/Serving.ts"
import * as WhoAmI from "./WhoAmI.ts"

Serving.run({ scopes: WhoAmI.scopes, app: WhoAmI.layer })
