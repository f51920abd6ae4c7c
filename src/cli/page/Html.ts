/**
 * The page as one document: style and program stand in it, and its policy admits these two texts and nothing else.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import { revisions } from "../../provider/report/Rule.ts"
import { program } from "./browser.ts"
import { style } from "./style.ts"

const script = `(${program.toString()})()`

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

const icon = "data:image/svg+xml," + encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1d4ed8"/>` +
    `<path d="m4 8 3 3 5-6" fill="none" stroke="#fff" stroke-width="2"/></svg>`
)

/**
 * The `Content-Security-Policy` that belongs to the page.
 *
 * @category constants
 * @since 0.1.0
 */
export const policy: string = [
  "default-src 'none'",
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  "img-src data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'"
].join("; ")

const revisionOptions = revisions.map((revision, index) =>
  `<option value="${revision}">${revision}${index === 0 ? " (newest)" : ""}</option>`
).join("")

/**
 * The document.
 *
 * @category constructors
 * @since 0.1.0
 */
export const document = ({ local }: { readonly local: boolean }): string =>
  `<!doctype html>
<html lang="en" data-local="${local}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Does it fit MCP?</title>
<link rel="icon" href="${icon}">
<style>${style}</style>
</head>
<body>
<header>
<h1>Does it fit MCP?</h1>
<p class="aside">Asks an authorization server or an MCP server what clients would ask it, and says for each rule of the
standards whether it is kept and what to change.</p>
</header>
<main>
<form id="form" action="report" method="get" novalidate>
<label for="target">Issuer, or URL of an MCP server</label>
<input id="target" name="target" type="text" inputmode="url" autocomplete="url" autocapitalize="none" spellcheck="false"
 required aria-describedby="hint problem" placeholder="https://auth.example.com">
<p class="hint" id="hint">${
    local
      ? "Servers on this machine and in its network are asked, too."
      : "Public hosts only, by https. No token is needed, and none is taken."
  }</p>
<fieldset>
<legend>What is it?</legend>
<label><input type="radio" name="kind" value="auto" checked> Find out</label>
<label><input type="radio" name="kind" value="authorization-server"> Authorization server</label>
<label><input type="radio" name="kind" value="mcp-server"> MCP server</label>
</fieldset>
<div class="row">
<label for="spec">Revision of MCP
<select id="spec" name="spec">${revisionOptions}</select></label>
<button id="look" type="submit">Look</button>
</div>
</form>
<p id="status" role="status" aria-live="polite"></p>
<p id="problem" role="alert" hidden></p>
<noscript><p class="hint">Without scripts the report comes as JSON.</p></noscript>
<section id="result" tabindex="-1" aria-labelledby="subject" hidden></section>
</main>
<footer>
<p>effect-mcp-auth. Nothing is registered, nobody signs in, nothing is kept.</p>
</footer>
<script>${script}</script>
</body>
</html>
`
