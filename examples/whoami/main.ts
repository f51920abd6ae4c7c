/** The same, with an authorization server of its own when none is named. */
import * as Serving from "../shared/Serving.ts"
import * as WhoAmI from "./WhoAmI.ts"

Serving.run({ scopes: WhoAmI.scopes, app: WhoAmI.layer })
