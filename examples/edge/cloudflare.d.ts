/** The types of the environment of the Worker. In your project, `wrangler types` generates them. */
declare module "cloudflare:workers" {
  export const env: { readonly RESOURCE_URL: string; readonly ISSUER: string }
}
