//! What an agent and a gate agree on: the messages on the control socket ([`wire`]), the `status` file ([`exit`]) and
//! the names in the shared folder. Separate from the program so that the agent can use it: no dependency, no `unsafe`.
#![forbid(unsafe_code)]

pub mod cap;
pub mod exit;
pub mod wire;

/// The one way to print durations, sizes and counts, without the library that it belongs to.
#[path = "../../../job-specs/src/units.rs"]
pub mod units;

/// The version of the messages; told in [`wire::Event::Hello`].
pub const VERSION: u32 = 5;

/// Where the gate finds its folder inside a container.
pub const FOLDER: &str = "/.drover/run";
/// A folder in memory for the files of [`wire::Go`].
pub const SECRETS: &str = "/.drover/secrets";
/// The environment variable that marks the processes of a shell session; see [`wire::Request::EndSession`].
pub const SESSION: &str = "DROVER_SESSION";
/// The control socket, in the folder.
pub const SOCKET: &str = "ctl.sock";
/// The output of the child: records of `protocol::record`, chunk by chunk.
pub const LOG: &str = "log";
/// How the child ended; written by rename, see [`exit::ExitStatus`].
pub const STATUS: &str = "status";
/// The script that came with [`wire::Go`].
pub const SCRIPT: &str = "script";
/// The file that `$DROVER_OUTPUT` names.
pub const OUTPUTS: &str = "outputs";
