/**
 * Identity providers: their profiles, facts about them, and checks of authorization servers, MCP servers and tokens.
 *
 * @since 0.1.0
 */
export * as Check from "./check/Check.ts"
export * as Doctor from "./doctor/Doctor.ts"
export * as Facts from "./facts/Facts.ts"
export * as Profiles from "./profiles/Profiles.ts"
export * as Report from "./report/Report.ts"
export * as Rule from "./report/Rule.ts"
export * as TokenReport from "./token/TokenReport.ts"
