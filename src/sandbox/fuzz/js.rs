//! Isolates that run a script of ours again and again, put back in between.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::super::compile::{Compiled, LoadBody, LoadSource, Program, compile};
use super::super::isolate::{Isolate, Step};
use super::super::limits::LOAD_TIMEOUT;
use super::super::protocol::{ExchangeKind, InvokeBody};

/// Largest result of a script.
pub(super) const MAX_RESULT: usize = 1 << 20;

/// Long: it runs beside others, with checks that slow it down.
const TIMEOUT_MS: u32 = 10_000;

thread_local! {
    static PROGRAM: RefCell<Option<Rc<Program>>> = const { RefCell::new(None) };
    static ISOLATES: RefCell<HashMap<&'static str, Isolate>> = RefCell::default();
}

fn made(code: &'static str, params: &[&str]) -> Isolate {
    let program = PROGRAM.with(|program| {
        let mut program = program.borrow_mut();
        let made = program.get_or_insert_with(|| Program::compile(&[], "() => ({})").expect("our own compiles"));
        Rc::clone(made)
    });
    let source = LoadSource::Body { code: code.to_owned(), params: params.iter().map(|name| (*name).to_owned()).collect(), answers: false };
    let body =
        LoadBody { name: "script".into(), source, memory_limit: 32 << 20, max_payload: MAX_RESULT, warm: false, parts: BTreeMap::new() };
    let Ok(Compiled::Whole(unit)) = compile(body) else { panic!("a script of ours compiles") };
    let Ok((isolate, _)) = Isolate::new(&program, &Rc::new(unit), Instant::now() + 4 * LOAD_TIMEOUT) else {
        panic!("a script of ours loads")
    };
    isolate
}

/// Uses the isolate of a script and puts it back.
pub(super) fn with_isolate<T>(code: &'static str, params: &[&str], use_it: impl FnOnce(&mut Isolate) -> T) -> T {
    ISOLATES.with(|isolates| {
        let mut isolates = isolates.borrow_mut();
        let isolate = isolates.entry(code).or_insert_with(|| made(code, params));
        let result = use_it(isolate);
        assert!(isolate.restore(), "it can be put back");
        result
    })
}

/// Calls a script with the JSON texts of its arguments. The body of `Done`, empty if the script waits for ever.
pub(super) fn call(code: &'static str, params: &[&str], args: &[&[u8]]) -> Vec<u8> {
    with_isolate(code, params, |isolate| {
        let invoke =
            InvokeBody { timeout_ms: TIMEOUT_MS, seed: 7, handler: 0, exchange: ExchangeKind::None, args: args.to_vec(), context: b"{}" };
        isolate.start(1, &invoke);
        while isolate.drive(Duration::from_secs(1)) == Step::More {}
        isolate.take_outcome()
    })
}
