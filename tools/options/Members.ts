/**
 * Reads the options of a function from the types: names, types, and what the doc comments say about them.
 */
import ts from "@typescript/typescript6"
import { readFileSync } from "node:fs"
import { join } from "node:path"

/** An option, as the types and the doc comments describe it. */
export interface Member {
  /** A symbol is the name of its constant in brackets. */
  readonly name: string
  readonly isRequired: boolean
  /** The type, in a few words. */
  readonly type: string
  /** The first sentence of the doc comment. `undefined` without a sentence that says more than the default. */
  readonly sentence: string | undefined
  /** The default, as the doc comment states it. */
  readonly otherwise: string | undefined
  /** The package that declares the option. `undefined` for this one. */
  readonly from: string | undefined
  /** Reads the options inside the value. */
  readonly getMembers: () => ReadonlyArray<Member>
}

/** The names of parameters for options. If a function has none of them, its last object counts. */
const parameterNames = ["options", "settings", "limits", "expected", "purpose", "config"]

const nameOf = (property: ts.Symbol): string => property.name.replace(/^__@(\w+)@\d+$/, "[$1]")

const toSentences = (text: string): ReadonlyArray<string> =>
  text.replace(/\s+/g, " ").trim().split(/(?<=\.) (?=[A-Z`])/).filter((_) => _ !== "")

/** Writes the name of a type. A type without a name is an object. */
const toTypeName = (name: string | undefined): string =>
  name === undefined || name.startsWith("__") ? "an object" : `\`${name}\``

/** A longer type does not help in a table. */
const longestType = 50

/** Returns a function that reads the options of the function at a path such as `node/McpAuthNode.make`. */
export const reader = (root: string): (path: string) => ReadonlyArray<Member> => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
  const sources = new Map(
    Object.entries<Readonly<Record<string, string>>>(manifest.exports).flatMap(([path, conditions]) => {
      const source = conditions[`${manifest.name}/source`]
      return source === undefined ? [] : [[path === "." ? "core" : path.slice(2), join(root, source)] as const]
    })
  )
  const config = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile).config,
    ts.sys,
    root
  )
  const program = ts.createProgram([...sources.values()], config.options)
  const checker = program.getTypeChecker()

  const resolve = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol

  const typeOf = (symbol: ts.Symbol): ts.Type =>
    checker.getTypeOfSymbolAtLocation(symbol, symbol.valueDeclaration ?? symbol.declarations![0]!)

  /** Returns the method of a class, of an interface, or of the service that a class identifies. */
  const methodOf = (owner: ts.Symbol, name: string): ts.Symbol | undefined => {
    const type = checker.getDeclaredTypeOfSymbol(owner)
    const method = type.getProperty(name)
    const service = type.getProperty("Service")
    return method ?? (service === undefined ? undefined : typeOf(service).getProperty(name))
  }

  const find = (path: string): ts.Symbol => {
    const slash = path.lastIndexOf("/")
    const entry = checker.getSymbolAtLocation(program.getSourceFile(sources.get(path.slice(0, slash))!)!)!
    const found = path.slice(slash + 1).split(".").reduce<ts.Symbol | undefined>((symbol, name) => {
      if (symbol === undefined) return undefined
      const resolved = resolve(symbol)
      const exported = resolved.flags & ts.SymbolFlags.Module
        ? checker.getExportsOfModule(resolved).find((_) => _.name === name)
        : methodOf(resolved, name)
      return exported
    }, entry)
    if (found === undefined) throw new Error(`${path} is not exported`)
    return resolve(found)
  }

  const describeType = (type: ts.Type): string => {
    if (type.flags & ts.TypeFlags.Unknown) return "any value"
    const text = checker.typeToString(type).replace(/^NonNullable<(\w+)>$/, "$1")
    if (text.length <= longestType) return `\`${text}\``
    if (type.getCallSignatures().length > 0) return "a function"
    return checker.isArrayType(type) ? "a list" : toTypeName((type.aliasSymbol ?? type.symbol)?.name)
  }

  const packageOf = (property: ts.Symbol): string | undefined =>
    /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(property.declarations?.[0]?.getSourceFile().fileName ?? "")?.[1]

  const toMember = (property: ts.Symbol, isRequired: boolean): Member => {
    const declared = typeOf(property)
    const type = declared.flags & ts.TypeFlags.Unknown ? declared : checker.getNonNullableType(declared)
    const sentences = toSentences(ts.displayPartsToString(property.getDocumentationComment(checker)))
    const isDefault = (sentence: string) => /^Default\b/.test(sentence)
    return {
      name: nameOf(property),
      isRequired,
      type: describeType(type),
      sentence: sentences.find((sentence) => !isDefault(sentence)),
      otherwise: sentences.find(isDefault)?.replace(/^Default(?:: | )/, "").replace(/\.$/, ""),
      from: packageOf(property),
      getMembers: () => membersOf(type)
    }
  }

  const membersOf = (type: ts.Type): ReadonlyArray<Member> => {
    const known = checker.getBaseConstraintOfType(type) ?? type
    const objects = (known.isUnion() ? known.types : [known]).filter((_) =>
      ((_.flags & ts.TypeFlags.Object) !== 0 || _.isIntersection()) && !checker.isArrayLikeType(_)
    )
    /** Whether each member of a union requires the property. */
    const isRequired = (name: string) =>
      objects.every((object) => {
        const property = checker.getPropertyOfType(checker.getApparentType(object), name)
        return property !== undefined && !(property.flags & ts.SymbolFlags.Optional)
      })
    const members = objects.flatMap((object) =>
      checker.getPropertiesOfType(checker.getApparentType(object))
        // A member of a union whose only value is `undefined` stands for an option of another member.
        .filter((property) => property.declarations !== undefined && !(typeOf(property).flags & ts.TypeFlags.Undefined))
        .map((property) => toMember(property, isRequired(property.name)))
    )
    return [...new Map(members.toReversed().map((member) => [member.name, member])).values()].toReversed()
  }

  /** Returns the types of a list of parameters, which is the type of a function that Effect traces, in reverse. */
  const typesOf = (type: ts.Type): ReadonlyArray<ts.Type> =>
    checker.isTupleType(type)
      ? checker.getTypeArguments(type as ts.TypeReference).map((_) => checker.getNonNullableType(_)).toReversed()
      : [type]

  return (path) => {
    const [signature] = typeOf(find(path)).getCallSignatures()
    const parameters = signature?.getParameters() ?? []
    const named = parameters.filter(({ name }) => parameterNames.includes(name))
    const members = (named.length > 0 ? named : parameters.toReversed())
      .flatMap((parameter) => typesOf(checker.getNonNullableType(typeOf(parameter)))).map(membersOf)
      .find((_) => _.length > 0)
    if (members === undefined) throw new Error(`${path} takes no options`)
    return members
  }
}
