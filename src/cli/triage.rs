//! `testmedic triage`.

use crate::cli::TriageArgs;
use crate::cli::job::Job;
use crate::error::Problem;
use crate::report::exit_code;
use crate::shell::actions::Around;

/// Reads, judges, plans, writes if asked, reports.
pub(super) fn triage(args: &TriageArgs, colour: bool) -> Result<u8, Problem> {
    let around = Around::read()?;
    let done = Job::prepare(args, around.as_ref())?.run(args, None);
    done.show(args, colour)?;
    Ok(exit_code(&done.triage, args.fail_on))
}
