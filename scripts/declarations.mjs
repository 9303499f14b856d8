/** Puts the type declarations of a module and of everything that it imports into one text. */
import { join, relative } from 'node:path'
import ts from 'typescript'
import { writeOut } from './written-out.mjs'

/** In memory only: the compiler must not find the sources beside their declarations. */
const FOLDER = '/declarations'

/**
 * Returns the declarations of `entry`, a source file. Aliases of types that zod infers are written out, so the text has
 * no imports. Throws an error if it would have some, and if two files declare the same name.
 *
 * @param {string} project The path of a `tsconfig.json`. @param {string} entry
 */
export function bundleDeclarations(project, entry) {
  const { options } = ts.getParsedCommandLineOfConfigFile(project, {}, reportingHost())
  const source = ts.createProgram([entry], {
    ...options,
    noEmit: false,
    noCheck: true,
    declaration: true,
    emitDeclarationOnly: true,
    incremental: false,
    rootDir: process.cwd(),
    outDir: FOLDER,
  })
  /** @type {Map<string, string>} */
  const files = new Map()
  source.emit(undefined, (path, text) =>
    files.set(path, text.replace(/(from '\..*)\.ts'/g, "$1.js'")),
  )
  for (const [path, text] of writeOut(source)) files.set(virtual(path), text)
  const program = ts.createProgram(
    [virtual(entry)],
    { module: ts.ModuleKind.NodeNext, types: [], skipLibCheck: true },
    virtualHost(files),
  )
  return print(program, program.getSourceFile(virtual(entry)))
}

const virtual = (path) => join(FOLDER, relative(process.cwd(), path).replace(/\.ts$/, '.d.ts'))

const reportingHost = () => ({
  ...ts.sys,
  onUnRecoverableConfigFileDiagnostic(fault) {
    throw new Error(ts.flattenDiagnosticMessageText(fault.messageText, '\n'))
  },
})

/** @param {ReadonlyMap<string, string>} files */
function virtualHost(files) {
  const host = ts.createCompilerHost({})
  const { getSourceFile } = host
  return {
    ...host,
    directoryExists: undefined,
    realpath: undefined,
    fileExists: (path) => files.has(path) || path === `${FOLDER}/package.json`,
    readFile: (path) =>
      files.get(path) ?? (path.endsWith('package.json') ? '{"type":"module"}' : undefined),
    getSourceFile: (path, ...rest) =>
      files.has(path)
        ? ts.createSourceFile(path, files.get(path), ts.ScriptTarget.Latest, true)
        : getSourceFile(path, ...rest),
  }
}

/** @param {ts.Program} program @param {ts.SourceFile} entry */
function print(program, entry) {
  const checker = program.getTypeChecker()
  const target = (symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(entry))
  const needed = new Map(exported.map((symbol) => [target(symbol), undefined]))
  const byName = new Map()
  /** Names of globals, such as `Error`. */
  const globals = new Set()
  for (const symbol of needed.keys()) {
    const known = byName.get(symbol.name)
    if (known) throw new Error(`two files declare ${symbol.name}`)
    byName.set(symbol.name, symbol)
    needed.set(symbol, symbol.declarations.map(statementOf).map(textOf).join('\n'))
  }
  for (const name of globals)
    if (byName.has(name)) throw new Error(`${name} is a global and a declaration: rename it`)
  const names = exported.map((symbol) => {
    const { name } = target(symbol)
    return name === symbol.name ? name : `${name} as ${symbol.name}`
  })
  return `${[...needed.values()].join('\n')}\nexport { ${names.sort().join(', ')} }\n`

  /** Returns the text of a statement. Adds to `needed` what it refers to. @param {ts.Statement} statement */
  function textOf(statement) {
    const file = statement.getSourceFile()
    const start = statement.jsDoc?.at(-1)?.pos ?? statement.getStart()
    let text = ''
    let end = start
    const skipTo = (from, to) => {
      text += file.text.slice(end, from)
      end = to
    }
    const visit = (node) => {
      if (node.kind === ts.SyntaxKind.ExportKeyword) return skipTo(node.getStart(), node.end + 1)
      if (ts.isImportTypeNode(node))
        throw new Error(`${file.fileName}: name this: ${node.getText()}`)
      if (ts.isQualifiedName(node) && isModule(checker.getSymbolAtLocation(node.left)))
        skipTo(node.left.getStart(), node.right.getStart())
      else if (ts.isIdentifier(node)) use(node)
      ts.forEachChild(node, visit)
    }
    visit(statement)
    return text + file.text.slice(end, statement.end)
  }

  function isModule(symbol) {
    return symbol !== undefined && target(symbol).declarations?.some(ts.isSourceFile) === true
  }

  /** @param {ts.Identifier} node */
  function use(node) {
    const symbol = checker.getSymbolAtLocation(node)
    if (symbol === undefined || isModule(symbol)) return
    const found = target(symbol)
    const [declaration] = found.declarations ?? []
    if (declaration === undefined) {
      if (found.flags & ts.SymbolFlags.Alias || found.escapedName === 'unknown')
        throw new Error(`${node.getSourceFile().fileName}: ${node.text} is declared elsewhere`)
      return
    }
    const statement = statementOf(declaration)
    const isOurs = statement?.getSourceFile().fileName.startsWith(FOLDER)
    if (!isOurs) {
      if (isGlobal(found)) globals.add(node.text)
      return
    }
    if (node.text !== found.name) throw new Error(`${node.text} is a second name of ${found.name}`)
    if (isTopLevel(found, statement) && !needed.has(found)) needed.set(found, undefined)
  }
}

/** Not a member of one, such as `Error.name`. @param {ts.Symbol} symbol */
const isGlobal = (symbol) => symbol.parent === undefined

/** @param {ts.Node} node */
function statementOf(node) {
  let at = node
  while (at.parent && !ts.isSourceFile(at.parent)) at = at.parent
  return at
}

/** @param {ts.Symbol} symbol @param {ts.Statement} statement */
const isTopLevel = (symbol, statement) =>
  symbol.declarations.some(
    (one) =>
      one === statement || (ts.isVariableDeclaration(one) && one.parent.parent === statement),
  )
