/**
 * The texts of the pages of the OAuth proxy.
 *
 * @since 0.1.0
 */

/**
 * The texts of the pages, without markup. `{name}` and other words in braces are replaced: `{name}` by the name of the application
 * of the author, `{target}` by the place to which a sign-in returns, `{client}` by the host of the client, `{upstream}` by the
 * name of the upstream, and `{person}` by the person who signed in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Messages {
  /** The language of the texts, as a language tag (RFC 5646). */
  readonly language: string
  readonly direction: "ltr" | "rtl"
  readonly consentTitle: string
  readonly consentTitleDevice: string
  readonly consentTitleScheme: string
  readonly returnsTo: string
  readonly thisDevice: string
  readonly identifiedBy: string
  readonly selfRegistered: string
  readonly registeredHere: string
  readonly callsItself: string
  readonly notVerified: string
  readonly deviceWarning: string
  readonly scopesTitle: string
  readonly noScopes: string
  readonly upstreamTitle: string
  readonly upstreamScopes: string
  readonly startedYourself: string
  readonly approve: string
  readonly deny: string
  readonly continueTitle: string
  readonly continueLink: string
  readonly returnTitle: string
  readonly returnLink: string
  readonly closeWindow: string
  readonly signedInAs: string
  readonly deniedTitle: string
  readonly deniedText: string
  readonly errorTitle: string
  readonly errorReturnLink: string
  readonly errorClient: string
  readonly errorClientUnavailable: string
  readonly errorRedirect: string
  readonly errorRequest: string
  readonly errorConsentRequired: string
  readonly errorTransaction: string
  readonly errorUpstream: string
  readonly errorUnavailable: string
  readonly errorNotFound: string
}

/**
 * The English texts.
 *
 * @category constants
 * @since 0.1.0
 */
export const english: Messages = {
  language: "en",
  direction: "ltr",
  consentTitle: "Allow {target} to use {name}?",
  consentTitleDevice: "Allow an application on this device to use {name}?",
  consentTitleScheme: "Allow the application for {target} links to use {name}?",
  returnsTo: "Returns you to",
  thisDevice: "{target} (this device)",
  identifiedBy: "Identified by",
  selfRegistered: "Nothing. The application registered itself.",
  registeredHere: "The operator of {name}",
  callsItself: "Calls itself",
  notVerified: "not verified",
  deviceWarning:
    "Any application on this device can claim to be {client}. Go on only if you know which application opened this page.",
  scopesTitle: "The application will be allowed to",
  noScopes: "Use {name} as you",
  upstreamTitle: "You continue at {upstream}",
  upstreamScopes: "{upstream} will be asked for: {scopes}",
  startedYourself: "Go on only if you have just started this yourself.",
  approve: "Allow",
  deny: "Cancel",
  continueTitle: "Continue to {target}",
  continueLink: "Continue",
  returnTitle: "Back to the application",
  returnLink: "Open the application",
  closeWindow: "You can close this window afterwards.",
  signedInAs: "Signed in as {person}.",
  deniedTitle: "No access",
  deniedText: "This account has no access to {name}.",
  errorTitle: "Sign-in is not possible",
  errorReturnLink: "Return to {target}",
  errorClient: "The application is not known here. Remove its connection to {name}, and add the connection again.",
  errorClientUnavailable: "The description of the application cannot be loaded now. Try again in a few minutes.",
  errorRedirect: "The application did not register the address to which it wants to return.",
  errorRequest: "The request of the application is not valid:",
  errorConsentRequired: "The application requested a sign-in without a page, but access needs your consent.",
  errorTransaction: "This sign-in has ended, or it began in another browser. Start again in the application.",
  errorUpstream: "The sign-in at {upstream} did not succeed. Start again in the application.",
  errorUnavailable: "{name} cannot sign you in now. Try again in a few minutes.",
  errorNotFound: "There is no page here."
}
