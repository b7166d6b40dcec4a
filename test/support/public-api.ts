// What the package exports, by TypeScript's own checker: each symbol of each entry of package.json, and each member that
// a user can reach, with what their comments say.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const root = join(import.meta.dirname, '../../..')

export interface Documented {
  /** `rx-vhost/operators: mirror`, `rx-vhost: VhostDriver.path`. */
  name: string
  entry: string
  symbol: string
  comment: string
  /** Words of its tags: `param work`, `throws RangeError`. */
  tags: string[]
  parameters: string[]
  /** A function that has a `throw` of its own. */
  throws: boolean
  isFunction: boolean
}

interface Exports {
  exports: Record<string, { import?: { default: string } }>
}

/** The source of each entry. */
function entrySources(): [entry: string, file: string][] {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Exports
  return Object.entries(exports).flatMap(([entry, { import: module }]) => {
    if (module === undefined) return []
    const source = module.default.replace('./dist/', '').replace(/\.js$/, '.ts')
    return [[entry.replace('.', 'rx-vhost'), join(root, source)]]
  })
}

/** Throws of its own, not of functions inside. */
function hasThrow(node: ts.Node): boolean {
  return (
    ts.forEachChild(node, child => {
      if (ts.isThrowStatement(child)) return true
      return ts.isFunctionLike(child) ? undefined : hasThrow(child) || undefined
    }) ?? false
  )
}

const HIDDEN = ts.ModifierFlags.Private | ts.ModifierFlags.Protected

function isPublic(member: ts.Symbol): boolean {
  const [declaration] = member.declarations ?? []
  if (declaration === undefined || !declaration.getSourceFile().fileName.startsWith(join(root, 'src')))
    return false
  const { name } = declaration as ts.NamedDeclaration
  if (ts.isParameter(declaration) || (name && ts.isPrivateIdentifier(name))) return false
  if (ts.getCombinedModifierFlags(declaration) & HIDDEN) return false
  return !member.getJsDocTags().some(tag => tag.name === 'internal')
}

/** A class's own constructor is documented by its class. */
function membersOf(symbol: ts.Symbol, checker: ts.TypeChecker): ts.Symbol[] {
  const [declaration] = symbol.declarations ?? []
  if (!(ts.isClassDeclaration(declaration) || ts.isInterfaceDeclaration(declaration))) return []
  const statics = ts.isClassDeclaration(declaration) ? [...(symbol.exports?.values() ?? [])] : []
  return [...checker.getDeclaredTypeOfSymbol(symbol).getProperties(), ...statics].filter(
    member => member.name !== 'prototype' && isPublic(member),
  )
}

function describe(symbol: ts.Symbol, checker: ts.TypeChecker, entry: string, name: string): Documented {
  const declarations = symbol.declarations ?? []
  const bodies = declarations.filter(d => ts.isFunctionDeclaration(d) || ts.isMethodDeclaration(d))
  return {
    name: `${entry}: ${name}`,
    entry,
    symbol: name,
    comment: ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim(),
    tags: symbol
      .getJsDocTags(checker)
      .map(({ name, text }) => `${name} ${ts.displayPartsToString(text)}`.trim()),
    parameters: bodies.flatMap(body => body.parameters.map(parameter => parameter.name.getText())),
    throws: bodies.some(body => body.body !== undefined && hasThrow(body.body)),
    isFunction: declarations.some(ts.isFunctionDeclaration),
  }
}

/** All that is public. A symbol that several entries export comes once for each. */
export function publicApi(): Documented[] {
  const sources = entrySources()
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root)
  const program = ts.createProgram(
    sources.map(([, file]) => file),
    { ...options, incremental: false, tsBuildInfoFile: undefined, noEmit: true },
  )
  const checker = program.getTypeChecker()
  return sources.flatMap(([entry, file]) => {
    const source = program.getSourceFile(file)
    const module = source && checker.getSymbolAtLocation(source)
    if (module === undefined) throw new Error(`${file} is no module`)
    return checker.getExportsOfModule(module).flatMap(exported => {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
      const members = membersOf(symbol, checker)
      return [
        describe(symbol, checker, entry, exported.name),
        ...members.map(member =>
          describe(member, checker, entry, `${exported.name}.${checker.symbolToString(member)}`),
        ),
      ]
    })
  })
}
