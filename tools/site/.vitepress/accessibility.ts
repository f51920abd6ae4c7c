/** Corrects faults of VitePress 1.6 in its default theme that axe finds. Fails the build if VitePress changes the code. */
import type { Plugin } from "vite"

interface Correction {
  readonly file: string
  readonly from: string
  readonly to: string
}

const corrections: ReadonlyArray<Correction> = [
  // The whole title of a group is a button. Its arrow must not be a second button inside it.
  {
    file: "VPSidebarItem.vue",
    from: `        role="button"
        aria-label="toggle section"
        @click="onCaretClick"
        @keydown.enter="onCaretClick"
        tabindex="0"
`,
    to: `        aria-hidden="true"
`
  },
  // Screen readers announce whether the group is open.
  {
    file: "VPSidebarItem.vue",
    from: `      :role="itemRole"
`,
    to: `      :role="itemRole"
      :aria-expanded="item.items && collapsible ? !collapsed : undefined"
`
  },
  // The hint with the keys is not a part of the button's name, so the style draws the letter.
  {
    file: "VPNavBarSearchButton.vue",
    from: `<kbd class="DocSearch-Button-Key">K</kbd>`,
    to: `<kbd class="DocSearch-Button-Key letter"></kbd>`
  }
]

export const correctTheme: Plugin = {
  name: "effect-mcp-auth:accessibility",
  enforce: "pre",
  transform: (code, id) => {
    const own = corrections.filter(({ file }) => id.endsWith(`/theme-default/components/${file}`))
    if (own.length === 0) return null
    return own.reduce((text, { file, from, to }) => {
      if (!text.includes(from)) throw new Error(`${file} of VitePress has changed: compare it with accessibility.ts`)
      return text.replace(from, to)
    }, code)
  }
}
