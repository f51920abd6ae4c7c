/** Returns the anchor that GitHub assigns to a heading, so that links to headings work in the repository and on the site. */
export const anchorsOf = (heading: string): string =>
  heading.trim().toLowerCase().replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "").replaceAll(" ", "-")
