//! Refuses what must never be shipped.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let planted = std::env::var_os("CARGO_FEATURE_TEST_HOOKS").is_some();
    // Cargo names the profile only as the folder that a build goes to: `target/dist/build/…`.
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR for build scripts"));
    assert!(
        !(planted && out.components().any(|part| part.as_os_str() == "dist")),
        "the feature `test-hooks` plants faults and payloads: it can't be part of the `dist` profile"
    );
}
