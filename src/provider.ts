/**
 * Identity providers: their profiles, and the facts about them.
 *
 * @since 0.1.0
 */
export * as Fact from "./provider/Fact.ts"
export * as Facts from "./provider/Facts.ts"
export * as Profiles from "./provider/Profiles.ts"
