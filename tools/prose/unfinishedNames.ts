/**
 * The files that still declare names of the old vocabulary. A file leaves this list when it is clean. New files do not join.
 */
export const unfinishedNames: ReadonlyArray<string> = []
