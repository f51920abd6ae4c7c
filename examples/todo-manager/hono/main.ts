import * as Serving from "../../shared/Serving.ts"
import { allScopes } from "../Scopes.ts"
import { serve } from "./TodoManager.ts"

Serving.runListener({ scopes: allScopes, serve })
