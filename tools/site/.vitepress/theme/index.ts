/** The default theme without its web fonts, with the list of providers. */
import type { Theme } from "vitepress"
import DefaultTheme from "vitepress/theme-without-fonts"
import ProviderList from "./ProviderList.vue"
// oxlint-disable-next-line import/no-unassigned-import -- Vite adds the styles to the page
import "./style.css"

export default {
  extends: DefaultTheme,
  enhanceApp: ({ app }) => {
    app.component("ProviderList", ProviderList)
  }
} satisfies Theme
