//! TypeScript to JavaScript: types go, positions are kept by a table from the new text's places to the author's.
//!
//! Nothing is checked: that is the editor's business. What has a meaning at run time (enums, namespaces, parameter properties) is
//! translated.

use std::path::Path;

use oxc::allocator::Allocator;
use oxc::codegen::{Codegen, CodegenOptions};
use oxc::diagnostics::{Diagnostics, OxcDiagnostic};
use oxc::parser::{ParseOptions, Parser};
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use oxc::transformer::{TransformOptions, Transformer};

use super::failure::{Problem, cut};
use super::limits::MAX_MESSAGE;
use super::trace::{self, Place};

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
    let allocator = Allocator::default();
    let options = ParseOptions { parse_regular_expression: false, ..ParseOptions::default() };
    let parsed = Parser::new(&allocator, text, SourceType::ts()).with_options(options).parse();
    fatal(parsed.diagnostics, path, text)?;
    let mut program = parsed.program;
    // Which members of an enum are texts must be known, or they are translated as numbers are.
    let semantic = SemanticBuilder::new().with_enum_eval(true).build(&program);
    fatal(semantic.diagnostics, path, text)?;
    let transformed = Transformer::new(&allocator, Path::new(path), &TransformOptions::default())
        .build_with_scoping(semantic.semantic.into_scoping(), &mut program);
    fatal(transformed.diagnostics, path, text)?;
    let options = CodegenOptions { source_map_path: Some(path.into()), ..CodegenOptions::default() };
    let generated = Codegen::new().with_options(options).build(&program);
    let places = generated
        .map
        .map(|map| map.get_tokens().map(|t| [t.get_dst_line(), t.get_dst_col(), t.get_src_line(), t.get_src_col()]).collect::<Vec<_>>());
    Ok((generated.code, PlaceMap(places.unwrap_or_default())))
}

/// The errors among what a step said, if there are any.
fn fatal(said: Diagnostics, path: &str, text: &str) -> Result<(), Vec<Problem>> {
    if !said.has_errors() {
        return Ok(());
    }
    Err(said
        .into_iter()
        .filter(|d| d.severity == oxc::diagnostics::Severity::Error)
        .take(MAX_PROBLEMS)
        .map(|d| problem(&d, path, text))
        .collect())
}

fn problem(said: &OxcDiagnostic, path: &str, text: &str) -> Problem {
    let help = said.help.as_ref().map(|help| format!(": {help}")).unwrap_or_default();
    let place = said.labels.first().map(|label| place_at(text, label.offset() as usize));
    Problem {
        message: cut(format!("{}{help}", said.message), MAX_MESSAGE),
        file: Some(path.to_owned()),
        line: place.map(|p| p.line),
        column: place.map(|p| p.column),
        frame: place.map(|p| trace::code_frame(text, p)),
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
    fn mistakes_have_their_places() {
        let problems = strip("index.ts", "const a: number = 1;\nconst b: = 2;\n").expect_err("a mistake");
        assert_eq!((problems[0].file.as_deref(), problems[0].line), (Some("index.ts"), Some(2)), "{problems:?}");
    }
}
