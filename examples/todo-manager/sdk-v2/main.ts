import * as Serving from "../../shared/Serving.ts"
import { scopes } from "../Scopes.ts"
import { serve } from "./TodoManager.ts"

Serving.runListener({ scopes, serve })
