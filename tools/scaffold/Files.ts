/** The edits of a scaffold: new files, and texts that are inserted into existing ones. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"

/** A wrong argument, or a file that is not as the scaffold expects it. The message is for the person who runs the scaffold. */
export class ScaffoldError extends Error {}

export interface Files {
  /** Returns the text of a file, with the edits so far. */
  readonly read: (file: string) => string
  /** Adds a file. Throws if it exists. */
  readonly add: (file: string, text: string) => void
  /** Replaces a text that the file contains exactly once. */
  readonly replace: (file: string, anchor: string, text: string) => void
  /** Inserts text directly before a text that the file contains exactly once. */
  readonly insertBefore: (file: string, anchor: string, text: string) => void
  /** Adds text to the end of a file. */
  readonly append: (file: string, text: string) => void
  /** Writes the edits to the disk, and returns the names of the files. Nothing is written before. */
  readonly save: () => ReadonlyArray<string>
}

export const open = (root: string): Files => {
  const edited = new Map<string, string>()
  const read = (file: string) => edited.get(file) ?? readFileSync(join(root, file), "utf8")
  const replace = (file: string, anchor: string, text: string) => {
    const parts = read(file).split(anchor)
    if (parts.length !== 2) {
      throw new ScaffoldError(
        `${file} contains ${JSON.stringify(anchor)} ${parts.length - 1} times, not once. Adapt tools/scaffold`
      )
    }
    edited.set(file, parts.join(text))
  }
  return {
    read,
    add: (file, text) => {
      if (edited.has(file) || existsSync(join(root, file))) {
        throw new ScaffoldError(`${file} exists. Choose another name`)
      }
      edited.set(file, text)
    },
    replace,
    insertBefore: (file, anchor, text) => replace(file, anchor, `${text}${anchor}`),
    append: (file, text) => void edited.set(file, `${read(file).trimEnd()}\n\n${text}`),
    save: () => {
      for (const [file, text] of edited) {
        mkdirSync(join(root, dirname(file)), { recursive: true })
        writeFileSync(join(root, file), text)
      }
      return [...edited.keys()]
    }
  }
}

/** Returns the words of a name such as `acme-id`. Throws if it has another form. */
export const wordsOf = (name: string | undefined, example: string): ReadonlyArray<string> => {
  if (name === undefined || !/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/.test(name)) {
    throw new ScaffoldError(
      `The name is ${JSON.stringify(name)}. Give one in lower case with hyphens, such as ${example}`
    )
  }
  return name.split("-")
}

export const pascal = (words: ReadonlyArray<string>): string =>
  words.map((word) => word[0]!.toUpperCase() + word.slice(1)).join("")

export const camel = ([first = "", ...others]: ReadonlyArray<string>): string => first + pascal(others)
