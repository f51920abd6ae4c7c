import * as Serving from "../shared/Serving.ts"
import * as TodoManager from "./TodoManager.ts"

Serving.run({ scopes: TodoManager.scopes, app: TodoManager.layer })
