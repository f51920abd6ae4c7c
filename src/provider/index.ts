/**
 * Identity providers: their profiles, the facts about them, and whether one of them, a server or a token fits.
 *
 * @since 0.1.0
 */
export * as Check from "./check/Check.ts"
export * as Doctor from "./doctor/Doctor.ts"
export * as Fact from "./facts/Fact.ts"
export * as Facts from "./facts/Facts.ts"
export * as Profiles from "./profiles/Profiles.ts"
export * as Report from "./report/Report.ts"
export * as Rule from "./report/Rule.ts"
export * as AccessToken from "./token/TokenReport.ts"
