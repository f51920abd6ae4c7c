/**
 * Creates the check page as one HTML document that contains its style sheet and its script. The content security policy allows
 * these two by their hashes, and no other style sheet or script.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"
import { revisions } from "../../provider/report/Rule.ts"
import { program } from "./browser.ts"
import { makeRenderer } from "./renderer.ts"
import { style } from "./style.ts"

const script = `(${program.toString()})(${makeRenderer.toString()})`

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

const icon = "data:image/svg+xml," + encodeURIComponent(
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#1d4ed8"/>` +
    `<path d="m4 8 3 3 5-6" fill="none" stroke="#fff" stroke-width="2"/></svg>`
)

/**
 * The value of the `Content-Security-Policy` header of the page.
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
 * Creates the HTML document. `local` states whether servers on this machine and in its network may be checked.
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
<title>MCP authorization check</title>
<link rel="icon" href="${icon}">
<style>${style}</style>
</head>
<body>
<header>
<h1>MCP authorization check</h1>
<p class="aside">Sends an authorization server or an MCP server the requests that MCP clients send. Reports for each rule of the
standards whether it passes, and what to change.</p>
</header>
<main>
<form id="form" action="report" method="get" novalidate>
<label for="target">Issuer, or URL of an MCP server</label>
<input id="target" name="target" type="text" inputmode="url" autocomplete="url" autocapitalize="none" spellcheck="false"
 required aria-describedby="hint problem" placeholder="https://auth.example.com">
<p class="hint" id="hint">${
    local
      ? "Servers on this machine and in its network are allowed."
      : "Public https hosts only. Do not enter a token."
  }</p>
<fieldset>
<legend>Kind of server</legend>
<label><input type="radio" name="kind" value="auto" checked> Detect</label>
<label><input type="radio" name="kind" value="authorization-server"> Authorization server</label>
<label><input type="radio" name="kind" value="mcp-server"> MCP server</label>
</fieldset>
<div class="row">
<label for="spec">Revision of MCP
<select id="spec" name="spec">${revisionOptions}</select></label>
<button id="check" type="submit">Check</button>
</div>
</form>
<p id="status" role="status" aria-live="polite"></p>
<p id="problem" role="alert" hidden></p>
<noscript><p class="hint">Without scripts the report is JSON.</p></noscript>
<section id="result" tabindex="-1" aria-labelledby="subject" hidden></section>
</main>
<footer>
<p>effect-mcp-auth. The check registers no client, signs in no user and stores nothing.</p>
</footer>
<script>${script}</script>
</body>
</html>
`
