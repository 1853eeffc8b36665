//! The program: parses, runs, prints what went wrong, exits.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use testmedic::cli::Cli;
use testmedic::error::{Problem, exit};
use testmedic::render::terminal::line;

fn main() -> ExitCode {
    let code = match std::panic::catch_unwind(|| Cli::parse().run()) {
        Ok(Ok(code)) => code,
        Ok(Err(problem)) => {
            tell(&problem);
            problem.exit_code()
        }
        Err(_) => {
            let _ = writeln!(
                std::io::stderr(),
                "testmedic: this is a bug of testmedic, not of your tests; please report it with the message above"
            );
            exit::BUG
        }
    };
    ExitCode::from(code)
}

fn tell(problem: &Problem) {
    let mut out = std::io::stderr().lock();
    let _ = writeln!(out, "testmedic: {}", line(&problem.headline, 400));
    let mut cause = std::error::Error::source(problem);
    while let Some(error) = cause {
        let _ = writeln!(out, "  because: {}", line(&error.to_string(), 400));
        cause = error.source();
    }
    for hint in &problem.hints {
        let _ = writeln!(out, "  help: {}", line(hint, 400));
    }
}
