/**
 * The style of the page, with a light and a dark color scheme. Everything that a color expresses is also expressed by a word or
 * a symbol.
 *
 * @since 0.1.0
 */

/**
 * The style sheet, as CSS text.
 *
 * @category constants
 * @since 0.1.0
 */
export const style = `
:root {
  color-scheme: light dark;
  --text: #1c2024; --aside: #5b6470; --page: #fbfbfa; --card: #ffffff; --line: #d9dce0; --field: #868e99;
  --accent: #1d4ed8; --on-accent: #ffffff;
  --good: #17703a; --bad: #b3261e; --warn: #8a5300; --open: #0b6577;
  --good-wash: #eaf6ee; --bad-wash: #fdeeec; --warn-wash: #fdf3e1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --text: #e7e9ec; --aside: #a3abb6; --page: #14171a; --card: #1c2024; --line: #343a42; --field: #7d8794;
    --accent: #8ab0ff; --on-accent: #0d1526;
    --good: #6fd292; --bad: #ff9b92; --warn: #f2bd62; --open: #74cfe2;
    --good-wash: #17291d; --bad-wash: #34191a; --warn-wash: #2f2612;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main, header, footer { max-width: 46rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 2rem; }
footer { padding-top: 1.5rem; padding-bottom: 3rem; color: var(--aside); font-size: .875rem; }
h1 { margin: 0 0 .25rem; font-size: 1.625rem; line-height: 1.25; letter-spacing: -.01em; }
h2, h3, h4, h5, h6 { line-height: 1.3; margin: 1.75rem 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; } h3 { font-size: 1.0625rem; } h4, h5, h6 { font-size: 1rem; }
h2.subject { margin-top: 0; }
p { margin: .25rem 0; overflow-wrap: anywhere; }
a { color: var(--accent); }
code { font-family: ui-monospace, monospace; font-size: .9em; }
.aside { color: var(--aside); font-weight: normal; font-size: .9375rem; }
form { margin: 1.25rem 0 0; padding: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
label, legend { font-weight: 600; padding: 0; }
fieldset { border: 0; margin: 0; padding: 0; min-width: 0; }
fieldset label { font-weight: normal; display: inline-flex; align-items: center; gap: .375rem; min-height: 2rem; margin-right: 1rem; }
input[type=text], select {
  font: inherit; font-weight: 400; color: inherit; background: var(--page); border: 1px solid var(--field); border-radius: .375rem;
  padding: .5rem .625rem; min-height: 2.75rem; max-width: 100%;
}
input[type=text] { display: block; width: 100%; margin-top: .25rem; }
input[type=radio] { width: 1.125rem; height: 1.125rem; margin: 0; accent-color: var(--accent); }
input[aria-invalid=true] { border-color: var(--bad); border-width: 2px; }
.hint { color: var(--aside); font-size: .875rem; margin: .25rem 0 .875rem; }
.row { display: flex; flex-wrap: wrap; gap: .875rem 1.5rem; align-items: end; margin-top: .75rem; }
.row select { display: block; margin-top: .25rem; }
button { font: inherit; border-radius: .375rem; min-height: 2.75rem; padding: .5rem 1.25rem; cursor: pointer; }
#check { margin-left: auto; border: 1px solid transparent; background: var(--accent); color: var(--on-accent); font-weight: 600; }
#check[aria-disabled=true] { cursor: progress; opacity: .65; }
button.plain { background: var(--card); color: inherit; border: 1px solid var(--field); min-height: 2.25rem; padding: .25rem .75rem; font-size: .9375rem; }
button.plain:hover { border-color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
#status { min-height: 1.5rem; margin: .75rem 0 0; color: var(--aside); }
#status:empty { min-height: 0; margin: 0; }
#status.screen-reader { position: absolute; width: 1px; height: 1px; min-height: 0; margin: -1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
#problem { margin: .75rem 0 0; padding: .625rem .875rem; border-left: 4px solid var(--bad); background: var(--bad-wash); }
#result { margin-top: 1.5rem; scroll-margin-top: 1rem; }
#result:focus { outline: none; }
#result:focus-visible { outline: none; }
.outcome { display: flex; gap: .625rem; align-items: baseline; padding: .625rem .875rem; border-left: 4px solid; border-radius: .25rem; margin: .5rem 0; }
.outcome strong { color: var(--text); }
.outcome.pass { color: var(--good); background: var(--good-wash); }
.outcome.fail { color: var(--bad); background: var(--bad-wash); }
.outcome.inconclusive { color: var(--warn); background: var(--warn-wash); }
.symbol { display: inline-block; width: 1.1em; font-weight: 700; }
.actions { display: flex; flex-wrap: wrap; gap: .5rem; margin: .875rem 0 0; }
ul { margin: 0; padding: 0; }
ul.notes { padding-left: 1.25rem; overflow-wrap: anywhere; }
ul.notes li { margin: .25rem 0; }
ul.rules { list-style: none; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
.rule { padding: .5rem .875rem; border-top: 1px solid var(--line); }
.rule:first-child { border-top: 0; }
.rule .head, .rule summary { display: grid; grid-template-columns: 8.75rem 1fr; column-gap: .5rem; }
.rule .head, .rule.fail .title { font-weight: 600; }
.rule.MAY .title { font-weight: normal; }
.rule summary { cursor: pointer; list-style: none; grid-template-columns: 8.75rem 1fr 1rem; }
.rule summary::-webkit-details-marker { display: none; }
.rule summary::after { content: "+"; color: var(--aside); text-align: right; }
.rule details[open] summary::after { content: "–"; }
.rule p:not(.head) { margin-left: 9.25rem; }
.verdict { color: var(--aside); font-weight: 600; font-size: .9375rem; white-space: nowrap; }
.pass .verdict { color: var(--good); }
.fail.MUST .verdict { color: var(--bad); }
.fail.SHOULD .verdict { color: var(--warn); }
.inconclusive .verdict { color: var(--open); }
.cite { color: var(--aside); font-size: .875rem; }
.part { margin-top: 2.25rem; padding-top: .25rem; border-top: 2px solid var(--line); }
.part .subject { margin-top: 1.25rem; }
[hidden] { display: none !important; }
@media (max-width: 36rem) {
  header { padding-top: 1.25rem; }
  #check { width: 100%; }
  fieldset label { display: flex; margin-right: 0; }
  .rule .head { grid-template-columns: 1fr; }
  .rule summary { grid-template-columns: 1fr 1rem; }
  .rule summary .verdict { grid-column: 1; }
  .rule summary .title { grid-column: 1; }
  .rule summary::after { grid-column: 2; grid-row: 1; }
  .rule p:not(.head) { margin-left: 0; }
}
@media (forced-colors: active) { .outcome, #problem { border: 1px solid; } }
@media print {
  :root { --text: #000; --aside: #333; --page: #fff; --card: #fff; --line: #999; --good: #000; --bad: #000; --warn: #000;
    --open: #000; --good-wash: #fff; --bad-wash: #fff; --warn-wash: #fff; color-scheme: light; }
  form, #status, #problem, .actions, header, footer { display: none; }
  .rule, .outcome { break-inside: avoid; }
  h2, h3, h4 { break-after: avoid; }
  .rule details summary::after { content: "" !important; }
  body { font-size: 10pt; }
}
`
