//! PID 1 of a step or service container, and of a sandbox's anchor: `gate step|service|anchor [--folder DIR]`.

mod cgroup;
mod child;
mod clients;
mod health;
mod launch;
mod log;
mod output;
mod probe;
mod processes;
mod rest;
mod supervisor;
mod sys;
mod waiting;

use std::env;
use std::fs::File;
use std::io;
use std::process::exit;

use crate::launch::Folders;
use crate::supervisor::{Mode, Supervisor};

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let (mode, folder) = match args[..] {
        [mode] => (mode, gate::FOLDER),
        [mode, "--folder", folder] => (mode, folder),
        _ => usage(),
    };
    let mode = match mode {
        "step" | "service" => Mode::Child,
        "anchor" => Mode::Anchor,
        _ => usage(),
    };
    match run(mode, folder) {
        Ok(code) => exit(code),
        Err(error) => {
            eprintln!("gate: cannot work in {folder}: {error}");
            exit(gate::exit::GATE_BROKE)
        }
    }
}

fn run(mode: Mode, folder: &str) -> io::Result<i32> {
    let home = File::open(".")?;
    env::set_current_dir(folder)?;
    let own = File::open(".")?;
    Supervisor::new(mode, Folders { home, own })?.run()
}

fn usage() -> ! {
    eprintln!("usage: gate step|service|anchor [--folder DIR]");
    exit(2)
}
