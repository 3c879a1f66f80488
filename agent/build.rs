//! Builds the gate as a static program for the agent to embed: a nested cargo with its own target folder, so that the
//! outer build's flags, wrappers and locks do not reach it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// All that the program is made of, so that nothing else in this folder builds it again: its sources, and the
/// workspace's files that say which libraries of which versions and by which profile.
const WATCHED: &[&str] = &[
    "build.rs",
    "gate/Cargo.toml",
    "gate/src",
    "../job-specs/src/units.rs",
    "../Cargo.toml",
    "../Cargo.lock",
];

fn main() {
    let agent = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let gate = agent.join("gate");
    for watched in WATCHED {
        println!("cargo:rerun-if-changed={watched}");
    }
    let built = build(&gate, &out.join("gate-target"));
    std::fs::copy(&built, out.join("gate")).expect("copy the gate into OUT_DIR");
}

/// Runs the nested cargo; the path of the program.
fn build(gate: &Path, target_dir: &Path) -> PathBuf {
    let target = env::var("TARGET").expect("cargo sets it");
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets it"));
    cargo
        .args(["build", "--release", "--offline", "--bin", "gate", "--target", &target])
        .arg("--manifest-path")
        .arg(gate.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(target_dir);
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let ours = ["CARGO", "CARGO_HOME", "CARGO_MAKEFLAGS", "RUSTC"].contains(&name.as_str());
        let reaches_rustc = name.starts_with("CARGO") || name.starts_with("RUSTC") || name == "RUSTFLAGS";
        if reaches_rustc && !ours {
            cargo.env_remove(name);
        }
    }
    cargo
        .env("RUSTFLAGS", "-C target-feature=+crt-static -C relocation-model=static")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    let done = cargo.status().expect("run cargo for the gate");
    assert!(done.success(), "the gate does not build: see above");
    target_dir.join(target).join("release").join("gate")
}
