/** The policies of the tools. Both servers use them. */
import { Effect } from "effect"
import { Policy } from "effect-mcp-auth/policy"
import { Articles } from "./Articles.ts"

/** Clients request `baseline` at sign-in, and `stepUp` when a tool requires it. */
export const scopes = { baseline: ["articles:write"], stepUp: ["articles:review"] } as const

/** The claims of a token that contain the roles of its caller. */
export const roles = [["roles"]] as const

/** A tool without a sign-in. */
export const canRead = Policy.anyone

export const canWrite = Policy.scopes("articles:write")

const isAuthor = Policy.check("author", (caller, call: Policy.Call<{ readonly id: string }>) =>
  Effect.gen(function*() {
    const { authorOf } = yield* Articles
    return (yield* authorOf(call.arguments.id)) === caller.owner
  }))

/** Only the author. The check reads the argument `id` of the call. */
export const canRename = Policy.allOf(canWrite, isAuthor)

/** Either the scope, which a person can grant to a client, or the role, which the organisation gives to a person. */
export const canReview = Policy.anyOf(Policy.scopes("articles:review"), Policy.role("editor"))

/** Only the role. No scope replaces it, so the server does not send the caller back to the sign-in page. */
export const canPublish = Policy.role("editor")

/** The tool with this policy is hidden: for callers without the role it does not exist. */
export const canErase = Policy.role("admin")

/** The role of the cron job, which has an API key. No person has it. */
export const canExport = Policy.role("exporter")
