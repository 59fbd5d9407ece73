// Writes what is derived from elsewhere, or with --check says what of it is out of date:
//   codes.d.ts         the error codes, from docs/ERRORS.md
//   test/members.json  the members of everything that the types describe, from the .d.ts files
// A test of the host holds members.json against a running sandbox, both ways.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const root = new URL('..', import.meta.url);
const path = (name) => fileURLToPath(new URL(name, root));

/** `### \`CODE\` (400)` headings. */
function codes() {
  const found = [...readFileSync(path('../docs/ERRORS.md'), 'utf8').matchAll(/^### `([A-Z_]+)`/gm)].map(([, code]) => code).sort();
  if (found.length === 0) throw new Error('docs/ERRORS.md lists no codes');
  const lines = found.map((code) => `  | '${code}'`).join('\n');
  return `// Derived from docs/ERRORS.md by scripts/derive.mjs.\n\n/** The codes of the host's errors. */\nexport type ErrorCode =\n${lines};\n`;
}

/** Names that a program can hold against objects; symbols and what every function has are left out. */
function members() {
  const files = ['index.d.ts', 'globals.d.ts'].map(path);
  const program = ts.createProgram(files, { lib: ['lib.es2023.d.ts'], target: ts.ScriptTarget.ES2023, types: [], strict: true });
  const checker = program.getTypeChecker();
  const source = (name) => program.getSourceFile(path(name));

  const names = (type, without = []) =>
    checker
      .getPropertiesOfType(type)
      .filter((symbol) => !symbol.name.startsWith('__@') && !without.includes(symbol.name))
      .map((symbol) => symbol.name + (symbol.flags & ts.SymbolFlags.Optional ? '?' : ''))
      .sort();

  const given = {};
  for (const symbol of checker.getExportsOfModule(checker.getSymbolAtLocation(source('index.d.ts')))) {
    if (symbol.flags & ts.SymbolFlags.Interface) given[symbol.name] = names(checker.getDeclaredTypeOfSymbol(symbol));
  }

  const globals = {};
  const isOurs = (symbol) => symbol.declarations?.some((d) => d.getSourceFile() === source('globals.d.ts'));
  for (const symbol of checker.getSymbolsInScope(source('globals.d.ts'), ts.SymbolFlags.Value).filter(isOurs)) {
    const type = checker.getTypeOfSymbol(symbol);
    if (symbol.flags & ts.SymbolFlags.Class) {
      const declared = checker.getDeclaredTypeOfSymbol(symbol);
      const isError = checker.getBaseTypes(declared).some((base) => base.symbol.name === 'Error');
      const inherited = isError ? ['message', 'name', 'stack', 'cause'] : [];
      globals[symbol.name] = { static: names(type, ['prototype']), instance: names(declared, inherited) };
    } else if (symbol.flags & ts.SymbolFlags.Function || symbol.name === 'self') {
      globals[symbol.name] = {};
    } else {
      globals[symbol.name] = { static: names(type) };
    }
  }
  // One line each, so that a change reads as one.
  const lines = (object) =>
    Object.keys(object)
      .sort()
      .map((name) => `    ${JSON.stringify(name)}: ${JSON.stringify(object[name])}`)
      .join(',\n');
  return `{\n  "interfaces": {\n${lines(given)}\n  },\n  "globals": {\n${lines(globals)}\n  }\n}\n`;
}

const stale = [];
for (const [name, make] of [['codes.d.ts', codes], ['test/members.json', members]]) {
  const text = make();
  let before;
  try {
    before = readFileSync(path(name), 'utf8');
  } catch {
    before = undefined;
  }
  if (before === text) continue;
  if (process.argv.includes('--check')) stale.push(name);
  else writeFileSync(path(name), text);
}
if (stale.length > 0) {
  console.error(`Out of date: ${stale.join(', ')}. Run \`npm run generate\`.`);
  process.exitCode = 1;
}
