/** A client that is connected to the server. */
export interface Session {
  /** Calls a tool, and returns its structured content. Fails if the server or the client rejects the call. */
  readonly callTool: (name: string, args: Readonly<Record<string, unknown>>) => Promise<unknown>
  /**
   * Finishes a sign-in that the client has requested since the last call: the part of the application. Returns false if the
   * client requested none. Programs that finish the sign-in themselves have no such part.
   */
  readonly finishSignIn?: () => Promise<boolean>
  readonly close: () => Promise<void>
}

export interface Target {
  /** The URL of the MCP server. */
  readonly url: string
  /** The folder in which the packages of the clients are installed. */
  readonly folder: string
}

/** Connects, and signs a person in if the server requires it. */
export type Connect = (target: Target) => Promise<Session>

/** Connects. If the client requests a sign-in, finishes it and connects again, as an application does. */
export const connectSignedIn = async <A>(
  connect: () => Promise<A>,
  finishSignIn: () => Promise<boolean>
): Promise<A> => {
  try {
    return await connect()
  } catch (error) {
    if (!await finishSignIn()) throw error
    return connect()
  }
}
