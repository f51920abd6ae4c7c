/** A protected route on a free port of loopback. */
export type Start = (issuer: string, resource: string) => Promise<{ readonly url: string; readonly close: () => void }>
export const mcpAuth: Start
export const sdk: Start
