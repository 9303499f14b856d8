/** Writes out the types that are inferred from zod's schemas. */
import ts from 'typescript'

/**
 * Returns new texts of files that import types of zod: with every exported alias written out, and no imports.
 *
 * @param {ts.Program} program @returns {Map<string, string>} By path.
 */
export function writeOut(program) {
  const checker = program.getTypeChecker()
  const files = program
    .getSourceFiles()
    .filter((file) => /\/backend\/types\.ts$/.test(file.fileName))
  return new Map(files.map((file) => [file.fileName, textOf(checker, file)]))
}

/** @param {ts.TypeChecker} checker @param {ts.SourceFile} file */
function textOf(checker, file) {
  const aliases = file.statements.filter((one) => ts.isTypeAliasDeclaration(one))
  const names = new Map(aliases.map((one) => [checker.getTypeAtLocation(one), one.name.text]))
  return aliases
    .map((one) => `export type ${one.name.text} = ${write(checker.getTypeAtLocation(one), true)}`)
    .join('\n')

  /** @param {ts.Type} type */
  function write(type, isDeclared = false) {
    const { flags } = type
    const name = names.get(type)
    if (name !== undefined && !isDeclared) return name
    if (flags & ts.TypeFlags.Intrinsic) return type.intrinsicName
    if (flags & ts.TypeFlags.StringOrNumberLiteral) return JSON.stringify(type.value)
    if (type.isUnion()) return writeUnion(type)
    if (type.isIntersection()) return writeIntersection(type)
    if (checker.isArrayType(type)) return writeArray(type)
    if (flags & ts.TypeFlags.Object) return writeObject(type)
    throw new Error(`cannot write out ${checker.typeToString(type)}`)
  }

  /** The compiler takes `boolean` apart into `false` and `true`. */
  function writeUnion({ types }) {
    const parts = new Set(types.map((part) => write(part)))
    if (parts.has('true') && parts.delete('false')) {
      parts.delete('true')
      parts.add('boolean')
    }
    const last = ['null', 'undefined'].filter((part) => parts.delete(part))
    return [...parts, ...last].join(' | ')
  }

  /** A text with a brand of zod is a text. Users cannot make brands. */
  function writeIntersection({ types }) {
    const plain = types.find((part) => part.flags & ts.TypeFlags.String)
    return plain ? 'string' : types.map((part) => write(part)).join(' & ')
  }

  function writeArray(type) {
    const [element] = checker.getTypeArguments(type)
    const text = element.isUnionOrIntersection() ? `(${write(element)})` : write(element)
    return `${type.symbol.name === 'ReadonlyArray' ? 'readonly ' : ''}${text}[]`
  }

  function writeObject(type) {
    if (type.getCallSignatures().length > 0)
      throw new Error(`cannot write out the function ${checker.typeToString(type)}`)
    const lines = [
      ...checker
        .getIndexInfosOfType(type)
        .map(
          (info) =>
            `${info.isReadonly ? 'readonly ' : ''}[name: ${write(info.keyType)}]: ${write(info.type)}`,
        ),
      ...checker.getPropertiesOfType(type).map(writeProperty),
    ]
    return lines.length === 0 ? '{}' : `{\n${indented(lines.join('\n'))}\n}`
  }

  /** @param {ts.Symbol} property */
  function writeProperty(property) {
    const name = /^[\w$]+$/.test(property.name) ? property.name : JSON.stringify(property.name)
    const mark = property.flags & ts.SymbolFlags.Optional ? '?' : ''
    return `${name}${mark}: ${write(checker.getTypeOfSymbol(property))}`
  }
}

const indented = (text) => text.replace(/^/gm, '    ')
