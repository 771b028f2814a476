//! Runs one program and says how long it took and how much memory it had at its peak, as one line of JSON.
//!
//! `measure PROGRAM [ARGUMENT]…`, for `cargo xtask bench`: one process per measurement, because the system's answer
//! (`getrusage`, POSIX) is the greatest of all children so far. This process is small, so that its own size, which a
//! child starts from, does not count. The program's stdout and exit code are in the answer; its stderr is this one's.

use std::env;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: measure PROGRAM [ARGUMENT]...");
        return ExitCode::from(2);
    };
    let mut command = Command::new(&program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let start = Instant::now();
    let output = command
        .spawn()
        .and_then(std::process::Child::wait_with_output);
    let seconds = start.elapsed().as_secs_f64();
    let (output, usage) = match (output, getrusage(UsageWho::RUSAGE_CHILDREN)) {
        (Ok(output), Ok(usage)) => (output, usage),
        (Err(error), _) => {
            eprintln!("measure: {}: {error}", program.to_string_lossy());
            return ExitCode::FAILURE;
        }
        (_, Err(error)) => {
            eprintln!("measure: getrusage: {error}");
            return ExitCode::FAILURE;
        }
    };
    let document = serde_json::json!({
        "seconds": seconds,
        "peak_kib": usage.max_rss(),
        "exit_code": output.status.code(),
        "stdout": String::from_utf8_lossy(&output.stdout),
    });
    println!("{document}");
    ExitCode::SUCCESS
}
