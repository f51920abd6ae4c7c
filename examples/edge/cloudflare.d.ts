/** `wrangler types` writes this for you. */
declare module "cloudflare:workers" {
  export const env: { readonly RESOURCE_URL: string; readonly ISSUER: string }
}
