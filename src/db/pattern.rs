//! `_regex`: patterns that mean the same to Rust's `regex` and to Postgres.
//!
//! Allowed: literal characters, escaped punctuation, `.` (any character, line ends too), classes with ranges and negation, `\d \w \s`
//! as sets of ASCII and their negations, groups, alternation, `* + ?` and `{n,m}` up to 255, `^` and `$` for the ends of the text.
//! Everything else is refused with a reason. Both sides get a pattern of their own, written from the parsed tree.

use regex_syntax::ast::{
    AssertionKind, Ast, ClassBracketed, ClassPerl, ClassPerlKind, ClassSet, ClassSetItem, GroupKind, LiteralKind, Repetition,
    RepetitionKind, RepetitionRange, SpecialLiteralKind, parse::ParserBuilder,
};

/// Characters in a pattern at most.
const MAX_LENGTH: usize = 1000;
/// Atoms at most once repetitions are written out: keeps either engine from building a machine of megabytes.
const MAX_SIZE: u64 = 20_000;

/// One pattern in both dialects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub(super) rust: String,
    pub(super) postgres: String,
}

/// Reads a pattern and writes it for both.
///
/// # Errors
/// A fragment that completes "`_regex` of `field` …".
pub(super) fn translate(text: &str) -> Result<Pattern, String> {
    if text.chars().count() > MAX_LENGTH {
        return Err(format!("must have at most {MAX_LENGTH} characters"));
    }
    let ast = ParserBuilder::new().nest_limit(50).build().parse(text).map_err(|e| format!("isn't a pattern: {}", e.kind()))?;
    let mut out = Pattern { rust: String::new(), postgres: String::new() };
    let size = write(&ast, &mut out)?;
    if size > MAX_SIZE {
        return Err("repeats too much".to_owned());
    }
    Ok(out)
}

fn no(what: &str) -> String {
    format!("can't use {what}: only what Rust and Postgres understand alike")
}

impl Pattern {
    fn push(&mut self, both: &str) {
        self.rust.push_str(both);
        self.postgres.push_str(both);
    }

    fn literal(&mut self, c: char) {
        if c.is_ascii_alphanumeric() || (!c.is_ascii() && !c.is_control()) {
            self.rust.push(c);
            self.postgres.push(c);
        } else {
            self.code(c);
        }
    }

    /// A character by its number, which neither side can take for syntax.
    fn code(&mut self, c: char) {
        self.rust.push_str(&format!("\\x{{{:X}}}", u32::from(c)));
        if u32::from(c) <= 0xFFFF {
            self.postgres.push_str(&format!("\\u{:04X}", u32::from(c)));
        } else {
            self.postgres.push_str(&format!("\\U{:08X}", u32::from(c)));
        }
    }
}

/// Writes one node; answers how many atoms it comes to.
fn write(ast: &Ast, out: &mut Pattern) -> Result<u64, String> {
    match ast {
        Ast::Empty(_) => {
            out.push("(?:)");
            Ok(1)
        }
        Ast::Flags(_) => Err(no("flags")),
        Ast::Literal(literal) => {
            match literal.kind {
                LiteralKind::Verbatim | LiteralKind::Meta | LiteralKind::Superfluous => {}
                LiteralKind::Special(SpecialLiteralKind::Tab | SpecialLiteralKind::LineFeed | SpecialLiteralKind::CarriageReturn) => {}
                _ => return Err(no("this escape")),
            }
            if literal.c == '\0' {
                return Err(no("the character U+0000"));
            }
            out.literal(literal.c);
            Ok(1)
        }
        Ast::Dot(_) => {
            any(out);
            Ok(1)
        }
        Ast::Assertion(assertion) => {
            out.push(match assertion.kind {
                AssertionKind::StartLine => "^",
                AssertionKind::EndLine => "$",
                _ => return Err(no("an assertion other than ^ and $")),
            });
            Ok(1)
        }
        Ast::ClassUnicode(_) => Err(no("\\p")),
        Ast::ClassPerl(class) => set(&perl(class), out).map(|()| 1),
        Ast::ClassBracketed(class) => set(&bracketed(class)?, out).map(|()| 1),
        Ast::Repetition(repetition) => repeat(repetition, out),
        Ast::Group(group) => {
            match &group.kind {
                GroupKind::CaptureIndex(_) => {}
                GroupKind::NonCapturing(flags) if flags.items.is_empty() => {}
                GroupKind::NonCapturing(_) => return Err(no("flags")),
                GroupKind::CaptureName { .. } => return Err(no("named groups")),
            }
            out.push("(?:");
            let size = write(&group.ast, out)?;
            out.push(")");
            Ok(size)
        }
        Ast::Alternation(alternation) => {
            let mut size = 0_u64;
            out.push("(?:");
            for (at, branch) in alternation.asts.iter().enumerate() {
                if at > 0 {
                    out.push("|");
                }
                size = size.saturating_add(write(branch, out)?);
            }
            out.push(")");
            Ok(size)
        }
        Ast::Concat(concat) => concat.asts.iter().try_fold(0_u64, |size, part| Ok(size.saturating_add(write(part, out)?))),
    }
}

fn repeat(repetition: &Repetition, out: &mut Pattern) -> Result<u64, String> {
    if !repetition.greedy {
        return Err(no("lazy repetition"));
    }
    if !consumes(&repetition.ast) {
        return Err(no("a repetition of nothing"));
    }
    let (text, times) = match &repetition.op.kind {
        RepetitionKind::ZeroOrOne => ("?".to_owned(), 1),
        RepetitionKind::ZeroOrMore => ("*".to_owned(), 1),
        RepetitionKind::OneOrMore => ("+".to_owned(), 2),
        RepetitionKind::Range(range) => {
            let (low, high, text) = match *range {
                RepetitionRange::Exactly(n) => (n, n, format!("{{{n}}}")),
                RepetitionRange::AtLeast(n) => (n, n, format!("{{{n},}}")),
                RepetitionRange::Bounded(n, m) => (n, m, format!("{{{n},{m}}}")),
            };
            if low > 255 || high > 255 {
                return Err("can't repeat more than 255 times".to_owned());
            }
            (text, high.max(1))
        }
    };
    out.push("(?:");
    let size = write(&repetition.ast, out)?;
    out.push(")");
    out.push(&text);
    let size = size.saturating_mul(u64::from(times));
    if size > MAX_SIZE { Err("repeats too much".to_owned()) } else { Ok(size) }
}

/// Whether something is there to repeat: Postgres repeats no anchors.
fn consumes(ast: &Ast) -> bool {
    match ast {
        Ast::Empty(_) | Ast::Assertion(_) | Ast::Flags(_) => false,
        Ast::Group(group) => consumes(&group.ast),
        Ast::Concat(concat) => concat.asts.iter().any(consumes),
        Ast::Alternation(alternation) => alternation.asts.iter().all(consumes),
        _ => true,
    }
}

fn any(out: &mut Pattern) {
    out.rust.push_str("(?s:.)");
    out.postgres.push('.');
}

/// A set of characters as sorted ranges that don't touch, without U+0000, which no text holds.
type Set = Vec<(u32, u32)>;

const FIRST: u32 = 1;
const LAST: u32 = 0x0010_FFFF;

fn normal(mut ranges: Set) -> Set {
    ranges.sort_unstable();
    let mut out: Set = Vec::new();
    for (from, to) in ranges {
        let from = from.max(FIRST);
        if from > to {
            continue;
        }
        match out.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => out.push((from, to)),
        }
    }
    out
}

fn negate(ranges: &Set) -> Set {
    let mut out = Vec::new();
    let mut next = FIRST;
    for &(from, to) in ranges {
        if from > next {
            out.push((next, from - 1));
        }
        next = to + 1;
    }
    if next <= LAST {
        out.push((next, LAST));
    }
    out
}

fn perl(class: &ClassPerl) -> Set {
    let code = |c: char| u32::from(c);
    let ranges = normal(match class.kind {
        ClassPerlKind::Digit => vec![(code('0'), code('9'))],
        ClassPerlKind::Space => vec![(9, 13), (32, 32)],
        ClassPerlKind::Word => vec![(code('0'), code('9')), (code('A'), code('Z')), (code('_'), code('_')), (code('a'), code('z'))],
    });
    if class.negated { negate(&ranges) } else { ranges }
}

fn bracketed(class: &ClassBracketed) -> Result<Set, String> {
    let ClassSet::Item(item) = &class.kind else {
        return Err(no("set operations in a class"));
    };
    let mut ranges = Vec::new();
    collect(item, &mut ranges)?;
    let ranges = normal(ranges);
    Ok(if class.negated { negate(&ranges) } else { ranges })
}

fn collect(item: &ClassSetItem, into: &mut Set) -> Result<(), String> {
    match item {
        ClassSetItem::Empty(_) => {}
        ClassSetItem::Literal(literal) => into.push((literal.c.into(), literal.c.into())),
        ClassSetItem::Range(range) => into.push((range.start.c.into(), range.end.c.into())),
        ClassSetItem::Perl(class) => into.extend(perl(class)),
        ClassSetItem::Bracketed(class) => into.extend(bracketed(class)?),
        ClassSetItem::Union(union) => union.items.iter().try_for_each(|item| collect(item, into))?,
        ClassSetItem::Ascii(_) => return Err(no("[:name:] classes")),
        ClassSetItem::Unicode(_) => return Err(no("\\p")),
    }
    Ok(())
}

/// Writes a set; one that reaches the last character is written as the negation of the rest, so that surrogates are never named.
fn set(ranges: &Set, out: &mut Pattern) -> Result<(), String> {
    let negated = ranges.last().is_some_and(|last| last.1 == LAST);
    let named = if negated { negate(ranges) } else { ranges.clone() };
    if named.is_empty() {
        return if negated {
            any(out);
            Ok(())
        } else {
            Err(no("a class of nothing"))
        };
    }
    out.push(if negated { "[^" } else { "[" });
    for (from, to) in named {
        // A range that begins or ends among the surrogates, which are no characters, ends before or after them.
        let from = char::from_u32(from).unwrap_or('\u{E000}');
        let to = char::from_u32(to).unwrap_or('\u{D7FF}');
        out.code(from);
        if to > from {
            out.push("-");
            out.code(to);
        }
    }
    out.push("]");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn patterns_are_written_for_both_sides() {
        let pattern = translate(r"^a.[^b-d]{2}\.$").unwrap();
        assert_eq!(pattern.rust, r"^a(?s:.)(?:[^\x{62}-\x{64}]){2}\x{2E}$");
        assert_eq!(pattern.postgres, r"^a.(?:[^\u0062-\u0064]){2}\u002E$");
    }

    #[test]
    fn what_the_two_understand_differently_is_refused() {
        for bad in [
            r"\bword",
            "(?i)a",
            "a*?",
            r"\p{L}",
            "(?P<n>a)",
            "[[:alpha:]]",
            "[a&&b]",
            "a{256}",
            "(((a{200}){200}){200})",
            "^*",
            r"\x41",
            "(",
            "[z-a]",
            r"\A",
            "(?:)*",
            r"[^\w\W]",
        ] {
            assert!(translate(bad).is_err(), "{bad}");
        }
        for good in ["", "a|b|", "(a|b)+c{0,255}", r"[\w.-]+@[\w-]+\.[a-z]{2,}", "ß.*Ж", r"[\W\d]", r"\*\*\*=", "a**", r"\t", "$a^"] {
            let pattern = translate(good).unwrap_or_else(|e| panic!("{good}: {e}"));
            assert!(regex::Regex::new(&pattern.rust).is_ok(), "{good}: {}", pattern.rust);
        }
    }
}
