import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { findReply } from "./McpWire.ts"

/** The maximum number of events that are read in search of a reply. Comments and empty events count. */
const maximumEvents = 1000

/**
 * Reads an event stream up to the end of the event with the reply, up to the limit of events, or up to its end. Returns the text
 * that was read, with each line end as `\n`. A server can send other events first: one without data, from which clients resume,
 * notifications and requests.
 *
 * Examines each character a fixed number of times, however small the chunks are.
 */
export const readReply = <E>(stream: Stream.Stream<Uint8Array, E>): Effect.Effect<string, E> =>
  Effect.suspend(() => {
    const reader = makeReader()
    return Stream.decodeText(stream).pipe(
      Stream.takeUntil((chunk) => reader.read(chunk)),
      Stream.runDrain,
      Effect.map(() => reader.getText())
    )
  })

const makeReader = () => {
  const lines: Array<string> = []
  /** The parts of the line that has not ended yet. */
  let line = ""
  let data: Array<string> = []
  let events = 0
  let isAfterReturn = false

  /** Adds a line, and tells whether it ends the reading. */
  const endLine = (): boolean => {
    lines.push(line)
    if (line.startsWith("data:")) data.push(line.slice(5))
    const isEnd = line === "" && (++events >= maximumEvents || findReply(data.join("\n")) !== undefined)
    if (line === "") data = []
    line = ""
    return isEnd
  }

  return {
    /** Reads a chunk, and returns true as soon as the rest of the stream is not needed. */
    read: (chunk: string): boolean => {
      let from = 0
      for (let index = 0; index < chunk.length; index++) {
        const code = chunk.charCodeAt(index)
        if (code !== 10 && code !== 13) {
          isAfterReturn = false
          continue
        }
        // A line ends with \r, \n or \r\n.
        if (code === 13 || !isAfterReturn) {
          line += chunk.slice(from, index)
          if (endLine()) return true
        }
        isAfterReturn = code === 13
        from = index + 1
      }
      line += chunk.slice(from)
      return false
    },
    getText: (): string => [...lines, line].join("\n")
  }
}
