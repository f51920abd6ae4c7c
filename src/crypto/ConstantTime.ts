/**
 * Compares two texts of the same known length. The time does not depend on the position of the first difference, so it does not
 * reveal how many characters of a guess are right.
 */
export const isEqual = (one: string, other: string): boolean => {
  if (one.length !== other.length) return false
  let difference = 0
  for (let index = 0; index < one.length; index++) difference |= one.charCodeAt(index) ^ other.charCodeAt(index)
  return difference === 0
}
