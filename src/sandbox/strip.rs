//! TypeScript to JavaScript: types go, positions are kept by a table from the new text's places to the author's.
//!
//! Nothing is checked: that is the editor's business. What has a meaning at run time (enums, namespaces, parameter properties) is
//! translated; decorators, which mean one thing by the standard to come and another by TypeScript's old switch, are refused.

use std::path::Path;

use oxc::allocator::Allocator;
use oxc::ast::AstKind;
use oxc::codegen::{Codegen, CodegenOptions};
use oxc::diagnostics::{Diagnostics, OxcDiagnostic};
use oxc::parser::{ParseOptions, Parser};
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use oxc::transformer::{TransformOptions, Transformer};

use super::failure::{Problem, cut};
use super::limits::MAX_MESSAGE;
use super::trace::{self, Place};

/// What is said of a decorator.
const DECORATOR: &str = "Decorators aren't possible here: call the function instead, `const decorated = decorate(value)`";

/// What is said of an import where there is no module. Exports the engine refuses.
const MODULE: &str = "This is the body of a function: only types can be imported here. An extension in a folder can import";

/// Problems of one file that are told; more of them help nobody.
const MAX_PROBLEMS: usize = 20;

/// Where the pieces of a new text come from: (line, column) in it and (line, column) in the author's text, all from 0, in the order of
/// the new text.
#[derive(Debug, Default)]
pub(super) struct PlaceMap(Vec<[u32; 4]>);

impl PlaceMap {
    /// The author's place for a place in the new text.
    pub(super) fn author(&self, place: Place) -> Place {
        let (line, column) = (place.line.saturating_sub(1), place.column.saturating_sub(1));
        let after = self.0.partition_point(|[l, c, ..]| (*l, *c) <= (line, column));
        match after.checked_sub(1).map(|at| self.0[at]) {
            Some([_, _, line, column]) => Place { line: line + 1, column: column + 1 },
            None => place,
        }
    }
}

/// The JavaScript of a TypeScript module.
pub(super) fn strip(path: &str, text: &str) -> Result<(String, PlaceMap), Vec<Problem>> {
    translate(Some(path), text, ParseOptions::default())
}

/// The JavaScript of the body of an async function that is written in TypeScript.
pub(super) fn strip_body(text: &str) -> Result<(String, PlaceMap), Vec<Problem>> {
    let (mut code, places) = translate(None, text, ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() })?;
    // Where imports of types were all there was of a module, this is left to show that it was one.
    if let Some(rest) = code.trim_end().strip_suffix("export {};") {
        code.truncate(rest.len());
    }
    Ok((code, places))
}

/// `file` is the path of a module; a body has none.
fn translate(file: Option<&str>, text: &str, options: ParseOptions) -> Result<(String, PlaceMap), Vec<Problem>> {
    let allocator = Allocator::default();
    let path = file.unwrap_or("body.ts");
    let parsed = Parser::new(&allocator, text, SourceType::ts()).with_options(options).parse();
    fatal(parsed.diagnostics, file, text)?;
    let mut program = parsed.program;
    // Which members of an enum are texts must be known, or they are translated as numbers are.
    let semantic = SemanticBuilder::new().with_build_nodes(true).with_enum_eval(true).build(&program);
    fatal(semantic.diagnostics, file, text)?;
    let is_body = file.is_none();
    let refused: Vec<Problem> = semantic
        .semantic
        .nodes()
        .iter()
        .filter_map(|node| match node.kind() {
            AstKind::Decorator(decorator) => Some((decorator.span.start, DECORATOR)),
            // Left alone, one that nothing uses would go with the types, and its author would believe that it is there.
            AstKind::ImportDeclaration(import) if is_body && import.import_kind.is_value() => Some((import.span.start, MODULE)),
            _ => None,
        })
        .map(|(offset, message)| at(offset as usize, message, file, text))
        .take(MAX_PROBLEMS)
        .collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    let transformed = Transformer::new(&allocator, Path::new(path), &TransformOptions::default())
        .build_with_scoping(semantic.semantic.into_scoping(), &mut program);
    fatal(transformed.diagnostics, file, text)?;
    let options = CodegenOptions { source_map_path: Some(path.into()), ..CodegenOptions::default() };
    let generated = Codegen::new().with_options(options).build(&program);
    let places = generated
        .map
        .map(|map| map.get_tokens().map(|t| [t.get_dst_line(), t.get_dst_col(), t.get_src_line(), t.get_src_col()]).collect::<Vec<_>>());
    Ok((generated.code, PlaceMap(places.unwrap_or_default())))
}

/// The errors among what a step said, if there are any.
fn fatal(said: Diagnostics, file: Option<&str>, text: &str) -> Result<(), Vec<Problem>> {
    if !said.has_errors() {
        return Ok(());
    }
    Err(said
        .into_iter()
        .filter(|d| d.severity == oxc::diagnostics::Severity::Error)
        .take(MAX_PROBLEMS)
        .map(|d| problem(&d, file, text))
        .collect())
}

fn problem(said: &OxcDiagnostic, file: Option<&str>, text: &str) -> Problem {
    let help = said.help.as_ref().map(|help| format!(": {help}")).unwrap_or_default();
    let message = cut(format!("{}{help}", said.message), MAX_MESSAGE);
    match said.labels.first() {
        Some(label) => at(label.offset() as usize, message, file, text),
        None => Problem { file: file.map(str::to_owned), ..Problem::general(message) },
    }
}

/// A problem at a byte of a text.
fn at(offset: usize, message: impl Into<String>, file: Option<&str>, text: &str) -> Problem {
    let place = place_at(text, offset);
    Problem {
        message: message.into(),
        file: file.map(str::to_owned),
        line: Some(place.line),
        column: Some(place.column),
        frame: Some(trace::code_frame(text, place)),
    }
}

/// The place of a byte of a text.
pub(super) fn place_at(text: &str, offset: usize) -> Place {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
    Place { line: number(line), column: number(column) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_go_and_the_rest_keeps_its_place() {
        let text = "import type { A } from './a';\ninterface B { x: number }\nenum C { One, Two }\n\nexport function register(sdk: A): void {\n  const b = { x: 1 } as B;\n  throw new Error(`${b.x} ${C.Two}`);\n}\n";
        let (code, places) = strip("index.ts", text).expect("it is TypeScript");
        assert!(!code.contains("interface") && !code.contains("import") && code.contains("C["), "{code}");
        let line = code.lines().position(|l| l.contains("throw")).expect("it is there");
        let column = code.lines().nth(line).and_then(|l| l.find("new")).expect("it is there");
        let place = places.author(Place { line: line as u32 + 1, column: column as u32 + 1 });
        assert_eq!(place, Place { line: 7, column: 9 });
    }

    #[test]
    fn members_of_an_enum_that_are_texts_have_no_names_to_go_back_to() {
        let (code, _) = strip("index.ts", "enum E { A = 'x', B = 1, C = `${A}y` }").expect("it is TypeScript");
        assert!(code.contains(r#"E["A"] = "x";"#) && code.contains(r#"E[E["B"] = 1] = "B""#) && !code.contains(r#"= "C""#), "{code}");
    }

    #[test]
    fn a_body_imports_types_and_nothing_else() {
        assert!(strip_body("import type { A } from 'a';\nconst a: A = 1;\nreturn a;").is_ok());
        for text in ["import x from 'y';", "import { x } from 'y';", "import 'y';"] {
            let problems = strip_body(&format!("let b: number;\n{text}\nreturn b;")).expect_err(text);
            assert_eq!((problems[0].line, problems[0].message.as_str()), (Some(2), MODULE), "{text}");
        }
    }

    #[test]
    fn decorators_are_refused_with_their_places() {
        let text = "@entity class A {\n  @field() x = 1;\n}\n";
        let problems = strip("index.ts", text).expect_err("decorators");
        let places: Vec<_> = problems.iter().map(|p| (p.line, p.column, p.message.contains("call the function instead"))).collect();
        assert_eq!(places, [(Some(1), Some(1), true), (Some(2), Some(3), true)]);
    }

    #[test]
    fn a_body_may_return_and_await_and_keeps_its_places() {
        let text =
            "type A = { x: number };\nconst a = (await services.items('a')) as A;\nif (!a) return null!;\n\nreturn a!.x satisfies number;";
        let (code, places) = strip_body(text).expect("it is TypeScript");
        assert!(!code.contains("export") && !code.contains("satisfies") && code.contains("return a.x"), "{code}");
        let line = code.lines().position(|l| l.contains("return a.x")).expect("it is there");
        assert_eq!(places.author(Place { line: line as u32 + 1, column: 1 }), Place { line: 5, column: 1 });
    }

    /// A bound that only a mistake of another order reaches: some 40 ms of processor time are usual.
    #[test]
    fn ten_thousand_lines_are_stripped_at_once() {
        let one = "export function f(a: number, b?: Map<string, readonly number[]>): number | undefined {\n  \
            const c = b?.get(`${a}`) as number[];\n  return c?.reduce((sum: number, n) => sum + n, a);\n}\n";
        let text: String = (0..2_500).map(|n| one.replace("function f", &format!("function f{n}"))).collect();
        let begun = std::time::Instant::now();
        let (code, _) = strip("index.ts", &text).expect("it is TypeScript");
        let took = begun.elapsed();
        eprintln!("10,000 lines of TypeScript, {} KiB: {took:?}", text.len() >> 10);
        assert!(!code.contains("readonly") && took < std::time::Duration::from_secs(2), "{took:?}");
    }

    #[test]
    fn mistakes_have_their_places() {
        let problems = strip("index.ts", "const a: number = 1;\nconst b: = 2;\n").expect_err("a mistake");
        assert_eq!((problems[0].file.as_deref(), problems[0].line), (Some("index.ts"), Some(2)), "{problems:?}");
    }
}
