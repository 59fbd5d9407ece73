//! That nothing survives the end of a call, seen without a process in between: what the sanitizers can look into.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::isolate::tests::{made, unit};
use super::isolate::{Isolate, Step};
use super::protocol::{ExchangeKind, InvokeBody};

/// Runs what the code of `isolate` makes of a text and answers the JSON of its end.
fn run(isolate: &mut Isolate, what: &str) -> String {
    let payload = serde_json::to_string(what).expect("a text is JSON");
    let args = vec![payload.as_bytes()];
    isolate.start(1, &InvokeBody { timeout_ms: 2_000, seed: 7, handler: 0, exchange: ExchangeKind::None, args, context: b"{}" });
    while !matches!(isolate.drive(Duration::from_millis(50)), Step::Done | Step::Breached) {}
    String::from_utf8_lossy(&isolate.take_outcome()[1..]).into_owned()
}

/// Walks all that can be reached by names from the global object; answers a text that changes when anything of it does.
const WALK: &str = "
const walk = () => {
    const seen = new Set(), lines = [];
    const look = (value, path, depth) => {
        if ((typeof value !== 'object' && typeof value !== 'function') || value === null) { lines.push(path + '=' + String(value)); return; }
        if (seen.has(value) || depth > 5) return;
        seen.add(value);
        for (const key of Reflect.ownKeys(value)) {
            const own = Object.getOwnPropertyDescriptor(value, key), name = path + '.' + String(key);
            lines.push(name + ':' + own.writable + own.enumerable + own.configurable + typeof own.get + typeof own.value);
            if ('value' in own) look(own.value, name, depth + 1);
        }
        look(Object.getPrototypeOf(value), path + '.[[Prototype]]', depth + 1);
    };
    look(globalThis, 'globalThis', 0);
    return lines.sort().join('\\n');
};";

#[test]
fn every_global_can_be_deleted_and_overwritten_call_after_call() {
    let code = format!(
        "{WALK}
        if (payload === 'look') return walk();
        const names = Reflect.ownKeys(globalThis);
        const prototypes = names.map((name) => globalThis[name]?.prototype).filter((p) => p);
        for (const object of [...prototypes, ...names.map((name) => globalThis[name])]) {{
            if ((typeof object !== 'object' && typeof object !== 'function') || object === null || object === globalThis) continue;
            for (const key of Reflect.ownKeys(object)) {{
                try {{ if (payload === 'delete') delete object[key]; else object[key] = () => {{ throw new Error('broken') }}; }} catch {{}}
            }}
        }}
        for (const name of names) {{
            try {{ if (payload === 'delete') delete globalThis[name]; else globalThis[name] = 1; }} catch {{}}
        }}"
    );
    let mut isolate = made(unit(&code, &["payload", "context", "services"], 64 << 20)).expect("there is room");
    let first = run(&mut isolate, "look");
    assert!(first.len() > 20_000, "{first}");
    for _ in 0..20 {
        for what in ["delete", "overwrite"] {
            assert!(isolate.restore());
            run(&mut isolate, what);
            assert!(isolate.restore());
            assert!(run(&mut isolate, "look") == first, "after {what}");
        }
    }
}

/// Programs that end by themselves; those that must be killed from outside need a process.
#[test]
fn the_hostile_programs_leave_a_sound_heap_behind() {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    let mut ran = 0;
    for class in fs::read_dir(all).expect("the suite is there").flatten().filter(|entry| entry.path().is_dir()) {
        for file in fs::read_dir(class.path()).expect("a folder").flatten() {
            let program = fs::read_to_string(file.path()).expect("a program is text");
            let head: Vec<&str> = program.lines().take_while(|line| line.starts_with("//")).collect();
            if head.iter().any(|line| line.contains("504")) {
                continue;
            }
            let code = format!("{WALK}\nif (payload === 'look') return walk();\n{program}");
            // A program may be one that doesn't compile in this frame, and then it says nothing about the heap.
            let Ok(unit) = std::panic::catch_unwind(|| unit(&code, &["payload", "context", "services"], 16 << 20)) else { continue };
            let Ok(mut isolate) = made(unit) else { continue };
            let first = run(&mut isolate, "look");
            for _ in 0..3 {
                assert!(isolate.restore(), "{}", file.path().display());
                run(&mut isolate, "go");
                assert!(isolate.restore(), "{}", file.path().display());
                assert!(run(&mut isolate, "look") == first, "{}", file.path().display());
            }
            ran += 1;
        }
    }
    assert!(ran > 150, "{ran}");
}
