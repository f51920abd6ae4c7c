/**
 * Identity providers: their profiles, and the facts about them.
 *
 * @since 0.1.0
 */
export * as Profiles from "./provider/Profiles.ts"
