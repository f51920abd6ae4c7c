/** Runs the server of `WhoAmI.ts`. If no authorization server is configured, runs one too. */
import * as Serving from "../shared/Serving.ts"
import * as WhoAmI from "./WhoAmI.ts"

Serving.run({ scopes: WhoAmI.scopes, app: WhoAmI.layer })
