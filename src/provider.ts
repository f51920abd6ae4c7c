/**
 * Identity providers: their profiles, the facts about them, and whether one of them, a server or a token fits.
 *
 * @since 0.1.0
 */
export * as AccessToken from "./provider/AccessToken.ts"
export * as Check from "./provider/Check.ts"
export * as Doctor from "./provider/Doctor.ts"
export * as Fact from "./provider/Fact.ts"
export * as Facts from "./provider/Facts.ts"
export * as Profiles from "./provider/Profiles.ts"
export * as ProviderList from "./provider/ProviderList.ts"
export * as Report from "./provider/Report.ts"
export * as ReportFormat from "./provider/ReportFormat.ts"
export * as Rule from "./provider/Rule.ts"
